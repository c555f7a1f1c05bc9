package rota

import "time"

// An Occurrence is a nominal time of a schedule and what became of it. There
// is one row per (schedule, nominal time), whatever crashes or retries happen;
// a span of missed times is one row with a count.
type Occurrence struct {
	Object          string       `json:"object" enum:"schedule.occurrence"`
	ID              OccurrenceID `json:"id"`
	ScheduleID      ScheduleID   `json:"schedule_id"`
	ScheduleVersion int64        `json:"schedule_version" doc:"The version of the schedule by which it was decided."`
	AgentID         AgentID      `json:"agent_id"`
	EndUser         *string      `json:"end_user" doc:"The end user whose schedule it is; null for the account itself."`
	ScheduledFor    Instant      `json:"scheduled_for" doc:"The nominal time; of a span, the first."`
	ScheduledUntil  *Instant     `json:"scheduled_until" doc:"The last nominal time of a span."`
	Count           int64        `json:"count" doc:"How many nominal times the row stands for."`
	Outcome         Outcome      `json:"outcome" enum:"fired,skipped_overlap,skipped_requested,buffered,missed,blocked"`
	Reason          *Reason      `json:"reason"`
	RunID           *RunID       `json:"run_id" doc:"The run that was started."`
	RunIDs          []RunID      `json:"run_ids" nullable:"true" doc:"That run, and those that went on from it with decisions about calls, in their order; null if none was started."`
	Trigger         Trigger      `json:"trigger" enum:"schedule,manual,backfill"`
	LatenessMS      *int64       `json:"lateness_ms" doc:"From the nominal time to the decision."`
	RecordedAt      Instant      `json:"recorded_at"`

	Run          *OccurrenceRun   `json:"run" doc:"How the last of its runs stands or ended; null if none was started."`
	Acknowledged *Acknowledgement `json:"acknowledged" doc:"Who has acknowledged that it was missed or blocked, or how its run ended; null if nobody has."`

	Account string `json:"-"`

	// Was is the outcome that this one takes the place of; empty if the nominal time has
	// none on record. A store neither returns nor keeps it.
	Was Outcome `json:"-"`

	Open bool `json:"open" doc:"Whether the entry still grows: it is the span of a pause that has not ended, as it would be on record if it ended now."`
}

// An OccurrenceRun says how the last run of an occurrence stands, or how it ended.
type OccurrenceRun struct {
	Phase     Phase   `json:"phase" enum:"queued,running,waiting,completed,failed,cancelled,incomplete"`
	ErrorCode *string `json:"error_code" doc:"Why it failed or was cancelled, else null."`
}

// An OccurrenceFilter narrows a list of occurrences. The zero value lets all
// pass.
type OccurrenceFilter struct {
	AgentID    AgentID    // only in lists across agents
	ScheduleID ScheduleID // likewise
	Trigger    Trigger    // likewise
	Outcome    Outcome
	ID         OccurrenceID // likewise
	From, To   time.Time    // nominal times at or after, at or before; a span passes if any of it does

	// Only in lists across agents:
	Phase     Phase  // of its run
	ErrorCode string // of its run
	Q         string // a part of its reason or of its schedule's name; the case of ASCII letters does not count
	Reason    string // the code of its reason

	// Unseen lets those pass alone that were missed or blocked and that nobody has
	// acknowledged.
	Unseen bool
	AsOf   time.Time // on record at or before
}

// Passes reports whether the filter lets an occurrence pass.
func (f OccurrenceFilter) Passes(o Occurrence) bool {
	last := o.ScheduledFor
	if o.ScheduledUntil != nil {
		last = *o.ScheduledUntil
	}
	return (f.Outcome == "" || f.Outcome == o.Outcome) &&
		(f.From.IsZero() || !last.Before(f.From)) &&
		(f.To.IsZero() || !o.ScheduledFor.After(f.To))
}

// Outcome is what became of an occurrence.
type Outcome string

const (
	Fired            Outcome = "fired"             // a run was started
	SkippedOverlap   Outcome = "skipped_overlap"   // a run of the schedule had not ended
	SkippedRequested Outcome = "skipped_requested" // somebody asked to skip it
	Buffered         Outcome = "buffered"          // it waits: for an open run to end, or for its turn to be made up for
	MissedOutcome    Outcome = "missed"            // nobody was looking, and the policy does not make up for it
	Blocked          Outcome = "blocked"           // the schedule was due but its run must not start
)

// A Reason says why an occurrence has its outcome.
type Reason struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// ReasonLimitReached is the code of the reason for which an occurrence is blocked
// whose owner may have no more open runs.
const ReasonLimitReached = "limit_reached"

// Trigger says what started a run.
type Trigger string

const (
	TriggerAPI      Trigger = "api"      // a call of the runs API
	TriggerSchedule Trigger = "schedule" // an occurrence that fell due
	TriggerManual   Trigger = "manual"   // somebody asked a schedule to run
	TriggerBackfill Trigger = "backfill" // somebody asked for the times of the past
)

// Decide says what becomes of a timer that is due. It is pure: it may be
// called again for the same timer.
type Decide func(Timer) Decision

// DecideBacklog says what becomes of an occurrence in a timer's backlog whose
// turn has come, and false if it must wait longer. It is pure.
type DecideBacklog func(Timer, Occurrence) (Decision, bool)

// Replaces reports whether the outcome may take the place of a row on record. Only
// buffered is not final; and what did not fire can be lined up again by a backfill.
func (o Occurrence) Replaces(row Occurrence) bool {
	switch row.Outcome {
	case Buffered:
		return o.Outcome != Buffered
	case Fired:
		return false
	}
	return row.Count == 1 && o.Trigger == TriggerBackfill
}

// A Decision is what becomes of a timer.
type Decision struct {
	Timer    Timer        // the timer afterwards
	Records  []Occurrence // the outcomes to put on record, in the order of time; Fired ones start a run
	GivenUp  *Reason      // why what waits in the timer, as far as Records do not say, will not start; nil if it may
	Provider string       // where the runs queue
}

// A Fire is an occurrence that started a run.
type Fire struct {
	Occurrence Occurrence
	Run        RunID
	At         time.Time
}
