package rota

import (
	"encoding/json"
	"time"
)

// A Schedule runs an agent at the times of its Spec. Source: contract.md,
// Schedules.
type Schedule struct {
	Object              string            `json:"object" enum:"agent.schedule"`
	ID                  ScheduleID        `json:"id"`
	AgentID             AgentID           `json:"agent_id"`
	Key                 *string           `json:"key" doc:"The caller's own name for it, unique among the agent's schedules."`
	Name                *string           `json:"name"`
	Description         *string           `json:"description"`
	Status              ScheduleStatus    `json:"status" enum:"active,paused,completed,deleted"`
	Spec                Spec              `json:"schedule"`
	Input               Input             `json:"input"`
	Conversation        Conversation      `json:"conversation"`
	PreviousResponseID  *string           `json:"previous_response_id"`
	ContextManagement   Any               `json:"context_management"`
	Metadata            map[string]string `json:"metadata"`
	TemporalScheduleID  *string           `json:"temporal_schedule_id"`
	LastRunAt           *Instant          `json:"last_run_at"`
	LastRunID           *RunID            `json:"last_run_id"`
	RunCount            int64             `json:"run_count" doc:"Runs that this schedule has started."`
	CreatedAt           Instant           `json:"created_at"`
	UpdatedAt           Instant           `json:"updated_at"`
	DeletedAt           *Instant          `json:"deleted_at"`
	NextRunAt           *Instant          `json:"next_run_at" doc:"The next nominal time; null unless the schedule is active."`
	StartsAt            *Instant          `json:"starts_at" doc:"When the run of next_run_at is to start: after its jitter. Null if there is no next time, or while another occurrence must start before."`
	RemainingRuns       *int64            `json:"remaining_runs" doc:"How many runs max_runs leaves; null without max_runs."`
	Recent              []Occurrence      `json:"recent,omitzero" doc:"The last ten occurrences, the newest first; only if expand has recent."`
	Policy              Policy            `json:"policy"`
	PauseReason         *PauseReason      `json:"pause_reason"`
	ConsecutiveFailures int               `json:"consecutive_failures" doc:"Runs that failed since the last one that completed."`
	Skips               []Instant         `json:"skips" doc:"Nominal times ahead that somebody asked to skip."`
	Version             int64             `json:"version" doc:"Counts the changes that callers make (not the runs); also the ETag."`
	AgentVersion        *int64            `json:"agent_version" doc:"The version of the agent that the schedule's runs have; null for the one that the agent has when a run is made."`
	ScheduleVersion     int64             `json:"schedule_version" doc:"Counts the changes of what fires, and no pauses, skips or runs; 1 is the first."`
	Warnings            []Warning         `json:"warnings,omitzero" doc:"What may not be what was meant; in the answers to create and update, and in no others."`
	EndUser             *string           `json:"end_user" doc:"The end user whose schedule it is; null for the account itself."`
	Origin              *Origin           `json:"origin" doc:"The run whose agent has planned the schedule itself, by the tool schedule; null if a caller has made it."`
	MadeBy              KeyID             `json:"-"` // the key that made it
	VersionedAt         Instant           `json:"-"` // since when it has its ScheduleVersion
}

// An Origin is where a schedule comes from that an agent has planned itself.
type Origin struct {
	AgentID AgentID `json:"agent_id"`
	RunID   RunID   `json:"run_id"`
	CallID  string  `json:"call_id" doc:"Names the call among those of the run."`
}

// ScheduleStatus is the state of a schedule.
//
//	create ──► active ──pause──► paused
//	             │  ◄──resume──────┘
//	             │ the last time has passed, end_at or max_runs is reached
//	             ▼
//	         completed ──update with a future time──► active
//
// Every state can become deleted, which is final.
type ScheduleStatus string

const (
	ScheduleActive    ScheduleStatus = "active"
	SchedulePaused    ScheduleStatus = "paused"
	ScheduleCompleted ScheduleStatus = "completed"
	ScheduleDeleted   ScheduleStatus = "deleted"
)

// PauseReason says why a schedule is paused, and who paused it.
type PauseReason struct {
	Code  PauseCode `json:"code" enum:"manual,failures,key_revoked,agent_deleted,agent_unshared"`
	Actor *string   `json:"actor" doc:"The id of the key that paused it; null when Rota did."`
	Note  *string   `json:"note"`
	At    Instant   `json:"at"`
}

// PauseCode says why a schedule is paused.
type PauseCode string

const (
	PausedManually    PauseCode = "manual"         // somebody asked for it
	PausedByFailures  PauseCode = "failures"       // pause_after_failures was reached
	PausedByKey       PauseCode = "key_revoked"    // the key that made it was revoked
	PausedByDeletion  PauseCode = "agent_deleted"  // its agent was deleted; it may have been restored since
	PausedByUnsharing PauseCode = "agent_unshared" // its agent, which was shared with its owner, was made private; it may be shared again since
)

// A Spec is the time part of a schedule, a union by Type. Only the fields of
// its type are set.
type Spec struct {
	Type            SpecType `json:"type"`
	RunAt           string   `json:"run_at,omitempty"`           // once: RFC 3339; without an offset, wall-clock time in Timezone. Answers are in UTC.
	IntervalSeconds int64    `json:"interval_seconds,omitempty"` // interval: 1..MaxIntervalSeconds
	StartAt         string   `json:"start_at,omitempty"`         // interval: a time that it is counted from, in the forms of RunAt; empty means from when the spec was set
	CronExpression  string   `json:"cron_expression,omitempty"`  // cron: five fields or a descriptor such as @daily
	Timezone        string   `json:"timezone,omitempty"`         // IANA name; empty means UTC. Answers always have it.
}

// SpecType says how a Spec gives times.
type SpecType string

const (
	Once     SpecType = "once"
	Interval SpecType = "interval"
	Cron     SpecType = "cron"
)

// MaxIntervalSeconds is the longest interval: 366 days.
const MaxIntervalSeconds = 31_622_400

// Input is what a run starts with: a string, or an array of items.
type Input struct{ Any }

// InputText returns an input that is a string.
func InputText(s string) Input { return Input{AnyOf(s)} }

// Conversation is the conversation that runs join: null, an id, or an object with an
// id, kept as it was sent. An object without an id asks for a new one, which takes its
// place.
type Conversation struct{ Any }

// ConversationOf returns a conversation as a schedule or a run names it.
func ConversationOf(id ConversationID) Conversation {
	return Conversation{AnyOf(map[string]ConversationID{"id": id})}
}

// ID returns the id of the conversation, or "" if none is named.
func (c Conversation) ID() ConversationID {
	var id ConversationID
	if json.Unmarshal(c.RawMessage, &id) == nil {
		return id
	}
	var object struct {
		ID ConversationID `json:"id"`
	}
	_ = json.Unmarshal(c.RawMessage, &object) // it may be absent
	return object.ID
}

// New reports whether a conversation of its own is asked for.
func (c Conversation) New() bool {
	return len(c.RawMessage) > 0 && c.RawMessage[0] == '{' && c.ID() == ""
}

// KeyPattern is what the key of an agent or a schedule looks like: printable ASCII
// characters, MaxKey at most, without a space at either end and without a dot at the
// end, so that it can stand in a path.
const (
	KeyPattern = `^([!-\-/-~]|[!-~][ -~]*[!-\-/-~])$`
	MaxKey     = 120
)

// ScheduleCreate is the body that puts an agent on a schedule.
type ScheduleCreate struct {
	Spec               Spec              `json:"schedule"`
	Input              Input             `json:"input"`
	Key                Opt[string]       `json:"key,omitzero" minLength:"1" maxLength:"120" pattern:"^([!-\\-/-~]|[!-~][ -~]*[!-\\-/-~])$" nullable:"true" doc:"A name of yours, by which put_agent_schedule finds it again; unique among the agent's schedules."`
	Name               Opt[string]       `json:"name,omitzero" minLength:"1" maxLength:"120" nullable:"true"`
	Description        Opt[string]       `json:"description,omitzero" maxLength:"2000" nullable:"true"`
	Paused             Opt[bool]         `json:"paused,omitzero" doc:"Whether it begins paused, as if it had been paused by hand; default false." nullable:"true"`
	Note               Opt[string]       `json:"note,omitzero" maxLength:"500" nullable:"true" doc:"Why it begins paused."`
	Conversation       Conversation      `json:"conversation,omitzero"`
	PreviousResponseID Opt[string]       `json:"previous_response_id,omitzero" minLength:"1" maxLength:"256" nullable:"true"`
	ContextManagement  Opt[Any]          `json:"context_management,omitzero" nullable:"true"`
	Metadata           map[string]string `json:"metadata,omitempty"`
	Policy             PolicyUpdate      `json:"policy,omitzero"`
	AgentVersion       Opt[int64]        `json:"agent_version,omitzero" minimum:"1" nullable:"true" doc:"The version of the agent that runs are made with; null follows the agent."`
}

// ScheduleUpdate is the body of a partial update: what is absent stays.
type ScheduleUpdate struct {
	Spec               Opt[Spec]              `json:"schedule,omitzero"`
	Input              Opt[Input]             `json:"input,omitzero"`
	Name               Opt[string]            `json:"name,omitzero" minLength:"1" maxLength:"120" nullable:"true"`
	Description        Opt[string]            `json:"description,omitzero" maxLength:"2000" nullable:"true"`
	Conversation       Opt[Conversation]      `json:"conversation,omitzero" nullable:"true"`
	PreviousResponseID Opt[string]            `json:"previous_response_id,omitzero" minLength:"1" maxLength:"256" nullable:"true"`
	ContextManagement  Opt[Any]               `json:"context_management,omitzero" nullable:"true"`
	Metadata           Opt[map[string]string] `json:"metadata,omitzero" doc:"replaces the whole"`
	Policy             PolicyUpdate           `json:"policy,omitzero" doc:"Fields that are absent stay; null restores a default."`
	AgentVersion       Opt[int64]             `json:"agent_version,omitzero" minimum:"1" nullable:"true" doc:"The version of the agent that runs are made with; null follows the agent."`
}

// SchedulePause is the optional body of pause and resume.
type SchedulePause struct {
	Note Opt[string] `json:"note,omitzero" maxLength:"500" nullable:"true"`
}

// OccurrenceSkip is the body that asks to skip an occurrence, or not to.
type OccurrenceSkip struct {
	ScheduledFor Instant `json:"scheduled_for" doc:"A nominal time of the schedule that lies ahead."`
}

// MaxSkips is how many occurrences of a schedule can be marked to be skipped.
const MaxSkips = 100

// A ScheduleFilter narrows a list of schedules. The zero value lets all pass.
type ScheduleFilter struct {
	Runnable    bool // its owner may run its agent
	ID          ScheduleID
	AgentID     AgentID
	Status      ScheduleStatus
	PauseReason PauseCode
	Name        string            // the whole name
	Metadata    map[string]string // all of these
	Q           string            // a part of its name, description, key or input; the case of ASCII letters does not count
}

// A Timer is the part of a schedule that firing reads and writes. It is kept
// apart from the rest so that a fire touches few bytes. Package policy holds
// its transitions; the store loads and saves it.
type Timer struct {
	ScheduleID          ScheduleID
	AgentID             AgentID
	Owner               Owner
	Model               string    // the model of the next run, for finding its provider; read only
	AgentDeletedAt      time.Time // when the agent was deleted; zero if it was not; read only, and where timers fire
	AgentUnsharedAt     time.Time // when the agent, which is not the owner's, was made private; zero if it is not; read only, and where timers fire
	Status              ScheduleStatus
	PauseReason         *PauseReason
	Spec                Spec
	Policy              Policy
	Anchor              time.Time // when Spec was set; an interval without start_at is counted from it
	ScheduleVersion     int64     // of what fires: see Schedule.ScheduleVersion
	AgentVersion        *int64    // that of the agent that runs are made with; nil for the one that it has then
	PinnedModel         string    // the model of AgentVersion; empty if that is nil
	NextRunAt           time.Time // the earliest nominal time that has no outcome; zero if there is none
	DueAt               time.Time // when to act next: NextRunAt and its jitter; zero if there is nothing to do
	OpenRuns            int       // runs of this schedule that have not ended
	Buffered            time.Time // the nominal time that waits for OpenRuns to become 0; zero if none does
	Backlog             int       // occurrences of the past that wait for their turn; on record as buffered
	BacklogTo           time.Time // the newest of them; zero if there is none
	Skips               []Instant // nominal times that somebody asked to skip, in order; at most MaxSkips
	RunCount            int64
	ConsecutiveFailures int
	LastRunAt           time.Time
	LastRunID           RunID
	RanFor              time.Time // the newest nominal time that has started a run; read only, of a backlog, and if it is newer than the time whose turn it is
	Refused             *Reason   // why no run of the owner may start now; nil if it may. Not stored
	LastResponseID      string    // of the last run that completed, for schedules that continue a response
}

// CatchUp returns the timer's place among those that have a backlog, of which
// the latest comes first: the newest time in it. It is zero if there is none,
// or if it must wait for an open run to end, or for what is buffered.
func (t Timer) CatchUp() time.Time {
	if !t.Buffered.IsZero() || t.OpenRuns > 0 && t.Policy.Overlap != OverlapAllowAll {
		return time.Time{}
	}
	return t.BacklogTo
}

// WithoutRun returns the timer as if one of its runs had not been started.
func (t Timer) WithoutRun() Timer {
	t.OpenRuns--
	t.RunCount--
	return t
}

// A RecordedTimer is a timer, and what is known of the nominal times that have had an
// outcome, apart from those of triggers.
type RecordedTimer struct {
	Timer
	Last     time.Time // the last that is on record, or was; zero if none was
	LowWater time.Time // the last whose outcome has been deleted for its age; zero if none has
}

// A TimedSchedule is a schedule and its timer, as they are read and written
// together. Whose it is, and its identifiers, are those of the timer.
type TimedSchedule struct {
	Schedule
	Timer Timer
}

// A PausedTimer is the timer of a paused schedule, with the last nominal time that is
// on record, or was, apart from those of triggers; zero if none was.
type PausedTimer struct {
	Timer
	LastOnRecord time.Time
}

// WithTimer returns the schedule with the fields that its timer holds.
func (s Schedule) WithTimer(t Timer) Schedule {
	s.Status, s.Spec, s.Policy, s.PauseReason = t.Status, t.Spec, t.Policy, t.PauseReason
	s.RunCount, s.ConsecutiveFailures = t.RunCount, t.ConsecutiveFailures
	s.AgentVersion, s.ScheduleVersion = t.AgentVersion, t.ScheduleVersion
	s.NextRunAt, s.LastRunAt = InstantOrNil(t.NextRunAt), InstantOrNil(t.LastRunAt)
	s.StartsAt = nil
	if !t.NextRunAt.IsZero() && t.Buffered.IsZero() {
		s.StartsAt = InstantOrNil(t.DueAt)
	}
	s.RemainingRuns = nil
	if t.Policy.MaxRuns != nil {
		left := max(*t.Policy.MaxRuns-t.RunCount, 0)
		s.RemainingRuns = &left
	}
	s.Skips = append([]Instant{}, t.Skips...)
	s.EndUser = t.Owner.User()
	s.LastRunID = nil
	if t.LastRunID != "" {
		s.LastRunID = &t.LastRunID
	}
	return s
}
