package rota

import "time"

// A Run is one execution of an agent. Source: contract.md, Runs.
type Run struct {
	Object             string            `json:"object" enum:"agent.run"`
	ID                 RunID             `json:"id"`
	AgentID            AgentID           `json:"agent_id"`
	AgentVersion       int64             `json:"agent_version" doc:"The version of the agent that the run was made with, and runs with."`
	Status             RunStatus         `json:"status" enum:"queued,completed,failed"`
	Input              Input             `json:"input"`
	Conversation       Conversation      `json:"conversation"`
	PreviousResponseID *string           `json:"previous_response_id"`
	ContextManagement  Any               `json:"context_management" doc:"As it was asked for, or null."`
	Metadata           map[string]string `json:"metadata"`
	GatewayResponseID  *string           `json:"gateway_response_id"`
	GatewayResponse    Any               `json:"gateway_response" doc:"The whole response object, or null."`
	Error              *RunError         `json:"error"`
	CreatedAt          Instant           `json:"created_at"`
	CompletedAt        *Instant          `json:"completed_at"`
	ScheduleID         *ScheduleID       `json:"schedule_id"`
	ScheduledFor       *Instant          `json:"scheduled_for" doc:"The nominal time of the occurrence that started the run."`
	Trigger            Trigger           `json:"trigger" enum:"api,schedule,manual,backfill"`
	Phase              Phase             `json:"phase" enum:"queued,running,waiting,completed,failed,cancelled"`
	StartedAt          *Instant          `json:"started_at" doc:"When the last attempt began."`
	Attempts           int               `json:"attempts" doc:"How often the model was asked."`
	Usage              Any               `json:"usage" doc:"The usage object of the response, or null."`
	LatenessMS         *int64            `json:"lateness_ms" doc:"From the nominal time to the first start."`
}

// RunStatus is the state of a run as the published API knows it.
type RunStatus string

const (
	RunQueued    RunStatus = "queued" // it has not ended
	RunCompleted RunStatus = "completed"
	RunFailed    RunStatus = "failed" // also a run that was cancelled
)

// Phase is the state of a run in full.
//
//	queued ──► running ──► completed
//	  ▲          │  │
//	  │          │  └────► failed
//	crash        ▼
//	          waiting ──► running      a failure that a repetition may mend
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
)

// Status returns the phase as the published API knows it.
func (p Phase) Status() RunStatus {
	switch p {
	case PhaseCompleted:
		return RunCompleted
	case PhaseFailed, PhaseCancelled:
		return RunFailed
	default:
		return RunQueued
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
	RunErrIncomplete    = "incomplete"       // the model stopped before its answer was whole
	RunErrAgentDeleted  = "agent_deleted"    // the agent was deleted before the run began
	RunErrPaused        = "schedule_paused"  // the schedule was paused before the run began
	RunErrDeleted       = "schedule_deleted" // the schedule was deleted before the run began
	RunErrEmptyOutput   = "empty_output"     // the answer is empty and no tool was used
	RunErrTooLarge      = "response_too_large"
	RunErrMisconfigured = "misconfigured" // the provider's settings do not work
)

// RunCreate is the body that starts a run.
type RunCreate struct {
	Input              Input             `json:"input"`
	Conversation       Conversation      `json:"conversation,omitzero"`
	PreviousResponseID Opt[string]       `json:"previous_response_id,omitzero" minLength:"1" maxLength:"256" nullable:"true"`
	Metadata           map[string]string `json:"metadata,omitempty"`
}

// Work is a run that its worker is about to start.
type Work struct {
	Run        Run
	Owner      Owner
	Agent      AgentConfig // of the version that the run was made with
	Provider   string      // under which the run was queued
	Policy     Policy      // of the schedule, or the default
	Fire       FireContext
	Failures   int       // attempts that the provider answered with a failure
	ResponseID string    // of an attempt that a crash cut off; empty otherwise
	Blocked    *RunError // why the run must not start; nil if it may
}

// A FireContext is what the run of a schedule may tell its agent of the occurrence
// that started it. What is stored is fixed when the run is created.
type FireContext struct {
	ScheduledFor Instant  `json:"-"` // of a run that no schedule started, its creation
	ScheduleName string   `json:"-"` // as it is when the run starts; empty if there is none
	Timezone     string   `json:"timezone"`
	LastRunAt    *Instant `json:"last_run_at,omitempty"` // of the schedule's run before; nil for the first
	RunCount     int64    `json:"run_count"`             // this run included
}

// At returns the attempt that the work is.
func (w Work) At() Attempt { return Attempt{Run: w.Run.ID, Attempt: w.Run.Attempts} }

// Result is how a run ended.
type Result struct {
	Phase       Phase // completed, failed or cancelled
	ResponseID  string
	Response    Any
	Usage       Any
	Error       *RunError // nil if completed
	Blocked     bool      // the run never started: its agent or schedule was gone or paused
	CompletedAt time.Time
	Attempt     int // the attempt that ends the run; 0: whichever is under way
}

// Settle says what becomes of the timer of a schedule when one of its runs has
// ended. Its decision starts no run. It is pure.
type Settle func(Timer, Result) Decision

// A Finish tells what ending a run did.
type Finish struct {
	Ended bool // the run was open and has ended
	Due   bool // its schedule has something to do at once
}

// Recovered counts what a dead process left behind.
type Recovered struct {
	Resumed int     // runs that go on
	Lost    []RunID // runs that failed with worker_lost
}

// Some reports whether there were any.
func (r Recovered) Some() bool { return r.Resumed > 0 || len(r.Lost) > 0 }
