// Package client is the Go SDK of Rota: it saves agents, puts them on a
// schedule, and follows their runs on a server.
//
//	c := client.New("https://rota.example.com", os.Getenv("ROTA_KEY"))
//	agent, err := c.Agents.Create(ctx, rota.AgentCreate{Name: "Reporter", Model: "auto"})
//
// Bodies and answers are the types of package rota. What the server refuses
// comes back as the [rota.Error] that the server had in its hands, so that
//
//	errors.Is(err, rota.NotFound)
//
// holds on both sides of the network. A server that cannot be reached is
// [rota.Unavailable]; the error of a context that has ended is that context's.
//
// Every call is one request. Nothing is repeated behind the caller's back but
// the connection of [Runs.Events], which resumes where it broke. To repeat a
// change safely, send it with an [IdempotencyKey].
package client
