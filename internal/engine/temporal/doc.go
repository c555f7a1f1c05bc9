// Package temporal is the engine for many processes. Temporal wakes them and
// notices which have died; the store is the source of truth.
//
//	        Temporal                          a process with this engine
//	┌──────────────────────┐
//	│ Schedule  asch_…     │  wakes    ┌──────► one step (package engine)
//	│   └► workflow Fire   │───────────┤          │ claimed runs
//	│                      │           │          ▼
//	│ workflow Run run_…/1 │◄──────────┼─── start a workflow for each attempt
//	│   └► activity Carry  │───────────┼──► take the attempt from the store, work on it
//	└──────────────────────┘           │
//	          ▲                        │
//	          └──sync── the leader ────┘ a step each second, for lost wake-ups
//
// A Temporal Schedule per schedule starts the workflow Fire when a nominal time
// has come. The process that runs Fire takes a step: it decides and records
// whatever is due, in one transaction with the runs that this starts, as many as
// all processes together may work on. Nominal times never come from Temporal, so a
// wake-up that is late, lost or repeated changes nothing.
//
// Each attempt of a run is a workflow Run with one activity, Carry, which sends
// heartbeats. Carry takes the attempt from the store, which gives it to exactly one
// worker. If the worker dies, Temporal notices that the heartbeats have stopped, and
// Run returns the attempt to the queue.
//
// One process, which holds the database's lock, is the leader. It exports changed
// schedules to Temporal, takes a step each second in case a wake-up was lost, starts
// missed occurrences from backlogs, and starts attempts whose process died after
// claiming them.
package temporal
