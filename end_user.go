package rota

// ObjectEndUser is the object field of an EndUser.
const ObjectEndUser = "end_user"

// An EndUser is one for whom an account has acted, as far as agents are left, or who has used
// an agent that the account shares.
type EndUser struct {
	Object          string   `json:"object" enum:"end_user"`
	EndUser         string   `json:"end_user" doc:"As X-On-Behalf-Of names it."`
	Agents          int64    `json:"agents" doc:"Agents that are not deleted."`
	ActiveSchedules int64    `json:"active_schedules"`
	PausedSchedules int64    `json:"paused_schedules"`
	OpenRuns        int64    `json:"open_runs" doc:"Runs that have not ended."`
	LastRunAt       *Instant `json:"last_run_at" doc:"When the newest run on record was made."`
}
