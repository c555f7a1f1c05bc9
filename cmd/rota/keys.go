package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
)

type keysCmd struct {
	Create keysCreate `cmd:"" help:"Make a key; its secret is shown this once." example:"rota keys create --name ci --scope read:agents --expires-in 30d"`
	List   keysList   `cmd:"" help:"List the keys of the account." example:"rota keys list"`
	Self   keysSelf   `cmd:"" help:"Show the key in use, and what it may do." example:"rota keys self"`
	Revoke keysRevoke `cmd:"" help:"End a key for good." example:"rota keys revoke --key-id $KEY"`

	ExchangeToken keysExchangeToken `cmd:"" help:"Exchange the key in use for a token of an end user." example:"rota keys exchange-token --audience https://rota.example.com --external-user-id ana --expires-in 1h"`
	ReplaceFirst  keysReplaceFirst  `cmd:"" local:"" help:"On the server's machine: make a new key with every scope, and revoke the one that the first start made." example:"rota keys replace-first --data ./data"`

	RotateSigning keysRotateSigning `cmd:"" help:"Make a new key for the server to sign tokens with." example:"rota keys rotate-signing"`
}

// keyFlags are the fields of a key.
type keyFlags struct {
	Name      *string          `placeholder:"TEXT" help:"What the key is for."`
	Account   *string          `placeholder:"NAME" help:"Account that the key opens; by default that of the key in use."`
	EndUser   *string          `placeholder:"USER" help:"The only end user for whom the key acts; by default any."`
	Scope     []rota.Scope     `placeholder:"SCOPE" enum:"${scopes}" help:"What the key may do, by default read and write of agents, responses and conversations; may be repeated: ${allscopes}."`
	RateLimit []rota.RateLimit `placeholder:"LIMIT" help:"How many requests the key may make, such as 600/minute; may be repeated, one for each of second, minute, hour and day."`
	ExpiresIn *span            `placeholder:"TIME" help:"How long the key opens, such as 12h or 30d; by default until it is revoked."`
}

// scopeNames lists the scopes that there are, with something between them.
func scopeNames(sep string) string {
	var names []string
	for _, s := range rota.AllScopes() {
		names = append(names, string(s))
	}
	return strings.Join(names, sep)
}

type keysCreate struct {
	Fields keyFlags `embed:""`
	Body   bodyFlag `embed:""`
}

func (c *keysCreate) Run(ctx context.Context, s *session) error {
	raw, err := c.Body.raw(s.in, c.Fields)
	if err != nil {
		return err
	}
	if raw == nil && c.Fields.Name == nil {
		return usagef("give --name, or --body")
	}
	return show(s, newKeyCard)(s.Keys.Create(ctx, c.Fields.create(s.now()), append(s.call, raw...)...))
}

func (f keyFlags) create(now time.Time) rota.KeyCreate {
	body := rota.KeyCreate{Name: text(f.Name), Account: some(f.Account), EndUser: some(f.EndUser)}
	if f.Scope != nil {
		body.Scopes = rota.Some(f.Scope)
	}
	if f.RateLimit != nil {
		body.RateLimits = rota.Some(f.RateLimit)
	}
	if f.ExpiresIn != nil {
		body.ExpiresAt = rota.Some(rota.InstantOf(now.Add(time.Duration(*f.ExpiresIn))))
	}
	return body
}

type keysList struct {
	DescendsFrom rota.KeyID `placeholder:"ID" help:"Only those that this key has made, with those that these have made, and so on."`

	Part listFlags `embed:""`
}

func (c *keysList) Run(ctx context.Context, s *session) error {
	options := s.call
	if c.DescendsFrom != "" {
		options = append(options[:len(options):len(options)], client.DescendsFrom(c.DescendsFrom))
	}
	return many(s, c.Part, keyColumns(), func(p rota.Page) (rota.List[rota.Key], error) {
		return s.Keys.List(ctx, p, options...)
	})
}

type keysSelf struct{}

func (*keysSelf) Run(ctx context.Context, s *session) error {
	return show(s, keyCard)(s.Keys.InUse(ctx, s.call...))
}

type keysRevoke struct {
	KeyID rota.KeyID `required:"" placeholder:"ID" help:"Id of the key."`

	Descendants bool `help:"End the keys that it has made as well, and those that these have made, in whatever account."`
}

func (c *keysRevoke) Run(ctx context.Context, s *session) error {
	options := s.call
	if c.Descendants {
		options = append(options[:len(options):len(options)], client.WithDescendants())
	}
	return show(s, keyCard)(s.Keys.Revoke(ctx, c.KeyID, options...))
}

type keysExchangeToken struct {
	Audience       string       `required:"" placeholder:"NAME" help:"Whom the token is for: one of the server's audiences."`
	ExternalUserID string       `required:"" placeholder:"USER" help:"The end user for whom the token acts."`
	ExpiresIn      *span        `placeholder:"TIME" help:"How long the token opens, from 5m to 30d; by default 1h."`
	Permission     []rota.Scope `placeholder:"SCOPE" enum:"${scopes}" help:"What the token may do, by default what the key may; may be repeated: ${allscopes}."`
}

// Run prints the token alone, to be put into a variable.
func (c *keysExchangeToken) Run(ctx context.Context, s *session) error {
	body := rota.TokenExchange{Audience: c.Audience, ExternalUserID: c.ExternalUserID}
	if c.ExpiresIn != nil {
		body.ExpiresIn = rota.Some(time.Duration(*c.ExpiresIn).Seconds())
	}
	if c.Permission != nil {
		body.Permissions = rota.Some(c.Permission)
	}
	token, err := s.Keys.ExchangeToken(ctx, body, s.call...)
	switch {
	case err != nil:
		return err
	case s.json:
		return s.printJSON(s.answer)
	}
	_, err = fmt.Fprintln(s.out, clean(token.Token))
	return err
}

type keysRotateSigning struct {
	Revoke bool `help:"End the tokens of the signing keys before at once, because one of them may be known. Without it, they hold until they expire."`
}

func (c *keysRotateSigning) Run(ctx context.Context, s *session) error {
	return show(s, signingKeyCard)(s.Keys.RotateSigning(ctx, rota.SigningKeyCreate{Revoke: c.Revoke}, s.call...))
}

func signingKeyCard(k rota.SigningKey) []line {
	return []line{{"id", string(k.ID)}, {"created", stamp(&k.CreatedAt)}}
}

func keyColumns() []column[rota.Key] {
	return []column[rota.Key]{
		{"ID", func(k rota.Key) string { return string(k.ID) }},
		{"NAME", func(k rota.Key) string { return k.Name }},
		{"SECRET", func(k rota.Key) string { return k.Hint + "…" }},
		{"ACCOUNT", func(k rota.Key) string { return k.Account }},
		{"CREATED", func(k rota.Key) string { return stamp(&k.CreatedAt) }},
		{"EXPIRES", func(k rota.Key) string { return stamp(k.ExpiresAt) }},
		{"REVOKED", func(k rota.Key) string { return stamp(k.RevokedAt) }},
	}
}

func keyCard(k rota.Key) []line {
	return []line{
		{"id", string(k.ID)},
		{"name", k.Name},
		{"account", k.Account},
		{"secret", k.Hint + "…"},
		{"scopes", lines(k.Scopes)},
		{"rate limits", lines(k.RateLimits)},
		{"end user", text(k.EndUser)},
		{"made by", text(k.CreatedBy)},
		{"created", stamp(&k.CreatedAt)},
		{"expires", stamp(k.ExpiresAt)},
		{"revoked", stamp(k.RevokedAt)},
	}
}

// newKeyCard is keyCard with the whole secret.
func newKeyCard(k rota.NewKey) []line {
	card := keyCard(k.Key)
	for i := range card {
		if card[i].name == "secret" {
			card[i].value = once(k.Secret)
		}
	}
	return card
}

// lines writes each value on a line of its own.
func lines[T any](values []T) string {
	var b strings.Builder
	for _, v := range values {
		fmt.Fprintln(&b, v)
	}
	return b.String()
}
