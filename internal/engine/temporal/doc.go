// Package temporal is the engine for many processes: Temporal wakes them and
// knows which of them still live, the store has the truth.
//
//	        Temporal                          a process with this engine
//	┌──────────────────────┐
//	│ Schedule  asch_…     │  wakes    ┌──────► turn: one step (package engine)
//	│   └► workflow Fire   │───────────┤          │ runs that begin
//	│                      │           │          ▼
//	│ workflow Run run_…/1 │◄──────────┼─── start a workflow for each attempt
//	│   └► activity Carry  │───────────┼──► take the attempt from the store, work on it
//	└──────────────────────┘           │
//	          ▲                        │
//	          └──sync── the leader ────┘ a turn each second, for what nobody was woken for
//
// A Temporal Schedule per schedule starts the workflow Fire when a nominal time
// has come. Fire has the process that it is in take a turn: whatever is due is
// decided and put on record, in one transaction with the runs that it starts, as
// many as may be worked on in all processes together. Nominal times never come
// from Temporal, so a wake-up that is late, lost or made twice changes nothing.
//
// Each attempt of a run is a workflow Run with one activity, Carry, which sends
// heartbeats. Carry takes the attempt from the store, where exactly one worker gets
// it. If the worker dies, Temporal notices that the heartbeats end, and Run
// returns the attempt to the queue.
//
// One of the processes is the leader, by the database's lock. It exports to
// Temporal the schedules that have changed, takes turns for what Temporal has not woken
// anybody for, lets what was missed catch up, and starts again what was claimed
// by a process that died before it could.
package temporal
