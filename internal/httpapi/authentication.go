package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rota-run/rota"
)

// The authentication group of the published API: names in camelCase, and errors
// whose message is at the top.
const (
	authPath   = "/api/v1/authentication/"
	scopedPath = authPath + "api-key/scoped"
)

func (a *api) authenticationOperations() []*operation {
	const tag = "Authentication"
	exchange := func(path, id string) *operation {
		op := accepts(Route{http.MethodPost, authPath + path, "", http.StatusOK, id}, a.exchangeToken).
			says(tag, "Exchange a key for a token", "The token opens what the key opens, for one end user and with the scopes that it is given, until it expires or the key does. Any key may be exchanged, and no token.").
			like(`{"audience": "rota.example.com", "externalUserId": "u-42", "expiresIn": 3600, "permissions": ["read:agents"]}`).
			may(rota.NotImplemented)
		op.unrepeatable = true
		return op
	}
	create := accepts(Route{http.MethodPost, scopedPath, rota.WriteAPIKeys, http.StatusCreated, "create_scoped_api_key"}, a.createScoped).
		says(tag, "Create a key", "The same as to create a key at /api/v1/keys, in the words of the published API. The answer is the only one that has the secret.").
		like(`{"name": "dashboard", "teamId": "web", "scopes": ["read:agents"]}`)
	create.unrepeatable = true
	regenerate := accepts(Route{http.MethodPost, scopedPath + "/regenerate", rota.WriteAPIKeys, http.StatusOK, "regenerate_scoped_api_key"}, a.regenerateScoped).
		says(tag, "Give a key a new secret", "The old secret, and the tokens that were made with it, end at once.").
		like(`{"keyId": "key_01937f3c5d4e7a6b8c9d0e1f2a3b4c5d"}`).
		may(rota.NotFound, rota.Conflict)
	regenerate.unrepeatable = true
	list := func(path, id string) *operation {
		return answers(Route{http.MethodGet, path, rota.ReadAPIKeys, http.StatusOK, id}, a.listScoped).
			says(tag, "List keys", "The keys that are neither revoked nor expired, newest first, at most 1000. Clients of different versions ask for them by two paths.").with("org_filter", "team_filter")
	}
	return []*operation{
		exchange("api-keys/exchange-token", "exchange_api_key_token"),
		exchange("api-key/exchange-token", "get_jwt_from_key"),
		create,
		list(scopedPath+"/list", "list_scoped_api_keys"),
		list(scopedPath, "get_scoped_api_keys"),
		accepts(Route{http.MethodPost, scopedPath + "/update", rota.WriteAPIKeys, http.StatusOK, "update_scoped_api_key"}, a.updateScoped).
			says(tag, "Update a key", "What is left out stays as it is. Tokens that were made with the key have no more scopes than it has now.").
			like(`{"keyId": "key_01937f3c5d4e7a6b8c9d0e1f2a3b4c5d", "scopes": ["read:agents"]}`).
			may(rota.NotFound, rota.Conflict),
		regenerate,
		accepts(Route{http.MethodPost, scopedPath + "/delete", rota.WriteAPIKeys, http.StatusOK, "delete_scoped_api_key"}, a.deleteScoped).
			says(tag, "Revoke a key", "It opens nothing any more, nor do its tokens.").
			like(`{"keyId": "key_01937f3c5d4e7a6b8c9d0e1f2a3b4c5d"}`).
			may(rota.NotFound),
	}
}

func (a *api) exchangeToken(ctx context.Context, c call, in rota.TokenExchange) (rota.Token, error) {
	return a.Control.ExchangeToken(ctx, c.who, in)
}

func (a *api) createScoped(ctx context.Context, c call, in rota.ScopedKeyCreate) (rota.ScopedKey, error) {
	limits, err := rateLimits(in.ScopedKeyLimit)
	if err != nil {
		return rota.ScopedKey{}, err
	}
	body := rota.KeyCreate{Name: in.Name, TeamID: rota.Some(in.TeamID), Scopes: rota.Some(in.Scopes), RateLimits: limits}
	if d, ok := in.OnBehalfOf.Get(); ok {
		body.EndUser = rota.Some(d.ServiceAccountID)
	}
	if s, ok := in.ExpiresIn.Get(); ok {
		body.ExpiresAt = rota.Some(rota.InstantOf(a.Now().Add(time.Duration(s * float64(time.Second)))))
	}
	k, err := a.Control.CreateKey(ctx, c.who, body)
	if err != nil {
		return rota.ScopedKey{}, renamed(err)
	}
	out := scoped(k.Key)
	out.Key = k.Secret
	return out, nil
}

func (a *api) listScoped(ctx context.Context, c call) ([]rota.ScopedKey, error) {
	keys, err := a.Control.UsableKeys(ctx, c.who)
	if err != nil {
		return nil, err
	}
	q, out := c.URL.Query(), []rota.ScopedKey{}
	for _, k := range keys {
		if q.Has("orgId") && q.Get("orgId") != k.Account || q.Has("teamId") && (k.TeamID == nil || *k.TeamID != q.Get("teamId")) {
			continue
		}
		out = append(out, scoped(k))
	}
	return out, nil
}

func (a *api) updateScoped(ctx context.Context, c call, in rota.ScopedKeyUpdate) (rota.ScopedKey, error) {
	limits, err := rateLimits(in.ScopedKeyLimit)
	if err != nil {
		return rota.ScopedKey{}, err
	}
	body := rota.KeyUpdate{Name: in.Name, Scopes: rota.Some(in.Scopes), RateLimits: limits, ExpiresAt: in.ExpiresAt}
	k, err := a.Control.UpdateKey(ctx, c.who, in.KeyID, body)
	if err != nil {
		return rota.ScopedKey{}, renamed(err)
	}
	return scoped(k), nil
}

func (a *api) regenerateScoped(ctx context.Context, c call, in rota.ScopedKeyID) (rota.ScopedKeySecret, error) {
	k, err := a.Control.RegenerateKey(ctx, c.who, in.KeyID)
	return rota.ScopedKeySecret{ID: string(k.ID), Key: k.Secret, Start: k.Hint}, err
}

func (a *api) deleteScoped(ctx context.Context, c call, in rota.ScopedKeyID) (rota.ScopedKeyDeleted, error) {
	k, err := a.Control.RevokeKey(ctx, c.who, in.KeyID, false)
	return rota.ScopedKeyDeleted{ID: string(k.ID), Deleted: true}, err
}

// scoped shows a key in the words of the published API.
func scoped(k rota.Key) rota.ScopedKey {
	prefix, _, _ := strings.Cut(k.Hint, "_")
	s := rota.ScopedKey{
		ID: string(k.ID), UserID: k.Account, UserType: "user", OrgID: &k.Account, TeamID: k.TeamID,
		Scopes: k.Scopes, Name: k.Name, Prefix: prefix, Start: k.Hint,
	}
	if k.EndUser != nil {
		s.UserID, s.UserType = *k.EndUser, "service-account"
	}
	if len(k.RateLimits) > 0 {
		l := k.RateLimits[0]
		s.RateLimitEnabled, s.RateLimitTimeWindow, s.RateLimitMax = true, new(l.Per.Duration().Milliseconds()), new(int64(l.Requests))
	}
	if k.ExpiresAt != nil {
		s.ExpiresAt = new(k.ExpiresAt.String())
	}
	return s
}

// rateLimits returns the rate limits that a body asks for; absent if it says nothing.
func rateLimits(l rota.ScopedKeyLimit) (rota.Opt[[]rota.RateLimit], error) {
	var none rota.Opt[[]rota.RateLimit]
	on, given := l.RateLimitEnabled.Get()
	if !on {
		if given {
			none = rota.Some([]rota.RateLimit{})
		}
		return none, nil
	}
	periods := []rota.Period{rota.PerSecond, rota.PerMinute, rota.PerHour, rota.PerDay}
	window, _ := l.RateLimitTimeWindow.Get()
	i := slices.IndexFunc(periods, func(p rota.Period) bool { return window == float64(p.Duration().Milliseconds()) })
	if i < 0 {
		return none, rota.InvalidField("rateLimitTimeWindow", "must be 1000, 60000, 3600000 or 86400000 milliseconds")
	}
	most, ok := l.RateLimitMax.Get()
	if !ok || most != float64(int(most)) {
		return none, rota.InvalidField("rateLimitMax", "must be a whole number from 1 to 999999")
	}
	return rota.Some([]rota.RateLimit{{Requests: int(most), Per: periods[i]}}), nil
}

// renamed names the fields of an error as the group does.
func renamed(err error) error {
	e := rota.Public(err)
	names := map[string]string{"rate_limits": "rateLimitMax", "end_user": "onBehalfOf.serviceAccountId", "expires_at": "expiresAt", "team_id": "teamId"}
	if name, ok := names[e.Field]; ok {
		return &rota.Error{Code: e.Code, Field: name, Msg: e.Msg, RetryAfter: e.RetryAfter, Err: err}
	}
	return err
}

// publicKeys serves the JWKS, which anybody may read.
func (a *api) publicKeys(w http.ResponseWriter, r *http.Request) {
	set, err := a.Control.PublicKeys(r.Context())
	if err != nil {
		a.fail(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=60")
	a.write(w, r, http.StatusOK, set)
}
