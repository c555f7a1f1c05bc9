package rota

// A TokenExchange is the body that exchanges a key for a token.
type TokenExchange struct {
	Audience       string       `json:"audience" minLength:"1" maxLength:"255" doc:"Whom the token is for: one of the server's audiences."`
	ExternalUserID string       `json:"externalUserId" minLength:"1" maxLength:"150" doc:"The end user whom the token acts for."`
	ExpiresIn      Opt[float64] `json:"expiresIn,omitzero" nullable:"true" minimum:"300" maximum:"2592000" doc:"Seconds that the token is valid, at most as long as the key. Default: 3600."`
	Permissions    Opt[[]Scope] `json:"permissions,omitzero" minItems:"1" maxItems:"32" doc:"Scopes of the token, all of which the key has. Default: all of the key's."`
}

// Seconds returns how long the token is to be valid.
func (t TokenExchange) Seconds() float64 {
	s := 3600.0
	t.ExpiresIn.Apply(&s)
	return s
}

// A Token opens what its key opens, for one end user.
type Token struct {
	Token string `json:"token" doc:"A JWT, to be sent like a key."`
}

// A SigningKey signs tokens. Its private half is sealed with the secret of the
// server.
type SigningKey struct {
	Object    string       `json:"object" enum:"signing_key"`
	ID        SigningKeyID `json:"id"`
	CreatedAt Instant      `json:"created_at"`
	RetiredAt *Instant     `json:"retired_at" doc:"When another one took its place."`
	Public    []byte       `json:"-"` // an uncompressed point of P-256
	Sealed    []byte       `json:"-"`
}

// SigningKeyCreate is the body that makes a new signing key.
type SigningKeyCreate struct {
	Revoke bool `json:"revoke,omitempty" doc:"Whether the tokens of the signing keys before end at once. Default: they hold until they expire."`
}

// KeyUpdate is a partial change of a key.
type KeyUpdate struct {
	Name       Opt[string]
	Scopes     Opt[[]Scope]
	RateLimits Opt[[]RateLimit]
	ExpiresAt  Opt[Instant] // null: never
}
