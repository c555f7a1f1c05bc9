package main

import (
	"context"
	"strconv"
	"time"

	"github.com/rota-run/rota"
)

type scopedKeysCmd struct {
	Create     scopedKeysCreate     `cmd:"" help:"Make a key; its secret is shown this once." example:"rota scoped-keys create --name web --scope read:agents"`
	List       scopedKeysList       `cmd:"" help:"List the keys that are neither revoked nor expired." example:"rota scoped-keys list"`
	Update     scopedKeysUpdate     `cmd:"" help:"Change a key; but for the scopes, what is not named stays." example:"rota scoped-keys update --key-id $KEY --scope read:agents"`
	Regenerate scopedKeysRegenerate `cmd:"" help:"Give a key a new secret, which is shown this once; the old one ends." example:"rota scoped-keys regenerate --key-id $KEY"`
	Delete     scopedKeysDelete     `cmd:"" help:"End a key for good." example:"rota scoped-keys delete --key-id $KEY"`
}

// keyIDFlag names a key.
type keyIDFlag struct {
	KeyID rota.KeyID `required:"" placeholder:"ID" help:"Id of the key."`
}

// scopesFlag is what a key may do.
type scopesFlag struct {
	Scope []rota.Scope `required:"" placeholder:"SCOPE" enum:"${scopes}" help:"What the key may do; may be repeated: ${allscopes}."`
}

type scopedKeysCreate struct {
	Name string `required:"" placeholder:"TEXT" help:"What the key is for."`
	scopesFlag
	TeamID    string `placeholder:"TEXT" help:"A label."`
	EndUser   string `placeholder:"USER" help:"The only end user for whom the key acts; by default any."`
	ExpiresIn *span  `placeholder:"TIME" help:"How long the key opens, such as 12h or 30d; by default until it is revoked."`
}

func (c *scopedKeysCreate) Run(ctx context.Context, s *session) error {
	body := rota.ScopedKeyCreate{Name: c.Name, TeamID: c.TeamID, Scopes: c.Scope}
	if c.EndUser != "" {
		body.OnBehalfOf = rota.Some(rota.Delegate{ServiceAccountID: c.EndUser, UserType: "service-account"})
	}
	if c.ExpiresIn != nil {
		body.ExpiresIn = rota.Some(time.Duration(*c.ExpiresIn).Seconds())
	}
	return show(s, scopedKeyCard)(s.ScopedKeys.Create(ctx, body, s.call...))
}

type scopedKeysList struct{}

func (*scopedKeysList) Run(ctx context.Context, s *session) error {
	keys, err := s.ScopedKeys.List(ctx, s.call...)
	switch {
	case err != nil:
		return err
	case s.json:
		return s.printJSON(s.answer)
	}
	return printTable(s.out, s.width, scopedKeyColumns(), keys)
}

type scopedKeysUpdate struct {
	keyIDFlag
	scopesFlag
	Name *string `placeholder:"TEXT" help:"What the key is for."`
}

func (c *scopedKeysUpdate) Run(ctx context.Context, s *session) error {
	body := rota.ScopedKeyUpdate{KeyID: c.KeyID, Scopes: c.Scope, Name: some(c.Name)}
	return show(s, scopedKeyCard)(s.ScopedKeys.Update(ctx, body, s.call...))
}

type scopedKeysRegenerate struct{ keyIDFlag }

func (c *scopedKeysRegenerate) Run(ctx context.Context, s *session) error {
	card := func(k rota.ScopedKeySecret) []line { return []line{{"id", k.ID}, {"secret", once(k.Key)}} }
	return show(s, card)(s.ScopedKeys.Regenerate(ctx, c.KeyID, s.call...))
}

type scopedKeysDelete struct{ keyIDFlag }

func (c *scopedKeysDelete) Run(ctx context.Context, s *session) error {
	card := func(k rota.ScopedKeyDeleted) []line { return []line{{"deleted", k.ID}} }
	return show(s, card)(s.ScopedKeys.Delete(ctx, c.KeyID, s.call...))
}

func scopedKeyColumns() []column[rota.ScopedKey] {
	return []column[rota.ScopedKey]{
		{"ID", func(k rota.ScopedKey) string { return k.ID }},
		{"NAME", func(k rota.ScopedKey) string { return k.Name }},
		{"SECRET", func(k rota.ScopedKey) string { return k.Start + "…" }},
		{"USER", func(k rota.ScopedKey) string { return k.UserID }},
		{"EXPIRES", func(k rota.ScopedKey) string { return text(k.ExpiresAt) }},
	}
}

func scopedKeyCard(k rota.ScopedKey) []line {
	secret, limit := k.Start+"…", ""
	if k.Key != "" {
		secret = once(k.Key)
	}
	if k.RateLimitMax != nil && k.RateLimitTimeWindow != nil {
		limit = strconv.FormatInt(*k.RateLimitMax, 10) + " in " + (time.Duration(*k.RateLimitTimeWindow) * time.Millisecond).String()
	}
	return []line{
		{"id", k.ID},
		{"name", k.Name},
		{"secret", secret},
		{"user", k.UserID},
		{"account", text(k.OrgID)},
		{"team", text(k.TeamID)},
		{"scopes", lines(k.Scopes)},
		{"rate limit", limit},
		{"expires", text(k.ExpiresAt)},
	}
}

// once returns a secret with what to do about it.
func once(secret string) string { return secret + "\n(keep it: it is not shown again)" }
