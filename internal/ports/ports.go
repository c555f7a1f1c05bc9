// Package ports fits a store to what each part of Rota has declared that it
// needs. The compiler checks that it does.
package ports

import (
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/engine"
	"github.com/rota-run/rota/internal/engine/embedded"
	"github.com/rota-run/rota/internal/limits"
	"github.com/rota-run/rota/internal/responder"
	"github.com/rota-run/rota/internal/runner"
	"github.com/rota-run/rota/internal/store"
	"github.com/rota-run/rota/internal/store/sqlstore"
	"github.com/rota-run/rota/internal/upkeep"
	"github.com/rota-run/rota/internal/vault"
)

// Control returns the store of a [control.Control].
func Control(s store.Store) control.Store {
	q := s.Reader()
	return control.Store{
		AgentReader: q, KeyedReader: q, FunctionToolReader: q, VaultReader: q, MemoryReader: q, ScheduleReader: q, ScheduleVersionReader: q, PlanReader: q, LedgerReader: q, LaneReader: q, RunReader: q, KeyReader: q, DescendantReader: q, EndUserReader: q, RetentionReader: q, LimitReader: q, EraseReader: q, ExportReader: q,
		ResponseReader: q, ConversationReader: q, ApprovalReader: q,
		Updater: store.On(s, controlTx),
	}
}

func controlTx(q sqlstore.Queries) control.Tx {
	return control.Tx{
		AgentReader: q, KeyedReader: q, AgentWriter: q, FunctionToolReader: q, FunctionToolWriter: q, VaultReader: q, MemoryReader: q, VaultWriter: q, MemoryWriter: q, ScheduleReader: q, PlanReader: q, ScheduleWriter: q, LedgerReader: q, LedgerWriter: q, Acknowledger: q,
		RunReader: q, RunWriter: q, KeyWriter: q, DescendantReader: q, RetentionWriter: q, LimitWriter: q, Eraser: q, Answers: q,
		ResponseReader: q, ResponseWriter: q, ConversationReader: q, ConversationWriter: q, ApprovalReader: q, ApprovalWriter: q,
	}
}

// Runner returns the store of a [runner.Runner].
func Runner(s store.Store) runner.Store {
	return struct {
		runner.RunReader
		store.Updater[runner.Tx]
	}{s.Reader(), store.On(s, func(q sqlstore.Queries) runner.Tx { return q })}
}

// Responder returns the store of a [responder.Responder].
func Responder(s store.Store) responder.Store {
	return struct {
		responder.Reader
		store.Updater[responder.Tx]
	}{s.Reader(), store.On(s, func(q sqlstore.Queries) responder.Tx { return q })}
}

// Upkeep returns the store of an [upkeep.Upkeep].
func Upkeep(s store.Store) upkeep.Store {
	q := s.Reader()
	return struct {
		upkeep.DueReader
		upkeep.AgeReader
		store.Updater[upkeep.Tx]
	}{q, q, store.On(s, func(q sqlstore.Queries) upkeep.Tx { return q })}
}

// Limits returns the store of a [limits.Keeper].
func Limits(s store.Store) limits.Store { return s.Reader() }

// Limiter returns the store of an [auth.Limiter].
func Limiter(s store.Store) auth.Store {
	return store.On(s, func(q sqlstore.Queries) auth.Tx { return q })
}

// Embedded returns the store of an [embedded.Engine].
func Embedded(s store.Store) embedded.Store {
	return store.On(s, func(q sqlstore.Queries) embedded.Tx {
		return embedded.Tx{Queue: q, Planner: engine.Planner{LeadershipStore: q, TimerStore: q, WaitingStore: q}, Recoverer: q}
	})
}

// Vault returns the store of a [vault.Vault].
func Vault(s store.Store) vault.Store {
	return struct {
		vault.Reader
		store.Updater[vault.Tx]
	}{s.Reader(), store.On(s, func(q sqlstore.Queries) vault.Tx { return q })}
}
