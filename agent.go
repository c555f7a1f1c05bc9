package rota

import "encoding/json"

// Values of the object field, which names the type of every answer.
const (
	ObjectAgent           = "agent"
	ObjectAgentDeleted    = "agent.deleted"
	ObjectSchedule        = "agent.schedule"
	ObjectScheduleDeleted = "agent.schedule.deleted"
	ObjectRun             = "agent.run"
	ObjectOccurrence      = "schedule.occurrence"
	ObjectKey             = "key"
)

// An Agent is a saved configuration of a model. Source: contract.md, Agents.
type Agent struct {
	Object            string            `json:"object" enum:"agent"`
	ID                AgentID           `json:"id"`
	Name              string            `json:"name"`
	Description       *string           `json:"description"`
	Model             string            `json:"model"` // "provider/model", a bare model of the default provider, or "auto"
	Instructions      *string           `json:"instructions"`
	Tools             []Object          `json:"tools"`       // each with a string type; stored as sent
	ToolChoice        Any               `json:"tool_choice"` // any JSON; default "auto"
	ParallelToolCalls bool              `json:"parallel_tool_calls"`
	MaxToolCalls      *int              `json:"max_tool_calls"` // 1..300
	Text              Object            `json:"text"`
	Reasoning         Object            `json:"reasoning"`
	Metadata          map[string]string `json:"metadata"`
	CreatedAt         Instant           `json:"created_at"`
	UpdatedAt         Instant           `json:"updated_at"`
	DeletedAt         *Instant          `json:"deleted_at"`
	Version           int64             `json:"version" doc:"Counts the changes; also the ETag."`
}

// AgentCreate is the body that saves an agent.
type AgentCreate struct {
	Name              string            `json:"name" minLength:"1" maxLength:"120"`
	Model             string            `json:"model" minLength:"1" maxLength:"256" doc:"provider/model, a model of the default provider, or auto"`
	Description       Opt[string]       `json:"description,omitzero" maxLength:"2000" nullable:"true"`
	Instructions      Opt[string]       `json:"instructions,omitzero" maxLength:"20000" nullable:"true"`
	Tools             []Object          `json:"tools,omitempty" maxItems:"128"`
	ToolChoice        Any               `json:"tool_choice,omitzero" doc:"any JSON; default auto"`
	ParallelToolCalls *bool             `json:"parallel_tool_calls,omitempty" doc:"default true"`
	MaxToolCalls      Opt[int]          `json:"max_tool_calls,omitzero" minimum:"1" maximum:"300" nullable:"true"`
	Text              Object            `json:"text,omitzero"`
	Reasoning         Object            `json:"reasoning,omitzero"`
	Metadata          map[string]string `json:"metadata,omitempty"`
}

// AgentUpdate is the body of a partial update: what is absent stays.
type AgentUpdate struct {
	Name              Opt[string]            `json:"name,omitzero" minLength:"1" maxLength:"120"`
	Model             Opt[string]            `json:"model,omitzero" minLength:"1" maxLength:"256"`
	Description       Opt[string]            `json:"description,omitzero" maxLength:"2000" nullable:"true"`
	Instructions      Opt[string]            `json:"instructions,omitzero" maxLength:"20000" nullable:"true"`
	Tools             Opt[[]Object]          `json:"tools,omitzero" maxItems:"128"`
	ToolChoice        Any                    `json:"tool_choice,omitzero"`
	ParallelToolCalls Opt[bool]              `json:"parallel_tool_calls,omitzero"`
	MaxToolCalls      Opt[int]               `json:"max_tool_calls,omitzero" minimum:"1" maximum:"300" nullable:"true"`
	Text              Object                 `json:"text,omitzero"`
	Reasoning         Object                 `json:"reasoning,omitzero"`
	Metadata          Opt[map[string]string] `json:"metadata,omitzero" doc:"replaces the whole"`
}

// Any is JSON of any shape, kept as it was sent. The zero value is absent and
// is written as null.
type Any struct{ json.RawMessage }

// AnyOf returns v as JSON. It panics if v cannot be marshalled.
func AnyOf(v any) Any {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return Any{b}
}

// IsZero reports whether the value is absent.
func (a Any) IsZero() bool { return a.RawMessage == nil }

// Or returns a, or b if a is absent.
func (a Any) Or(b Any) Any {
	if a.IsZero() {
		return b
	}
	return a
}

// Object is a JSON object, kept as it was sent. The zero value is absent and
// is written as null.
type Object struct{ json.RawMessage }

// IsZero reports whether the value is absent.
func (o Object) IsZero() bool { return o.RawMessage == nil }

// Or returns o, or b if o is absent.
func (o Object) Or(b Object) Object {
	if o.IsZero() {
		return b
	}
	return o
}
