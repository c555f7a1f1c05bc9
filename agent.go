package rota

import (
	"encoding/json"
	"slices"
)

// Values of the object field, which names the type of every answer.
const (
	ObjectAgent           = "agent"
	ObjectAgentDeleted    = "agent.deleted"
	ObjectAgentVersion    = "agent.version"
	ObjectFunctionTool    = "agent.function_tool"
	ObjectFunctionDeleted = "agent.function_tool.deleted"
	ObjectSchedule        = "agent.schedule"
	ObjectScheduleDeleted = "agent.schedule.deleted"
	ObjectRun             = "agent.run"
	ObjectRunWake         = "agent.run.wake"
	ObjectResponseWake    = "response.sleep_wake"
	ObjectMCPApproval     = "agent.run.mcp_approval"
	ObjectOccurrence      = "schedule.occurrence"
	ObjectKey             = "key"
	ObjectSigningKey      = "signing_key"
)

// An AgentConfig is what an agent does: the part of it that its versions keep.
type AgentConfig struct {
	Name              string            `json:"name"`
	Description       *string           `json:"description"`
	Model             string            `json:"model"` // "provider/model", a bare model of the default provider, "auto" or "echo"
	Instructions      *string           `json:"instructions"`
	Tools             []Object          `json:"tools"`       // each with a string type; stored as sent
	ToolChoice        Any               `json:"tool_choice"` // any JSON; default "auto"
	ParallelToolCalls bool              `json:"parallel_tool_calls"`
	MaxToolCalls      *int              `json:"max_tool_calls"` // 1..300
	FallbackModels    []string          `json:"fallback_models" doc:"Models that are asked, in this order, when a call to the one before fails."`
	Text              Object            `json:"text" nullable:"true"`
	Reasoning         Object            `json:"reasoning" nullable:"true"`
	Metadata          map[string]string `json:"metadata"`
}

// An Agent is a saved configuration of a model. Source: contract.md, Agents.
type Agent struct {
	Object string  `json:"object" enum:"agent"`
	ID     AgentID `json:"id"`
	Key    *string `json:"key" doc:"The caller's own name for it, unique among the caller's agents."`
	AgentConfig
	EndUser             *string    `json:"end_user" doc:"The end user whose agent it is; null for the account itself."`
	Visibility          Visibility `json:"visibility" enum:"private,workspace" doc:"workspace: shared with the end users of the account, who can run it and not change it."`
	Version             int64      `json:"version" doc:"Counts the configurations that the agent has had; also the ETag."`
	CreatedAt           Instant    `json:"created_at"`
	UpdatedAt           Instant    `json:"updated_at"`
	DeletedAt           *Instant   `json:"deleted_at"`
	RetentionExpiresAt  *Instant   `json:"retention_expires_at" doc:"Until when a deleted agent can be restored."`
	WithinRestoreWindow bool       `json:"within_restore_window" doc:"Whether it is deleted and that time has not come."`
	CanRestore          bool       `json:"can_restore" doc:"Whether the caller may restore it now."`
	Warnings            []Warning  `json:"warnings,omitzero" doc:"What may not be what was meant; in the answers to create and update, and in no others."`
}

// A Visibility says who sees an agent or a memory store besides its owner. Of an agent it
// is not a part of its configuration: a change makes no version.
type Visibility string

const (
	Private   Visibility = "private"   // nobody
	Workspace Visibility = "workspace" // the end users of the account, who cannot change it
)

// An AgentFilter narrows a list of agents. The zero value lets those pass that are not
// deleted.
type AgentFilter struct {
	Shared   bool              // with those that are shared with the owner and not deleted
	Deleted  bool              // those that are deleted in place of the others
	Name     string            // the whole name
	Metadata map[string]string // all of these
	Q        string            // a part of its name, description, key, model or instructions; the case of ASCII letters does not count
}

// AgentTools returns the agents that the configuration has as tools.
func (c AgentConfig) AgentTools() []AgentID {
	return named[AgentID](c.Tools, "agent", func(t toolReference) string { return t.AgentID })
}

// RawTools returns the tools as they were sent.
func (c AgentConfig) RawTools() []json.RawMessage {
	raw := make([]json.RawMessage, len(c.Tools))
	for i, t := range c.Tools {
		raw[i] = t.RawMessage
	}
	return raw
}

// FunctionReferences returns the function tools that the configuration refers to.
func (c AgentConfig) FunctionReferences() []FunctionToolID {
	return named[FunctionToolID](c.Tools, ToolFunctionReference, func(t toolReference) string { return t.FunctionToolID })
}

// ToolFunctionReference is the type of a tool that stands for a function tool.
const ToolFunctionReference = "function_reference"

// A toolReference is the part of a tool that can name something else.
type toolReference struct {
	Type           string `json:"type"`
	AgentID        string `json:"agent_id"`
	FunctionToolID string `json:"function_tool_id"`
}

// named returns what the tools of a type name, each once, in order.
func named[ID ~string](tools []Object, kind string, id func(toolReference) string) []ID {
	var ids []ID
	for _, t := range tools {
		var r toolReference
		if json.Unmarshal(t.RawMessage, &r) == nil && r.Type == kind && id(r) != "" && !slices.Contains(ids, ID(id(r))) {
			ids = append(ids, ID(id(r)))
		}
	}
	return ids
}

// An AgentVersion is a configuration that an agent has, or has had. It never
// changes.
type AgentVersion struct {
	Object              string         `json:"object" enum:"agent.version"`
	ID                  AgentVersionID `json:"id"`
	AgentID             AgentID        `json:"agent_id"`
	Version             int64          `json:"version"` // 1 is the first
	IsCurrent           bool           `json:"is_current"`
	RestoredFromVersion *int64         `json:"restored_from_version" doc:"The version that it is a copy of, after a rollback."`
	AgentConfig
	CreatedAt Instant `json:"created_at"`
}

// AgentCreate is the body that saves an agent.
type AgentCreate struct {
	Key               Opt[string]       `json:"key,omitzero" minLength:"1" maxLength:"120" pattern:"^([!-\\-/-~]|[!-~][ -~]*[!-\\-/-~])$" nullable:"true" doc:"A name of yours, by which put_agent finds it again; unique among your agents."`
	Name              string            `json:"name" minLength:"1" maxLength:"120"`
	Model             string            `json:"model" minLength:"1" maxLength:"256" doc:"provider/model, a model of the default provider, or auto"`
	Description       Opt[string]       `json:"description,omitzero" maxLength:"2000" nullable:"true"`
	Instructions      Opt[string]       `json:"instructions,omitzero" maxLength:"20000" nullable:"true"`
	Tools             []Object          `json:"tools,omitempty" maxItems:"128"`
	ToolChoice        Any               `json:"tool_choice,omitzero" doc:"any JSON; default auto"`
	ParallelToolCalls *bool             `json:"parallel_tool_calls,omitempty" doc:"default true"`
	MaxToolCalls      Opt[int]          `json:"max_tool_calls,omitzero" minimum:"1" maximum:"300" nullable:"true"`
	FallbackModels    []string          `json:"fallback_models,omitempty" maxItems:"16"`
	Text              Opt[Object]       `json:"text,omitzero" nullable:"true"`
	Reasoning         Opt[Object]       `json:"reasoning,omitzero" nullable:"true"`
	Metadata          map[string]string `json:"metadata,omitempty"`
	Visibility        Opt[Visibility]   `json:"visibility,omitzero" enum:"private,workspace" doc:"workspace: shared with the end users of the account, who can run it and not change it. Default private."`
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
	FallbackModels    Opt[[]string]          `json:"fallback_models,omitzero" maxItems:"16"`
	Text              Opt[Object]            `json:"text,omitzero" nullable:"true"`
	Reasoning         Opt[Object]            `json:"reasoning,omitzero" nullable:"true"`
	Metadata          Opt[map[string]string] `json:"metadata,omitzero" doc:"replaces the whole"`
	Visibility        Opt[Visibility]        `json:"visibility,omitzero" enum:"private,workspace" doc:"Makes no version. private: the schedules of end users are paused."`
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

// UnmarshalJSON keeps an object as it is; null is absent.
func (o *Object) UnmarshalJSON(b []byte) error {
	o.RawMessage = nil
	if string(b) == "null" {
		return nil
	}
	return o.RawMessage.UnmarshalJSON(b)
}
