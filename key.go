package rota

// A Key opens the API for one account. Its secret is shown once, when it is
// made; the store keeps a hash.
type Key struct {
	Object     string      `json:"object" enum:"key"`
	ID         KeyID       `json:"id"`
	Account    string      `json:"account"`
	Name       string      `json:"name"`
	Hint       string      `json:"hint" doc:"The first characters of the secret, to tell keys apart."`
	Scopes     []Scope     `json:"scopes"`
	RateLimits []RateLimit `json:"rate_limits" doc:"How many requests the key may make. All of them hold; if there is none, the server's do."`
	EndUser    *string     `json:"end_user" doc:"The only end user for whom the key acts; null for any, and for the account itself."`
	TeamID     *string     `json:"team_id" doc:"A label. Rota has no teams."`
	CreatedBy  *KeyID      `json:"created_by" doc:"The key that made it; null if the server did."`
	CreatedAt  Instant     `json:"created_at"`
	ExpiresAt  *Instant    `json:"expires_at"`
	RevokedAt  *Instant    `json:"revoked_at"`
	Generation int64       `json:"-"` // counts the secrets that the key has had
}

// AccountPattern is what the name of an account looks like; it has 64 characters at most.
const AccountPattern = `^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`

// KeyCreate is the body that makes a key.
type KeyCreate struct {
	Name       string           `json:"name" minLength:"1" maxLength:"120"`
	Account    Opt[string]      `json:"account,omitzero" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]*$" doc:"Default: the caller's account. Another one needs the scope write:accounts."`
	Scopes     Opt[[]Scope]     `json:"scopes,omitzero" minItems:"1" maxItems:"16" doc:"Default: read and write of agents, responses and conversations, as far as the caller has them. A key cannot give what it does not have."`
	RateLimits Opt[[]RateLimit] `json:"rate_limits,omitzero" maxItems:"4" doc:"How many requests the key may make, in all processes together: each like 600/minute, one for each of second, minute, hour and day. As many may be made at once; they come back evenly over the time. Default: the caller's; if it has none, the server's limits hold."`
	EndUser    Opt[string]      `json:"end_user,omitzero" nullable:"true" minLength:"1" maxLength:"150" doc:"The only end user for whom the key acts. Default: the one for whom the caller acts, or else any."`
	TeamID     Opt[string]      `json:"team_id,omitzero" nullable:"true" maxLength:"120" doc:"A label. Rota has no teams."`
	ExpiresAt  Opt[Instant]     `json:"expires_at,omitzero" nullable:"true" doc:"Default: when the caller's does, or never."`
}

// A NewKey is a key and its secret, which nobody can ask for again.
type NewKey struct {
	Key
	Secret string `json:"secret"`
}
