package rota

// BulkPause is the body that pauses every active schedule that the filter
// matches. An empty filter matches all of the caller's.
type BulkPause struct {
	AgentID  Opt[AgentID]      `json:"agent_id,omitzero" minLength:"1" maxLength:"64" doc:"Only schedules of this agent."`
	Metadata map[string]string `json:"metadata,omitempty" doc:"Only schedules that have all of these."`
	Note     Opt[string]       `json:"note,omitzero" maxLength:"500" nullable:"true"`
	Name     Opt[string]       `json:"name,omitzero" minLength:"1" maxLength:"120" doc:"Only schedules with this name."`
	Q        Opt[string]       `json:"q,omitzero" minLength:"1" maxLength:"200" doc:"Only schedules with this in their name, description, key or input. The case of ASCII letters does not count."`
	EndUser  Opt[string]       `json:"end_user,omitzero" minLength:"1" maxLength:"150" doc:"Those of this end user; * for those of the account and all of its end users. Needs the scope write:account. Absent: those for whom the request is."`
	DryRun   Opt[bool]         `json:"dry_run,omitzero" doc:"Count what would change, and change nothing; default false."`
}

// BulkResume is the body that resumes every paused schedule that the filter
// matches and that was paused for the reason.
type BulkResume struct {
	AgentID  Opt[AgentID]      `json:"agent_id,omitzero" minLength:"1" maxLength:"64" doc:"Only schedules of this agent."`
	Metadata map[string]string `json:"metadata,omitempty" doc:"Only schedules that have all of these."`
	Reason   Opt[PauseCode]    `json:"pause_reason,omitzero" enum:"manual,failures,key_revoked,agent_deleted,agent_unshared" doc:"Only schedules that were paused for this reason; default manual."`
	Name     Opt[string]       `json:"name,omitzero" minLength:"1" maxLength:"120" doc:"Only schedules with this name."`
	Q        Opt[string]       `json:"q,omitzero" minLength:"1" maxLength:"200" doc:"Only schedules with this in their name, description, key or input. The case of ASCII letters does not count."`
	EndUser  Opt[string]       `json:"end_user,omitzero" minLength:"1" maxLength:"150" doc:"Those of this end user; * for those of the account and all of its end users. Needs the scope write:account. Absent: those for whom the request is."`
	DryRun   Opt[bool]         `json:"dry_run,omitzero" doc:"Count what would change, and change nothing; default false."`
}

// BulkTrigger is the body that lets every active schedule run now that the filter matches.
type BulkTrigger struct {
	AgentID  Opt[AgentID]      `json:"agent_id,omitzero" minLength:"1" maxLength:"64" doc:"Only schedules of this agent."`
	Metadata map[string]string `json:"metadata,omitempty" doc:"Only schedules that have all of these."`
	Name     Opt[string]       `json:"name,omitzero" minLength:"1" maxLength:"120" doc:"Only schedules with this name."`
	Q        Opt[string]       `json:"q,omitzero" minLength:"1" maxLength:"200" doc:"Only schedules with this in their name, description, key or input. The case of ASCII letters does not count."`
	EndUser  Opt[string]       `json:"end_user,omitzero" minLength:"1" maxLength:"150" doc:"Those of this end user; * for those of the account and all of its end users. Needs the scope write:account. Absent: those for whom the request is."`
	DryRun   Opt[bool]         `json:"dry_run,omitzero" doc:"Count what would run, and change nothing; default false."`
}

// ObjectBulk is the object field of a BulkResult.
const ObjectBulk = "schedule.bulk"

// A BulkResult says how many schedules a bulk operation changed.
type BulkResult struct {
	Object  string `json:"object" enum:"schedule.bulk"`
	Changed int    `json:"changed" doc:"How many schedules were changed, or would be."`
	DryRun  bool   `json:"dry_run" doc:"Whether nothing was changed."`
}

// ObjectForecast is the object field of a Forecast.
const ObjectForecast = "forecast"

// A Forecast counts the runs that the caller's active schedules plan.
type Forecast struct {
	Object        string           `json:"object" enum:"forecast"`
	From          Instant          `json:"from"`
	To            Instant          `json:"to"`
	BucketSeconds int64            `json:"bucket_seconds"`
	Total         int64            `json:"total"`
	Data          []ForecastBucket `json:"data"`
}

// A ForecastBucket is a part of a Forecast: from its start, which belongs to
// it, to the next one's.
type ForecastBucket struct {
	From  Instant `json:"from"`
	Count int64   `json:"count"`
}
