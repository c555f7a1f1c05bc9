"""What a case can ask of the client, and the register of all cases."""

import asyncio
import importlib
import inspect
import json
import re
import time

import httpx

CASES = []  # in the order in which they are to run


def case(op, name, **options):
    """Registers a function as a case of an operation, such as
    "agents.create_agent". With offered=False the case shows that the
    operation is refused in a way that the client can read."""

    def register(f):
        CASES.append(Case(op, name, f, **options))
        return f

    return register


class Case:
    def __init__(self, op, name, run, offered=True):
        self.op, self.name, self.run, self.offered = op, name, run, offered


class Absent(Exception):
    """The version has no such operation or argument."""


class Failed(Exception):
    """The client did not get what it should."""


def check(condition, *what):
    if not condition:
        raise Failed(" ".join(str(w) for w in what))


def equal(got, want, what="answer"):
    check(got == want, f"{what} is {got!r}, not {want!r}")


def until(says, get, seconds=30):
    """Asks again and again until says is true of what get returns, and returns that."""
    end = time.monotonic() + seconds
    while not says(got := get()):
        check(time.monotonic() < end, f"after {seconds} s still", got)
        time.sleep(0.1)
    return got


class World:
    """What cases that run one after the other share: a server and a version of the
    client."""

    def __init__(self, url, key, audience):
        self.url, self.key, self.audience = url, key, audience
        try:
            self.module = importlib.import_module("meetkai_mka1")
        except ModuleNotFoundError:  # the oldest version has the short name only
            self.module = importlib.import_module("mka1")
        self.errors = importlib.import_module(self.module.__name__ + ".errors")
        self.http = httpx.Client(base_url=url, timeout=60)
        self.loop = asyncio.new_event_loop()
        self.sdks = {}

    def sdk(self, key):
        """The client with a key: made once, as it takes long."""
        if key not in self.sdks:
            self.sdks[key] = self.module.SDK(bearer_auth=key, server_url=self.url)
        return self.sdks[key]


class Context:
    """What a case works with. It belongs to an end user of its own."""

    def __init__(self, world, op, user, is_async):
        self.world, self.op, self.user, self.is_async = world, op, user, is_async

    # The client under test.

    def sdk(self, key=None):
        return self.world.sdk(key or self.world.key)

    def method(self, sdk, op):
        for part in op.split("."):
            sdk = getattr(sdk, part, None)
        if sdk is None:
            raise Absent(op)
        return sdk

    def needs(self, *arguments, op=None):
        """Ends the case if the operation does not take these arguments in this
        version."""
        known = inspect.signature(self.method(self.sdk(), op or self.op)).parameters
        for a in arguments:
            if a not in known:
                raise Absent(f"{op or self.op}({a})")

    def call(self, op=None, key=None, **arguments):
        """Calls an operation, by default the one that the case is about, as the
        caller of this context does: plainly or awaiting it."""
        op = op or self.op
        plain = self.method(self.sdk(key), op)
        if "x_on_behalf_of" in inspect.signature(plain).parameters:
            arguments.setdefault("x_on_behalf_of", self.user)
        if self.is_async:
            return self.world.loop.run_until_complete(self.method(self.sdk(key), op + "_async")(**arguments))
        return plain(**arguments)

    def fails(self, status, says="", op=None, **arguments):
        """Calls an operation that must fail: with the class of error that this
        version names for the status, and a message that the class could read."""
        op = op or self.op
        named = named_errors(self.method(self.sdk(), op)).get(str(status))
        try:
            got = self.call(op, **arguments)
        except self.world.errors.SDKError as e:
            equal(e.status_code, status, f"status of {e.body!r}")
            equal(type(e).__name__, named or "SDKDefaultError", f"class of {e.body!r}")
            check(says.lower() in e.message.lower(), f"message {e.message!r} does not mention {says!r}")
            body = json.loads(e.body)  # the answer itself is gone if it could have been a stream
            message = body["error"]["message"]
            check(len(message) > 10, "no message for a person in", e.body)
            check(message in e.message or not named, f"{e.message!r} is not the message of", e.body)
            check(e.headers.get("x-request-id"), "no X-Request-ID")
            return e
        raise Failed(f"no error, but {got!r}")

    # The same server without the client, for what surrounds a case.

    def api(self, method, path, body=None, key=None, ok=(200, 201), **options):
        headers = {"Authorization": "Bearer " + (key or self.world.key), "X-On-Behalf-Of": self.user}
        r = self.world.http.request(method, "/api/v1" + path, json=body, headers=headers, **options)
        if r.status_code not in ok:
            raise Failed(f"{method} {path} answers {r.status_code} {r.text}")
        return r.json() if "json" in r.headers.get("content-type", "") else r.text

    def agent(self, **fields):
        return self.api("POST", "/agents", {"name": "Reporter", "model": "small", **fields})["id"]

    def schedule(self, agent, **fields):
        body = {"schedule": {"type": "interval", "interval_seconds": 86400}, "input": "What is new?", **fields}
        return self.api("POST", f"/agents/{agent}/schedules", body)["id"]

    def run(self, agent, input="What is new?", **fields):
        return self.api("POST", f"/agents/{agent}/runs", {"input": input, **fields})["id"]

    def ended(self, agent, run):
        """Waits for the end of a run: its events end with it."""
        self.api("GET", f"/agents/{agent}/runs/{run}/events")
        return self.api("GET", f"/agents/{agent}/runs/{run}")

    def function_tool(self, name="look_up"):
        body = {"type": "function", "name": name, "parameters": {"type": "object", "properties": {}}}
        return self.api("POST", "/agents/function-tools", body)["id"]

    def scoped_key(self, *scopes):
        body = {"name": "scoped", "teamId": "team", "scopes": list(scopes)}
        return self.api("POST", "/authentication/api-key/scoped", body)["key"]


def named_errors(method):
    """The classes that a method raises for a status with a body that it knows,
    from its source."""
    found = {}
    for statuses, after in re.findall(
        r'match_response\(\s*http_res,\s*(\[[^\]]*\]|"[^"]*"),\s*"application/json"\s*\):(.*?)(?=if utils\.match_response|\Z)',
        inspect.getsource(method),
        re.S,
    ):
        if raised := re.search(r"raise \w+\.(\w+)\(", after):
            for status in re.findall(r"\w+", statuses):
                found[status] = raised.group(1)
    return found
