package rota

// A FunctionTool is the definition of a function that several agents can refer to.
// Source: contract.md, Agents.
type FunctionTool struct {
	Object     string             `json:"object" enum:"agent.function_tool"`
	ID         FunctionToolID     `json:"id"`
	Definition FunctionDefinition `json:"definition"`
	CreatedAt  Instant            `json:"created_at"`
	UpdatedAt  Instant            `json:"updated_at"`
	Version    int64              `json:"version" doc:"Counts the changes; also the ETag."`

	WebhookSecret string `json:"webhook_secret,omitempty" doc:"What the calls of the webhook are signed with, by Standard Webhooks; in the answers to create and update of a function that has one, and in no others."`
}

// A FunctionDefinition says how a model calls a function. It is the body that
// saves a function tool, and that replaces its definition.
type FunctionDefinition struct {
	Type         string      `json:"type" enum:"function"`
	Name         string      `json:"name" minLength:"1" maxLength:"128" pattern:"^[A-Za-z0-9_-]+$"`
	Parameters   Object      `json:"parameters" doc:"A JSON Schema of an object."`
	Description  Opt[string] `json:"description,omitzero" maxLength:"20000" nullable:"true"`
	Strict       Opt[bool]   `json:"strict,omitzero" nullable:"true"`
	DeferLoading Opt[bool]   `json:"defer_loading,omitzero" nullable:"true"`

	WebhookURL     Opt[string] `json:"webhook_url,omitzero" minLength:"1" maxLength:"2048" nullable:"true" doc:"Where Rota calls the function when a model asks for it, http or https. Without one, the call is the caller's to make."`
	WebhookTimeout Opt[int]    `json:"webhook_timeout_seconds,omitzero" minimum:"1" maximum:"600" nullable:"true" doc:"How long a call of the webhook may take; 30 if it is not said."`
	Idempotent     Opt[bool]   `json:"idempotent,omitzero" nullable:"true" doc:"Calling it twice does what calling it once does: a call that a crash has cut off is made again. Else the model is told that its outcome is unknown."`
}

// WebhookPurpose names the secret that the calls of a function are signed with, among
// those that the server derives from its own: each function has another.
func WebhookPurpose(o Owner, id FunctionToolID) string {
	return "webhook of a function\x00" + o.Account + "\x00" + o.EndUser + "\x00" + string(id)
}
