"""Exchange of keys for tokens, and keys with fewer scopes."""

import base64
import inspect
import json

from case import case, check, equal

TITLE = "Authentication"
COVERED = ["auth.api_key", "auth.api_keys"]
EXCHANGES = ("auth.api_key.get_jwt_from_key", "auth.api_keys.exchange_token")
WRONG_KEY = "rk_nobody_has_this_key_at_all"
NOBODY = "key_0192f0c1d2e37f00a1b2c3d4e5f60718"


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def list_agents(c, token, user):
    """The agents of an end user, read by the client with another key or token."""
    return [a.id for a in c.call("agents.list_agents", key=token, x_on_behalf_of=user).data]


def asks(c, op, **fields):
    """The arguments of an exchange: older versions take them as one body."""
    fields.setdefault("external_user_id", c.user)
    fields.setdefault("audience", c.world.audience)
    known = inspect.signature(c.method(c.sdk(), op)).parameters
    return {"body": fields} if "body" in known else fields


def exchange(op):
    @case(op, "a token that works for its end user")
    def _(c):
        token = c.call(**asks(c, op)).token
        got = claims(token)
        equal(got["sub"], c.user)
        check(got["aud"] in (c.world.audience, [c.world.audience]), got["aud"])  # RFC 7519 has both forms
        equal(got["exp"] - got["iat"], 3600, "default lifetime")
        equal(list_agents(c, token, None), [])
        id = c.agent()
        equal(list_agents(c, token, None), [id], "agents of the token's end user")

    @case(op, "a token with some of the scopes")
    def _(c):
        token = c.call(**asks(c, op, expires_in=300, permissions=["read:agents"])).token
        equal(list_agents(c, token, None), [])
        c.fails(403, "write:agents", op="agents.delete_agent", key=token, x_on_behalf_of=None, agent_id=c.agent())

    @case(op, "400 for another audience")
    def _(c):
        c.fails(400, "audience", **asks(c, op, audience="https://elsewhere.example.com"))

    @case(op, "400 for a lifetime out of range")
    def _(c):
        c.fails(400, "expiresIn", **asks(c, op, expires_in=1))

    @case(op, "400 for an end user that is none")
    def _(c):
        c.fails(400, "externalUserId", **asks(c, op, external_user_id="*"))

    @case(op, "401 for a wrong key")
    def _(c):
        c.fails(401, key=WRONG_KEY, **asks(c, op))

    @case(op, "403 for scopes that the key does not have")
    def _(c):
        key = c.scoped_key("read:agents")
        c.fails(403, "write:agents", key=key, **asks(c, op, permissions=["write:agents"]))


for op in EXCHANGES:
    exchange(op)


def body(**more):
    return {"name": "scoped", "team_id": "team", "scopes": ["read:agents"], **more}


@case("auth.api_keys.create", "a key with some of the scopes")
def _(c):
    k = c.call(body=body())
    equal((k.name, k.scopes), ("scoped", ["read:agents"]))
    check(k.key, "no secret")
    equal(list_agents(c, k.key, c.user), [])
    c.fails(403, "write:agents", op="agents.delete_agent", key=k.key, agent_id=c.agent())


@case("auth.api_keys.create", "400 for a scope that is none")
def _(c):
    c.fails(400, "scopes", body=body(scopes=["agent:create"]))


@case("auth.api_keys.create", "403 for a scope that its maker does not have")
def _(c):
    c.fails(403, key=c.scoped_key("read:agents", "write:apikeys"), body=body(scopes=["write:agents"]))


@case("auth.api_keys.create", "403 for a key that may not make keys")
def _(c):
    c.fails(403, "write:apikeys", key=c.scoped_key("read:agents"), body=body())


@case("auth.api_keys.create", "401 for a wrong key")
def _(c):
    c.fails(401, key=WRONG_KEY, body=body())


@case("auth.api_keys.list", "the bare list")
def _(c):
    id = c.call("auth.api_keys.create", body=body(name="in the list")).id
    found = [k for k in c.call() if k.id == id]
    equal([(k.name, k.scopes) for k in found], [("in the list", ["read:agents"])])
    check(not getattr(found[0], "key", None), "the list shows the secret")


@case("auth.api_keys.list", "401 for a wrong key")
def _(c):
    c.fails(401, key=WRONG_KEY)


@case("auth.api_keys.update", "other scopes")
def _(c):
    k = c.call("auth.api_keys.create", body=body())
    u = c.call(body={"key_id": k.id, "scopes": ["read:agents", "write:agents"], "name": "more"})
    equal((u.id, sorted(u.scopes)), (k.id, ["read:agents", "write:agents"]))
    c.call("agents.delete_agent", key=k.key, agent_id=c.agent())


@case("auth.api_keys.update", "404 for a key that there is not")
def _(c):
    c.fails(404, body={"key_id": NOBODY, "scopes": ["read:agents"]})


@case("auth.api_keys.regenerate", "another secret, the first one gone")
def _(c):
    k = c.call("auth.api_keys.create", body=body())
    r = c.call(body={"key_id": k.id})
    check(r.key and r.key != k.key, "the same secret")
    equal(list_agents(c, r.key, c.user), [])
    c.fails(401, op="agents.list_agents", key=k.key)


@case("auth.api_keys.regenerate", "404 for a key that there is not")
def _(c):
    c.fails(404, body={"key_id": NOBODY})


@case("auth.api_keys.delete", "the key and its tokens end")
def _(c):
    k = c.call("auth.api_keys.create", body=body(scopes=["read:agents"]))
    token = c.call(EXCHANGES[0], key=k.key, **asks(c, EXCHANGES[0])).token
    equal(list_agents(c, token, None), [])
    d = c.call(body={"key_id": k.id})
    equal(d.deleted, True)
    for credential in (k.key, token):
        c.fails(401, op="agents.list_agents", key=credential, x_on_behalf_of=None)


@case("auth.api_keys.delete", "404 for a key that there is not")
def _(c):
    c.fails(404, body={"key_id": NOBODY})
