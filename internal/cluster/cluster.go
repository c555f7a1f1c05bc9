// Package cluster has the nouns of processes that share one database: which
// engine leads it, what workers are doing, and which schedules an engine
// outside has to know.
package cluster

import (
	"time"

	"github.com/rota-run/rota"
)

// Leadership says which kind of engine fires the schedules of a database. It is
// stored there.
type Leadership struct {
	Kind         rota.EngineKind // empty until the first engine has started
	Installation string          // names the database where several share an engine outside
	Since        time.Time       // when a leader began to look at what is due; zero if none has
	SeenAt       time.Time       // when a leader last did, a few seconds ago at most while schedules fire

	// AheadUntil is up to when a clock that was ahead has decided. It is zero, unless
	// timers are being planned anew for that reason.
	AheadUntil time.Time

	// ZoneData names the time zone data by which the timers are planned; empty until
	// that is known.
	ZoneData string
}

// A Claim is an attempt that was claimed from the queue.
type Claim struct {
	At       rota.Attempt
	Provider string
	Policy   rota.Policy // of the schedule, or the default
	Since    time.Time   // when its worker began; zero if none has
}
