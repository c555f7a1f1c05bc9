package cluster

import "github.com/rota-run/rota"

// A Destination is where an engine outside has its schedules. It is zero until it is
// known.
type Destination struct {
	Namespace string // its id: two servers may have namespaces of one name
	Queue     string // where workers wait for what the schedules start
}

// An Unsynced schedule is not in the engine outside as it is in the store.
type Unsynced struct {
	Timer    rota.Timer
	Name     string // of the schedule; may be empty
	Exported bool   // the engine outside has it
}
