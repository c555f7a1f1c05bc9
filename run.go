package rota

import (
	"bytes"
	"time"
)

// A Run is one execution of an agent. Source: contract.md, Runs.
type Run struct {
	Object             string            `json:"object" enum:"agent.run"`
	ID                 RunID             `json:"id"`
	AgentID            AgentID           `json:"agent_id"`
	EndUser            *string           `json:"end_user" doc:"The end user whose run it is; null for the account itself."`
	AgentVersion       int64             `json:"agent_version" doc:"The version of the agent that the run was made with, and runs with."`
	Status             RunStatus         `json:"status" enum:"queued,submitting,completed,failed,cancelled,incomplete"`
	Input              Input             `json:"input"`
	Conversation       Conversation      `json:"conversation"`
	PreviousResponseID *string           `json:"previous_response_id"`
	ContextManagement  Any               `json:"context_management" doc:"As it was asked for, or null."`
	Metadata           map[string]string `json:"metadata"`
	GatewayResponseID  *string           `json:"gateway_response_id"`
	GatewayResponse    Any               `json:"gateway_response" doc:"The whole response object, or null."`
	Deferred           int               `json:"-"` // how many bytes of GatewayResponse are still to be read; it is empty then
	Error              *RunError         `json:"error" doc:"Why the run failed; while it waits, why the last attempt did."`
	Reason             *RunError         `json:"reason" doc:"Why a cancelled run was cancelled, else null."`
	CreatedAt          Instant           `json:"created_at"`
	CompletedAt        *Instant          `json:"completed_at"`
	ScheduleID         *ScheduleID       `json:"schedule_id"`
	ScheduleVersion    *int64            `json:"schedule_version" doc:"The version of the schedule whose input the run has; null if a call started it."`
	ScheduledFor       *Instant          `json:"scheduled_for" doc:"The nominal time of the occurrence that started the run."`
	Trigger            Trigger           `json:"trigger" enum:"api,schedule,manual,backfill"`
	Phase              Phase             `json:"phase" enum:"queued,running,waiting,completed,failed,cancelled,incomplete"`
	StartedAt          *Instant          `json:"started_at" doc:"When the first attempt began."`
	ReadyAt            *Instant          `json:"ready_at" doc:"Until when a waiting run waits, else null."`
	Sleep              *Sleep            `json:"sleep" doc:"What a sleeping run waits for; null if it does not sleep."`
	Attempts           []RunAttempt      `json:"attempts" doc:"The calls of models, in their order."`
	Request            *RunRequest       `json:"request,omitempty" doc:"What was sent to the model; null before that. Lists leave it out."`
	Usage              Any               `json:"usage" doc:"The usage object of the response as the provider sent it, or null."`
	Tokens             *Tokens           `json:"tokens" doc:"What all attempts together used; null until the run has ended, and if no provider said."`
	LatenessMS         *int64            `json:"lateness_ms" doc:"From the nominal time to the first start."`
	Acknowledged       *Acknowledgement  `json:"acknowledged" doc:"Who has acknowledged that it failed or is incomplete; null if nobody has."`

	// Attempt is the number of the last attempt that began; 0 before the first.
	Attempt int `json:"-"`

	// Guest says that the agent is not that of the run's owner, but shared with it.
	Guest bool `json:"-"`

	// NoDeltas leaves the events of single tokens out of the run's events.
	NoDeltas bool `json:"-"`
}

// A RunAttempt is one call of a model for a run. A round asks the agent's model
// and then, as long as calls fail before any output, its fallback models in their
// order. Only between rounds is there a wait.
type RunAttempt struct {
	Number       int      `json:"number" doc:"1 is the first."`
	Round        int      `json:"round" doc:"Which round over the model and its fallbacks; 1 is the first."`
	Model        string   `json:"model" doc:"As the agent names it."`
	StartedAt    Instant  `json:"started_at"`
	EndedAt      *Instant `json:"ended_at" doc:"null while it is under way, and if a crash cut it off."`
	Code         *string  `json:"code" doc:"Why it failed; null if it did not."`
	Message      *string  `json:"message" doc:"The same in words."`
	Retryable    bool     `json:"retryable" doc:"The failure is of a kind that another attempt may mend."`
	RetryAfterMS *int64   `json:"retry_after_ms" doc:"How long the provider asked to wait."`
	WaitMS       *int64   `json:"wait_ms" doc:"How long the run waits after it before the next round; null if the next attempt follows at once or there is none. After one in which it fell asleep: how long it was to sleep."`
	Slept        bool     `json:"slept" doc:"The run fell asleep at its end. The next attempt goes on with the same answer, in the same round."`
	Usage        Any      `json:"usage" doc:"The usage object of its response, or null."`
}

// A RunRequest is what was sent to the model: after variables were filled in, and
// under the name that the provider knows the model by.
type RunRequest struct {
	Model        string   `json:"model"`
	Instructions *string  `json:"instructions"`
	Input        Input    `json:"input"`
	NotSent      []string `json:"not_sent" doc:"Fields that were asked for and left out, because the provider does not take them."`
}

// Stored returns the request without what the agent's configuration and the run's
// input say already.
func (q RunRequest) Stored(agent AgentConfig, input Input) RunRequest {
	if q.Instructions != nil && agent.Instructions != nil && *q.Instructions == *agent.Instructions {
		q.Instructions = nil
	}
	if bytes.Equal(q.Input.RawMessage, input.RawMessage) {
		q.Input = Input{}
	}
	return q
}

// Whole returns a stored request with what Stored left out.
func (q RunRequest) Whole(agent AgentConfig, input Input) RunRequest {
	if q.Instructions == nil {
		q.Instructions = agent.Instructions
	}
	if q.Input.IsZero() || string(q.Input.RawMessage) == "null" { // as what is left out comes back from JSON
		q.Input = input
	}
	return q
}

// RunStatus is the state of a run as the published API knows it.
type RunStatus string

const (
	RunQueued     RunStatus = "queued"     // no worker has it yet, or it waits before another attempt
	RunSubmitting RunStatus = "submitting" // a model is being asked
	RunCompleted  RunStatus = "completed"
	RunFailed     RunStatus = "failed"
	RunCancelled  RunStatus = "cancelled"
	RunIncomplete RunStatus = "incomplete" // a limit stopped the model; the response's incomplete_details says which
)

// Phase is the state of a run in full.
//
//	queued ──► running ──► completed
//	  ▲          │  ├────► incomplete
//	  │          │  └────► failed
//	crash        ▼
//	          waiting ──► running      a failure that a repetition may mend, or a sleep
//
// A run that has not ended can become cancelled at any time.
type Phase string

const (
	PhaseQueued    Phase = "queued"
	PhaseRunning   Phase = "running"
	PhaseWaiting   Phase = "waiting"
	PhaseCompleted Phase = "completed"
	PhaseFailed    Phase = "failed"
	PhaseCancelled Phase = "cancelled"

	// PhaseIncomplete is the end of a run whose model was stopped by a limit. Its
	// response counts, and is not asked for again.
	PhaseIncomplete Phase = "incomplete"
)

// Status returns the phase as the published API knows it.
func (p Phase) Status() RunStatus {
	switch p {
	case PhaseQueued, PhaseWaiting:
		return RunQueued
	case PhaseRunning:
		return RunSubmitting
	default:
		return RunStatus(p)
	}
}

// RunError says why a run failed.
type RunError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Codes of RunError that Rota gives; a provider's own codes pass through under
// provider_error with their text in the message. docs/contract.md lists them.
const (
	RunErrCancelled     = "cancelled"        // somebody cancelled it
	RunErrWorkerLost    = "worker_lost"      // the process died, or was cut off, and retry.on_crash is never
	RunErrTimeout       = "timeout"          // timeout_seconds passed
	RunErrIdle          = "idle_timeout"     // the model went silent
	RunErrStreamEnded   = "stream_ended"     // the stream ended before the response did
	RunErrBadResponse   = "bad_response"     // what came back is not a Responses API answer
	RunErrConnection    = "connection_error" // the provider could not be reached
	RunErrRateLimited   = "rate_limited"     // 429
	RunErrProvider      = "provider_error"   // the provider answered 5xx, or with a failed response
	RunErrRejected      = "request_rejected" // the provider answered 4xx: asking again cannot help
	RunErrAgentDeleted  = "agent_deleted"    // the agent was deleted before the run began
	RunErrAgentUnshared = "agent_unshared"   // the agent, which was shared with the run's owner, was made private before the run began
	RunErrPaused        = "schedule_paused"  // the schedule was paused before the run began
	RunErrDeleted       = "schedule_deleted" // the schedule was deleted before the run began
	RunErrEmptyOutput   = "empty_output"     // the answer is empty and no tool was used
	RunErrTooLarge      = "response_too_large"
	RunErrMCPServer     = "mcp_server_error" // an MCP server did not list its tools
	RunErrMisconfigured = "misconfigured"    // the provider's settings do not work
)

// RunCreate is the body that starts a run.
type RunCreate struct {
	Input              Input             `json:"input"`
	Conversation       Conversation      `json:"conversation,omitzero"`
	PreviousResponseID Opt[string]       `json:"previous_response_id,omitzero" minLength:"1" maxLength:"256" nullable:"true"`
	ContextManagement  Opt[Any]          `json:"context_management,omitzero" nullable:"true"`
	Stream             Opt[bool]         `json:"stream,omitzero" nullable:"true" doc:"false leaves the events of single tokens out of the run's events."`
	Metadata           map[string]string `json:"metadata,omitempty"`
}

// RunWakeCreate is the body that wakes a sleeping run.
type RunWakeCreate struct {
	Input Input `json:"input"`
}

// RunWake is the answer to waking a run. Source: contract.md, Runs.
type RunWake struct {
	Object            string `json:"object" enum:"agent.run.wake"`
	RunID             RunID  `json:"run_id"`
	GatewayResponseID string `json:"gateway_response_id"`
	GatewayWake       Object `json:"gateway_wake"`
}

// ResponseWake is the answer to waking a response.
type ResponseWake struct {
	Object     string     `json:"object" enum:"response.sleep_wake"`
	ResponseID ResponseID `json:"response_id"`
	CreatedAt  Instant    `json:"created_at"`
}

// MCPApprovalCreate is the body that decides a tool call for which a run asked
// for approval.
type MCPApprovalCreate struct {
	ApprovalRequestID string      `json:"approval_request_id" minLength:"1" maxLength:"256"`
	Approve           bool        `json:"approve"`
	Reason            Opt[string] `json:"reason,omitzero" maxLength:"2000" nullable:"true"`
}

// MCPApproval is the answer to a decision. Source: contract.md, Runs.
type MCPApproval struct {
	Object            string `json:"object" enum:"agent.run.mcp_approval"`
	ApprovalRequestID string `json:"approval_request_id"`
	Approved          bool   `json:"approved"`
	SourceRunID       RunID  `json:"source_run_id"`
	ContinuationRun   Run    `json:"continuation_run"`
}

// A RunFilter narrows a list of runs. The zero value lets all pass.
type RunFilter struct {
	AgentID    AgentID
	Guest      bool // the agent is shared with the owner, and not its own
	ScheduleID ScheduleID
	Phase      Phase
	ErrorCode  string // of its error or, if it was cancelled, its reason
	Trigger    Trigger
	From, To   time.Time         // created at or after, at or before
	Metadata   map[string]string // all of these
	Q          string            // a part of its input or error; the case of ASCII letters does not count

	// Unseen lets those pass alone that failed or are incomplete and that nobody has
	// acknowledged.
	Unseen bool
	AsOf   time.Time // ended at or before
}

// Work is a run that its worker is about to start.
type Work struct {
	Run        Run // its Attempts are those before this one
	Owner      Owner
	Agent      AgentConfig               // of the version that the run was made with
	Provider   string                    // under which the run was queued
	ReadyAt    time.Time                 // since when it could be claimed
	Functions  map[FunctionToolID]Object // what the agent's function references stood for when the run was made
	Policy     Policy                    // of the schedule, or the default
	Fire       FireContext
	StartedAt  time.Time // of this attempt
	Failures   int       // attempts that the provider answered with a failure
	ResponseID string    // of an attempt that a crash cut off; empty otherwise
	Blocked    *RunError // why the run must not start; nil if it may
	InLine     bool      // it was not started: it waits until its conversation is free

	AgentOwner    Owner          // whose function tools and MCP servers the agent has
	AgentDeleted  bool           // by the time of the claim
	AgentUnshared bool           // at the same time: it is not the run's owner's, and private
	Schedule      ScheduleStatus // at the same time; empty of a run that no schedule started

	// Deferred is how many bytes of input, tools and functions are still to be read:
	// runs may wait for memory, and must not use it meanwhile. Zero if they are here.
	Deferred int

	// Steps is how many steps of the run's tool loop are on record.
	Steps int
}

// maxWaiting is how many bytes a run may have in memory while it waits for more.
const maxWaiting = 64 << 10

// Light returns the work without its large parts, if it has any.
func (w Work) Light() Work {
	size := len(w.Run.Input.RawMessage)
	for _, t := range w.Agent.Tools {
		size += len(t.RawMessage)
	}
	for _, f := range w.Functions {
		size += len(f.RawMessage)
	}
	if size > maxWaiting {
		w.Run.Input, w.Agent.Tools, w.Functions, w.Deferred = Input{}, nil, nil, size
	}
	return w
}

// A WorkRest is what Light leaves out of a Work.
type WorkRest struct {
	Input     Input
	Tools     []Object
	Functions map[FunctionToolID]Object
}

// Remembers reports whether the run goes on from something, and is gone on from.
func (r Run) Remembers() bool { return r.PreviousResponseID != nil || !r.Conversation.IsZero() }

// Whole returns the work with what Light has left out.
func (w Work) Whole(r WorkRest) Work {
	w.Run.Input, w.Agent.Tools, w.Functions, w.Deferred = r.Input, r.Tools, r.Functions, 0
	return w
}

// A Claim asks for runs that wait under a provider. Their owners take turns: the
// first turn is that of the owner after the one who had the last, in the order of
// account and end user, and each turn is one run, the longest waiting.
type Claim struct {
	Provider string
	Limit    int
	After    Owner            // who had the last turn; zero if nobody had
	May      func(Owner) bool // says whether an owner may start one more run; nil: everybody may
	Took     func(Owner)      // is told of each run that is claimed; may be nil
	MayStart MayStart
}

// MayStart says why a run that is claimed must not start; nil if it may. It is pure. A
// nil MayStart lets all start.
type MayStart func(Work) *RunError

// A CutOff is a run that a dead process left running.
type CutOff struct {
	Run      RunID
	Policy   Policy       // of its schedule, or the default
	Attempts []RunAttempt // those before the last
}

// Lost says how a run ends that is cut off, and false if it is started again. It is
// pure.
type Lost func(c CutOff, now time.Time) (Result, bool)

// A FireContext is what the run of a schedule may tell its agent of the occurrence
// that started it. What is stored is fixed when the run is created.
type FireContext struct {
	ScheduledFor Instant  `json:"-"` // of a run that no schedule started, its creation
	ScheduleName string   `json:"-"` // as it is when the run starts; empty if there is none
	EndUser      string   `json:"-"` // whose run it is; empty for the account itself
	Timezone     string   `json:"timezone"`
	LastRunAt    *Instant `json:"last_run_at,omitempty"` // of the schedule's run before; nil for the first
	RunCount     int64    `json:"run_count"`             // this run included
}

// At returns the attempt that the work is.
func (w Work) At() Attempt { return Attempt{Run: w.Run.ID, Attempt: w.Run.Attempt} }

// Model returns the model that the attempt asks, as the agent names it.
func (w Work) Model() string {
	_, model := NextAttempt(w.Run.Attempts)
	if model = min(model, len(w.Agent.FallbackModels)); model > 0 {
		return w.Agent.FallbackModels[model-1]
	}
	return w.Agent.Model
}

// WithLastAttempt returns the run with what its stored form leaves out of
// Attempts, Error and Reason: an attempt that is under way, that a crash cut off,
// or that alone brought the answer is not in the stored list.
func (r Run) WithLastAttempt(model string, started time.Time) Run {
	if r.Attempts == nil {
		r.Attempts = []RunAttempt{}
	}
	if r.Attempt > len(r.Attempts) {
		round, _ := NextAttempt(r.Attempts)
		a := RunAttempt{Number: r.Attempt, Round: round, Model: model, StartedAt: InstantOf(started), Usage: AnyOf(nil)}
		switch {
		case r.CompletedAt != nil:
			a.StartedAt, a.EndedAt, a.Usage = *r.StartedAt, r.CompletedAt, r.Usage.Or(AnyOf(nil))
		case r.Phase != PhaseRunning:
			lost := RunError{Code: RunErrWorkerLost, Message: "the worker was lost during this attempt"}
			a.Code, a.Message, a.Retryable = &lost.Code, &lost.Message, true
		}
		r.Attempts = append(r.Attempts, a)
	}
	if n := len(r.Attempts); n > 0 && r.Phase == PhaseWaiting && r.Attempts[n-1].Code != nil {
		r.Error = &RunError{Code: *r.Attempts[n-1].Code, Message: *r.Attempts[n-1].Message}
	}
	if r.Phase == PhaseCancelled {
		r.Error, r.Reason = nil, r.Error
	}
	return r
}

// NextAttempt returns the place of the attempt that follows done: its round (1
// is the first), and which model it asks (0 is the agent's own, 1 its first
// fallback). An attempt that a crash cut off is made again at its place, and one in which
// the run fell asleep is gone on with there.
func NextAttempt(done []RunAttempt) (round, model int) {
	round = 1
	for _, a := range done {
		switch {
		case a.EndedAt == nil, a.Slept:
		case a.WaitMS != nil:
			round, model = round+1, 0
		default:
			model++
		}
	}
	return round, model
}

// A Delay says how a run goes on after an attempt that failed.
type Delay struct {
	Owner    Owner // whose run it is
	Attempt  Attempt
	Attempts []RunAttempt // all so far, this one included
	Provider string       // that serves the model of the next attempt
	Until    time.Time    // when the next attempt may begin
	Answered bool         // the provider answered this one with a failure
	Response Any          // what had come of the answer, as a response object; null if nothing had
}

// Result is how a run ended.
type Result struct {
	Phase       Phase // completed, failed, cancelled or incomplete
	ResponseID  string
	Response    Any
	Usage       Any
	Tokens      *Tokens     // what all attempts used; nil if nothing is known
	Error       *RunError   // why it failed or was cancelled; else nil
	Blocked     bool        // the run never started: its agent or schedule was gone or paused
	Occurrence  *Occurrence // of a run that is blocked, as it is on record: the store fills it in
	CompletedAt time.Time
	Attempt     int         // the attempt that ends the run; 0: whichever is under way
	Last        *RunAttempt // that attempt with its end; nil if nobody knows more of it than the rest of Result says
	Request     *RunRequest // what the last attempt asked; nil if it is not known
	Approvals   []Approval  // calls that need one
	Turn        *RunTurn    // what others may go on from; nil of a run that keeps none
}

// Settle says what becomes of the timer of a schedule when one of its runs has
// ended. Its decision starts no run. It is pure.
type Settle func(Timer, Result) Decision

// A Finish tells what ending a run did.
type Finish struct {
	Ended bool // the run was open and has ended
	Due   bool // its schedule has something to do at once

	// Paused says that the end of the run has paused its schedule; nil if it has not.
	Paused *Paused
}

// Paused is a schedule that Rota has paused, not a caller.
type Paused struct {
	Schedule ScheduleID
	Owner    Owner
	Reason   PauseReason
}

// PausedBy returns the schedule if a decision on its timer has paused it, else nil.
func PausedBy(before, after Timer) *Paused {
	if before.Status != ScheduleActive || after.Status != SchedulePaused {
		return nil
	}
	return &Paused{Schedule: after.ScheduleID, Owner: after.Owner, Reason: *after.PauseReason}
}

// A WaitingRun is a run that waits in the queue: to start, or to be tried again.
type WaitingRun struct {
	ID       RunID
	ReadyAt  time.Time    // before which it does not start
	Attempts []RunAttempt // so far
}

// Recovered counts what a dead process left behind.
type Recovered struct {
	Resumed int     // runs that go on
	Lost    []RunID // runs that failed with worker_lost
	Paused  []Paused
}

// Some reports whether there were any.
func (r Recovered) Some() bool { return r.Resumed > 0 || len(r.Lost) > 0 }
