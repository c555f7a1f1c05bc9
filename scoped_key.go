package rota

// ScopedKey is a key as the published API shows it.
type ScopedKey struct {
	ID                  string  `json:"id"`
	UserID              string  `json:"userId" doc:"The end user to whom the key is bound, or else the account."`
	UserType            string  `json:"userType" enum:"user,service-account" doc:"service-account if the key is bound to an end user."`
	OrgID               *string `json:"orgId" doc:"The account."`
	TeamID              *string `json:"teamId" doc:"As it was sent. Rota has no teams."`
	Scopes              []Scope `json:"scopes"`
	Name                string  `json:"name"`
	Key                 string  `json:"key,omitempty" doc:"The secret, in the answer that makes it."`
	Prefix              string  `json:"prefix"`
	Start               string  `json:"start" doc:"The first characters of the secret."`
	RateLimitEnabled    bool    `json:"rateLimitEnabled"`
	RateLimitTimeWindow *int64  `json:"rateLimitTimeWindow" doc:"Milliseconds. Of several limits, the first."`
	RateLimitMax        *int64  `json:"rateLimitMax"`
	ExpiresAt           *string `json:"expiresAt"`
}

// ScopedKeySecret is a key with a new secret.
type ScopedKeySecret struct {
	ID    string `json:"id"`
	Key   string `json:"key" doc:"The secret. It is not shown again."`
	Start string `json:"start"`
}

// ScopedKeyDeleted confirms that a key was revoked.
type ScopedKeyDeleted struct {
	ID      string `json:"id"`
	Deleted bool   `json:"deleted"`
}

// ScopedKeyCreate is the body that makes a key.
type ScopedKeyCreate struct {
	Name       string        `json:"name" minLength:"1" maxLength:"120"`
	TeamID     string        `json:"teamId" maxLength:"120" doc:"Kept and shown. Rota has no teams."`
	Scopes     []Scope       `json:"scopes" minItems:"1" maxItems:"16"`
	ExpiresIn  Opt[float64]  `json:"expiresIn,omitzero" nullable:"true" minimum:"1" maximum:"3153600000" doc:"Seconds. Default: until the key is revoked."`
	OnBehalfOf Opt[Delegate] `json:"onBehalfOf,omitzero" nullable:"true" doc:"The end user to whom the key is bound. Default: the one for whom the request is."`
	ScopedKeyLimit
}

// ScopedKeyLimit is the part of a body that limits a key's requests.
type ScopedKeyLimit struct {
	RateLimitEnabled    Opt[bool]    `json:"rateLimitEnabled,omitzero" nullable:"true" doc:"Whether the two that follow hold. Default: false."`
	RateLimitTimeWindow Opt[float64] `json:"rateLimitTimeWindow,omitzero" nullable:"true" doc:"Milliseconds: 1000, 60000, 3600000 or 86400000."`
	RateLimitMax        Opt[float64] `json:"rateLimitMax,omitzero" nullable:"true" minimum:"1" maximum:"999999" doc:"Requests in the window."`
}

// Delegate is the user for whom a key acts.
type Delegate struct {
	ServiceAccountID string `json:"serviceAccountId" minLength:"1" maxLength:"150" doc:"The end user."`
	UserType         string `json:"userType" enum:"service-account"`
}

// ScopedKeyUpdate is the body that changes a key.
type ScopedKeyUpdate struct {
	KeyID     KeyID        `json:"keyId" minLength:"1" maxLength:"64"`
	Scopes    []Scope      `json:"scopes" minItems:"1" maxItems:"16"`
	Name      Opt[string]  `json:"name,omitzero" nullable:"true" minLength:"1" maxLength:"120"`
	ExpiresAt Opt[Instant] `json:"expiresAt,omitzero" nullable:"true" doc:"Null: until the key is revoked."`
	ScopedKeyLimit
}

// ScopedKeyID is a body that names a key.
type ScopedKeyID struct {
	KeyID KeyID `json:"keyId" minLength:"1" maxLength:"64"`
}
