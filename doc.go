// Package rota is the vocabulary of Rota: the nouns, the contracts between its
// parts, and the ways in which things fail. It imports only the standard
// library, and everything else imports it.
//
// The nouns of the API:
//
//   - An [Agent] is a saved configuration of a model: model, instructions, tools.
//   - An [AgentVersion] is a configuration that an agent has, or has had.
//   - A [Schedule] says when an agent runs, and on which input. Its [Spec] is
//     the time part (once, interval, cron) and its [Policy] says what happens
//     when time and reality disagree.
//   - An [Occurrence] is a pair (schedule, nominal time) and what became of it.
//   - A [Run] is one execution of an agent, started by an occurrence or by a
//     call of the API.
//   - A [Key] opens the API for one account. Every agent, schedule and run has
//     an [Owner]: an account, and the end user that the account acted for.
//
// The nouns of the engines:
//
//   - A nominal time is a time that a schedule's spec names. Jitter may delay
//     the start; the nominal time stays the same.
//   - A [Timer] is the part of a schedule that firing changes: its next nominal
//     time, when that is due, and its counters.
//   - A [Fire] is an occurrence that started a run.
//   - An [Engine] fires timers and works on runs. There are two kinds: embedded
//     and Temporal.
//   - A step is one transaction of an engine. It decides the timers that are
//     due and claims runs. What it did is a batch.
//   - A claim takes a run from the queue for one worker.
//   - An [Attempt] is one try at a run. A run is retried by another attempt.
//   - A worker is whatever makes an attempt: a goroutine, or an activity of
//     Temporal.
//   - The leader is the one process of a database that the embedded engine runs
//     in, or that does the upkeep of the engine on Temporal. A process stops
//     being the leader when it loses its lock or the kind of engine is switched.
//   - The backlog of a schedule is its occurrences of the past that have not
//     started yet. Catching up starts them, at a bounded rate.
//   - A peer is another process with the same database. Peers send each other
//     messages.
//   - A schedule is unsynced while Temporal does not have it as the database
//     does. The leader syncs it: it exports the schedule to Temporal.
//   - A lease is a time until which nobody else takes what was taken.
//
// The fields of agents, schedules, runs and keys and their JSON names are the
// wire format; docs/contract.md says where each comes from.
package rota
