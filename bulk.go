package rota

// BulkPause is the body that pauses every active schedule that the filter
// matches. An empty filter matches all of the caller's.
type BulkPause struct {
	AgentID  Opt[AgentID]      `json:"agent_id,omitzero" minLength:"1" maxLength:"64" doc:"Only schedules of this agent."`
	Metadata map[string]string `json:"metadata,omitempty" doc:"Only schedules that have all of these."`
	Note     Opt[string]       `json:"note,omitzero" maxLength:"500" nullable:"true"`
}

// BulkResume is the body that resumes every paused schedule that the filter
// matches and that was paused for the reason.
type BulkResume struct {
	AgentID  Opt[AgentID]      `json:"agent_id,omitzero" minLength:"1" maxLength:"64" doc:"Only schedules of this agent."`
	Metadata map[string]string `json:"metadata,omitempty" doc:"Only schedules that have all of these."`
	Reason   Opt[PauseCode]    `json:"pause_reason,omitzero" enum:"manual,failures,key_revoked,agent_deleted" doc:"Only schedules that were paused for this reason; default manual."`
}

// ObjectBulk is the object field of a BulkResult.
const ObjectBulk = "schedule.bulk"

// A BulkResult says how many schedules a bulk operation changed.
type BulkResult struct {
	Object  string `json:"object" enum:"schedule.bulk"`
	Changed int    `json:"changed"`
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
