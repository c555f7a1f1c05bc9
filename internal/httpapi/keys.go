package httpapi

import (
	"context"
	"net/http"

	"github.com/rota-run/rota"
)

const keysPath = "/api/v1/keys"

func (a *api) keyOperations() []*operation {
	const tag = "Keys"
	create := accepts(Route{http.MethodPost, keysPath, rota.WriteAPIKeys, http.StatusCreated, "create_key"}, a.createKey).
		says(tag, "Create a key", "The answer is the only one that has the secret. For the same reason, an Idempotency-Key is refused.").
		like(`{"name": "dashboard", "scopes": ["read:agents"]}`)
	create.unrepeatable = true
	return []*operation{
		lists(Route{http.MethodGet, keysPath, rota.ReadAPIKeys, http.StatusOK, "list_keys"}, a.listKeys).
			says(tag, "List keys", "The keys of the caller's account, newest first, without their secrets. With descends_from, those that a key has made, with those that these have made, and so on.").
			with("descends_from"),
		create,
		answers(Route{http.MethodGet, keysPath + "/self", "", http.StatusOK, "get_own_key"}, a.ownKey).
			says(tag, "Get the key in use", "What the key may do, and until when; of a token, its scopes, end user and end. The end user is the one for whom the request is."),
		answers(Route{http.MethodDelete, keysPath + "/{key_id}", rota.WriteAPIKeys, http.StatusOK, "revoke_key"}, a.revokeKey).
			says(tag, "Revoke a key", "It opens nothing any more, nor do its tokens. A key that is revoked stays as it is. With descendants, the keys that it has made end with it, and those that these have made. A key can revoke whatever descends from it, in any account.").
			with("descendants"),
		accepts(Route{http.MethodPost, "/api/v1/signing-keys/rotate", rota.WriteAccounts, http.StatusOK, "rotate_signing_key"}, a.rotateSigningKey).
			says(tag, "Make a new key to sign tokens with", "Tokens of those before hold until they expire, unless revoke ends them at once. The keys are those of the whole server.").
			like(`{"revoke": false}`).maybe(),
	}
}

func (a *api) listKeys(ctx context.Context, c call, p rota.Page) (rota.List[rota.Key], error) {
	if q := c.URL.Query(); q.Has("descends_from") {
		return a.Control.KeysFrom(ctx, c.who, rota.KeyID(q.Get("descends_from")), p)
	}
	return a.Control.Keys(ctx, c.who, p)
}

func (a *api) ownKey(ctx context.Context, c call) (rota.Key, error) {
	return a.Control.KeyInUse(ctx, c.who)
}

func (a *api) createKey(ctx context.Context, c call, in rota.KeyCreate) (rota.NewKey, error) {
	return a.Control.CreateKey(ctx, c.who, in)
}

func (a *api) revokeKey(ctx context.Context, c call) (rota.Key, error) {
	descendants, err := boolParam(c.URL.Query(), "descendants")
	if err != nil {
		return rota.Key{}, err
	}
	return a.Control.RevokeKey(ctx, c.who, c.key(), descendants)
}

func (a *api) rotateSigningKey(ctx context.Context, c call, in rota.SigningKeyCreate) (rota.SigningKey, error) {
	return a.Control.RotateSigningKey(ctx, c.who, in)
}
