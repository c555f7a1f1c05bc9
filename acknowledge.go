package rota

// An Acknowledgement says who has seen that something did not run as it should have, so
// that it needs nobody any more.
type Acknowledgement struct {
	At Instant `json:"at"`
	By string  `json:"by" doc:"The key that was used."`
}

// AcknowledgeOccurrences is the body that acknowledges every occurrence that was missed or
// blocked and that the filter matches. An empty filter matches all of the caller's.
type AcknowledgeOccurrences struct {
	AgentID    Opt[AgentID]    `json:"agent_id,omitzero" minLength:"1" maxLength:"64" doc:"Only those of this agent."`
	ScheduleID Opt[ScheduleID] `json:"schedule_id,omitzero" minLength:"1" maxLength:"64" doc:"Only those of this schedule."`
	Outcome    Opt[Outcome]    `json:"outcome,omitzero" enum:"missed,blocked" doc:"Only those with this outcome; absent: both."`
	Reason     Opt[string]     `json:"reason,omitzero" minLength:"1" maxLength:"64" doc:"Only those whose reason has this code."`
	Trigger    Opt[Trigger]    `json:"trigger,omitzero" enum:"schedule,manual,backfill" doc:"Only those with this trigger."`
	Q          Opt[string]     `json:"q,omitzero" minLength:"1" maxLength:"200" doc:"Only those with this in their reason or in the name of their schedule. The case of ASCII letters does not count."`
	From       Opt[Instant]    `json:"from,omitzero" doc:"Only nominal times at or after this one."`
	To         Opt[Instant]    `json:"to,omitzero" doc:"Only nominal times at or before this one."`
	AsOf       Opt[Instant]    `json:"as_of,omitzero" doc:"Only what was on record at this time: what has come since stays for somebody to see."`
	EndUser    Opt[string]     `json:"end_user,omitzero" minLength:"1" maxLength:"150" doc:"Those of this end user; * for those of the account and all of its end users. Needs the scope write:account. Absent: those for whom the request is."`
	DryRun     Opt[bool]       `json:"dry_run,omitzero" doc:"Count what would be acknowledged, and change nothing; default false."`
}

// AcknowledgeRuns is the body that acknowledges every run that failed or is incomplete and
// that the filter matches. An empty filter matches all of the caller's.
type AcknowledgeRuns struct {
	AgentID    Opt[AgentID]      `json:"agent_id,omitzero" minLength:"1" maxLength:"64" doc:"Only those of this agent."`
	ScheduleID Opt[ScheduleID]   `json:"schedule_id,omitzero" minLength:"1" maxLength:"64" doc:"Only those of this schedule."`
	Phase      Opt[Phase]        `json:"phase,omitzero" enum:"failed,incomplete" doc:"Only those in this phase; absent: both."`
	ErrorCode  Opt[string]       `json:"error_code,omitzero" minLength:"1" maxLength:"64" doc:"Only those that failed with this code."`
	Trigger    Opt[Trigger]      `json:"trigger,omitzero" enum:"api,schedule,manual,backfill" doc:"Only those with this trigger."`
	Metadata   map[string]string `json:"metadata,omitempty" doc:"Only those that have all of these."`
	Q          Opt[string]       `json:"q,omitzero" minLength:"1" maxLength:"200" doc:"Only those with this in their input or error. The case of ASCII letters does not count."`
	From       Opt[Instant]      `json:"from,omitzero" doc:"Only those created at or after this time."`
	To         Opt[Instant]      `json:"to,omitzero" doc:"Only those created at or before this time."`
	AsOf       Opt[Instant]      `json:"as_of,omitzero" doc:"Only those that had ended at this time: what has come since stays for somebody to see."`
	EndUser    Opt[string]       `json:"end_user,omitzero" minLength:"1" maxLength:"150" doc:"Those of this end user; * for those of the account and all of its end users. Needs the scope write:account. Absent: those for whom the request is."`
	DryRun     Opt[bool]         `json:"dry_run,omitzero" doc:"Count what would be acknowledged, and change nothing; default false."`
}

// ObjectAcknowledgements is the object field of [Acknowledgements].
const ObjectAcknowledgements = "acknowledgements"

// Acknowledgements says how many rows a call has acknowledged.
type Acknowledgements struct {
	Object       string `json:"object" enum:"acknowledgements"`
	Acknowledged int    `json:"acknowledged" doc:"How many entries of the list were acknowledged, or would be."`
	DryRun       bool   `json:"dry_run" doc:"Whether nothing was changed."`
}
