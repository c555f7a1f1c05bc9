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
}
