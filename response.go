package rota

import (
	"encoding/json"
	"time"
)

// A ResponseStatus is the state of a response, in the words of the Responses API.
type ResponseStatus string

// The states of a response. The last four are final.
const (
	ResponseQueued     ResponseStatus = "queued"
	ResponseInProgress ResponseStatus = "in_progress"
	ResponseCompleted  ResponseStatus = "completed"
	ResponseIncomplete ResponseStatus = "incomplete"
	ResponseFailed     ResponseStatus = "failed"
	ResponseCancelled  ResponseStatus = "cancelled"
)

// Ended reports whether the state is final.
func (s ResponseStatus) Ended() bool { return s != ResponseQueued && s != ResponseInProgress }

// Continues reports whether another response may go on where one in this state ended.
func (s ResponseStatus) Continues() bool { return s == ResponseCompleted || s == ResponseIncomplete }

// A ResponseRecord is a response of the Responses API, as it is kept. Its items are
// kept beside it.
type ResponseRecord struct {
	ID           ResponseID
	Owner        Owner
	Status       ResponseStatus
	Background   bool
	Model        string // as the caller has named it
	Provider     string // that is asked, or was asked last
	Previous     *ResponseID
	Conversation *ConversationID
	Agent        AgentID // whose run asked; empty if a caller did
	CreatedAt    Instant
	EndedAt      *Instant
	Request      json.RawMessage // as it came, without its input
	Object       json.RawMessage // the response object, without its output
	Shape        []byte          // of its stream, for a replay; nil if there is none
	NotSent      []string        // members of the request that the provider was not sent
	Usage        Any             // as the provider has sent it
	Error        *RunError       // in the words of a run's
	Output       json.RawMessage // an array of items
	Sleep        *Sleep          // nil if it does not sleep
}

// An ItemRecord is an item of a response or a conversation, as it came.
type ItemRecord struct {
	ID       string // its own, or made for it
	Response *ResponseID
	Output   bool // it came from a model
	Raw      json.RawMessage
}

// A Turn is what one response has added to what came before it, or items that a caller
// has put into a conversation.
type Turn struct {
	Response      ResponseID // empty for items of a caller
	Input, Output []ItemRecord
}

// A RunTurn is what a run adds to its conversation, or to a chain of responses. The
// response has ended, and has no output but that of the turn.
type RunTurn struct {
	Response ResponseRecord
	Tokens   *Tokens
	Turn
}

// A ConversationRecord is a conversation, as it is kept.
type ConversationRecord struct {
	ID        ConversationID
	Owner     Owner
	Metadata  map[string]string
	CreatedAt Instant
	UpdatedAt Instant
	DeletedAt *Instant
	Items     int64   // how many it has had
	Busy      string  // the response or run that holds it; empty if none does
	Agent     AgentID // for whose runs it was made; empty if a caller made it
}

// A ResponseStep is something that happened on the way to a response's end.
type ResponseStep struct {
	Number int       `json:"-"` // from 1
	Kind   StepKind  `json:"-"`
	At     time.Time `json:"-"`

	Provider   string   `json:"provider,omitempty"`    // that is asked
	Model      string   `json:"model,omitempty"`       // its name there
	Key        string   `json:"key,omitempty"`         // the Idempotency-Key of the question
	ResponseID string   `json:"response_id,omitempty"` // what the provider calls its answer
	Items      int      `json:"items,omitempty"`       // how many items it had
	Usage      Any      `json:"usage,omitzero"`
	Code       string   `json:"code,omitempty"` // of a failure, in the words of a run's
	Message    string   `json:"message,omitempty"`
	NotSent    []string `json:"not_sent,omitempty"`

	Output  []json.RawMessage `json:"output,omitempty"`  // the items of an answer that asks for calls
	Call    int               `json:"call,omitempty"`    // which of the answer's calls; 1 is the first
	Tool    string            `json:"tool,omitempty"`    // that is called; the server that has listed its tools
	Result  *string           `json:"result,omitempty"`  // what the model is told of it; the tools, as JSON
	Attempt int               `json:"attempt,omitempty"` // of a run, in which it happened
	Until   *Instant          `json:"until,omitempty"`   // to when a call of sleep sleeps
}

// A StepKind says what a step is.
type StepKind string

// The kinds of steps.
const (
	StepListed   StepKind = "listed"   // an MCP server has listed its tools
	StepAsked    StepKind = "asked"    // a model is asked; written before it is
	StepItems    StepKind = "items"    // it has answered
	StepApproved StepKind = "approved" // somebody has approved calls
	StepFailed   StepKind = "failed"   // it has not
	StepCalled   StepKind = "called"   // a tool is called; written before it is
	StepResult   StepKind = "result"   // that is what came of it
	StepEnd      StepKind = "end"
)

// A ResponseEnd is how a response has ended.
type ResponseEnd struct {
	ID       ResponseID
	Worker   string // that worked on it; empty for whoever did
	Inputs   int    // how many items went in
	Status   ResponseStatus
	At       time.Time
	Object   json.RawMessage // without its output
	Output   []ItemRecord
	Shape    []byte
	Provider string
	NotSent  []string
	Usage    Any
	Tokens   *Tokens
	Error    *RunError
	Steps    []ResponseStep // those that are not on record yet

	Approvals []Approval // calls that need one
}

// A Lease is the time for which a process has a response to itself.
type Lease struct {
	Worker string // the process; empty for none
	Until  time.Time
}

// An OpenResponse is a response that waits for a process.
type OpenResponse struct {
	ID         ResponseID
	Owner      Owner
	Model      string
	Background bool
	Orphan     bool // a process has worked on it and is gone
}

// ResponseTurns is how owners take turns for workers that work on background responses.
type ResponseTurns struct {
	Limit int   // how many are taken at most
	After Owner // who had the last turn

	// Load is told what all workers have, but for what this process has in the
	// background.
	Load func(map[OwnerAt]int)

	// May reports whether an owner may have another worker at some provider, and Take
	// whether a response may have one: then it is taken, at the provider.
	May  func(Owner) bool
	Take func(OpenResponse) (provider string, ok bool)
}

// ResponseWork is a response that is to be worked on.
type ResponseWork struct {
	ResponseRecord
	Input []ItemRecord
	Turns []Turn         // what came before, the oldest first
	Steps []ResponseStep // on record
	Kept  bool           // it is on record, and its end must be
	Lost  bool           // whoever waited for it has gone with the process that worked on it
}
