package rota

// MaxBackfill is how many nominal times one backfill can name.
const MaxBackfill = 1000

// ObjectBackfill is the object field of a Backfill.
const ObjectBackfill = "schedule.backfill"

// BackfillCreate is the body that asks to run a schedule's times of the past.
type BackfillCreate struct {
	From   Instant   `json:"from" doc:"The first nominal time that counts; may lie before the schedule was made."`
	To     Instant   `json:"to" doc:"The last one; not in the future."`
	DryRun Opt[bool] `json:"dry_run,omitzero" doc:"Only say what would run. Default true."`
}

// A Backfill is the nominal times of the past that run, or would: those that
// have started no run and wait for none. They wait as buffered and start one
// after the other, the oldest first, as the operator's catch-up rate and the
// schedule's overlap policy allow.
type Backfill struct {
	Object string        `json:"object" enum:"schedule.backfill"`
	DryRun bool          `json:"dry_run"`
	Count  int           `json:"count"`
	Data   []PlannedTime `json:"data"`
}
