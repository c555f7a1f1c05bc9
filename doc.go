// Package rota is the vocabulary of Rota: the nouns, the contracts between its
// parts, and the ways in which things fail. It imports only the standard
// library, and everything else imports it.
//
// The nouns:
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
// The fields of agents, schedules, runs and keys and their JSON names are the
// wire format; docs/contract.md says where each comes from.
package rota
