package rota

import "time"

// ObjectLanes is the object field of [Lanes].
const ObjectLanes = "lanes"

// Lanes show what became of the times of schedules, and which are to come.
type Lanes struct {
	Object      string  `json:"object" enum:"lanes"`
	From        Instant `json:"from"`
	Now         Instant `json:"now" doc:"Where the past ends."`
	To          Instant `json:"to"`
	SlotSeconds int64   `json:"slot_seconds" doc:"Within so long, times of one kind are one part."`
	Data        []Lane  `json:"data"`
}

// A Lane is one schedule of [Lanes].
type Lane struct {
	ScheduleID ScheduleID     `json:"schedule_id"`
	AgentID    AgentID        `json:"agent_id"`
	EndUser    *string        `json:"end_user" doc:"The end user whose schedule it is; null for the account itself."`
	Name       *string        `json:"name"`
	Status     ScheduleStatus `json:"status" enum:"active,paused,completed,deleted"`
	Timezone   string         `json:"timezone"`
	NextRunAt  *Instant       `json:"next_run_at"`
	Trouble    int64          `json:"trouble" doc:"How many of its times were missed or blocked, or have a run that failed or is incomplete."`
	Past       []LanePart     `json:"past" doc:"What became of its times, in their order."`
	Since      *Instant       `json:"since" doc:"Where past begins if it does not begin at from: a lane shows the last 2,000 entries of the record."`
	Ahead      []LanePart     `json:"ahead" doc:"Its times to come, in their order; none of a schedule that is paused."`
	Until      *Instant       `json:"until" doc:"Where ahead ends if it does not end at to: a lane shows the next 2,000 times."`
}

// A LanePart is times of a schedule that are close together and of one kind.
type LanePart struct {
	From    Instant `json:"from"`
	To      Instant `json:"to" doc:"The last of them."`
	Count   int64   `json:"count"`
	Outcome *string `json:"outcome" doc:"What became of them; null if they are to come. Of those to come, skipped_requested says that somebody has asked to skip them."`
	Phase   *Phase  `json:"phase" doc:"How their runs stand or ended; null if none was started."`
}

// A LaneKind is what became of the times of a [LanePart], or that they are to come.
type LaneKind string

const (
	LaneAhead   LaneKind = "ahead"
	LaneRan     LaneKind = "ran" // also if the run has been deleted since
	LaneFailed  LaneKind = "failed"
	LaneMissed  LaneKind = "missed"
	LaneBlocked LaneKind = "blocked"
	LaneSkipped LaneKind = "skipped" // or the run was cancelled
	LaneRunning LaneKind = "running" // or waits
)

// Kind returns what became of the times, or that they are to come.
func (p LanePart) Kind() LaneKind {
	if p.Outcome == nil {
		return LaneAhead
	}
	switch Outcome(*p.Outcome) {
	case MissedOutcome:
		return LaneMissed
	case Blocked:
		return LaneBlocked
	case Buffered:
		return LaneRunning
	case Fired:
		return p.ran()
	default:
		return LaneSkipped
	}
}

// ran is the kind of times whose runs have been started.
func (p LanePart) ran() LaneKind {
	if p.Phase == nil {
		return LaneRan
	}
	switch *p.Phase {
	case PhaseFailed, PhaseIncomplete:
		return LaneFailed
	case PhaseQueued, PhaseRunning, PhaseWaiting:
		return LaneRunning
	case PhaseCancelled:
		return LaneSkipped
	default:
		return LaneRan
	}
}

// A LaneSort is an order of lanes.
type LaneSort string

const (
	LanesByTrouble LaneSort = "trouble" // those with the most trouble first, then those that run next
	LanesByNext    LaneSort = "next"    // those that run next first
	LanesByName    LaneSort = "name"
)

// Troubled is what does not run as it should have, by schedule: of the newest so many of
// each kind.
type Troubled struct {
	ScheduleID ScheduleID
	Count      int64
}

// A LaneEntry is what a lane shows of an entry of the record.
type LaneEntry struct {
	From, To time.Time
	Count    int64
	Outcome  Outcome
	Phase    Phase // of its run; empty if it has none
}
