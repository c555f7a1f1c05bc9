package sqlstore

import (
	"context"
	"hash/fnv"
)

// NewShared returns the queries over a transaction of a database that several
// processes share.
//
// Others write at the same time, each seeing what is committed (READ COMMITTED).
// What a transaction reads in order to change it stays locked until it ends. Rows
// are locked in this order, so that few transactions ever wait for each other:
//
//	agents ─► timers ─► schedules ─► open_runs ─► runs
//
// The lock on a timer is also the lock on the occurrences of its schedule.
//
// An engine outside may lead a shared database. It has columns for that, which
// are written together with the rest of their rows: see [External].
func NewShared(db DB) Queries {
	return Queries{db: checked{db}, shared: true, remote: true, pending: NewPending()}
}

// ifShared returns SQL that only a shared database has, or "".
func (q Queries) ifShared(sql string) string {
	if !q.shared {
		return ""
	}
	return sql
}

// lock ends a SELECT that locks its rows, of the tables with these aliases, for
// changes.
func (q Queries) lock(tables string) string { return q.ifShared(" FOR UPDATE OF " + tables) }

// lockAny is lock, but skips rows that another transaction has locked.
func (q Queries) lockAny(tables string) string {
	return q.ifShared(" FOR UPDATE OF " + tables + " SKIP LOCKED")
}

// lockShared ends a SELECT that keeps its rows from being changed, by anybody.
func (q Queries) lockShared(tables string) string { return q.ifShared(" FOR SHARE OF " + tables) }

// lockAllTimers waits for transactions that write timers, and keeps others from
// starting to. A transaction that adds a timer reads the kind of engine first.
func (q Queries) lockAllTimers(ctx context.Context) error {
	if !q.shared {
		return nil
	}
	return q.write(ctx, `LOCK TABLE timers IN SHARE ROW EXCLUSIVE MODE`)
}

// Advisory locks are two numbers, and these are first ones. Package postgres has
// others.
const (
	lockAnswer   int32 = 0x726f7481 + iota // the second number is a hash of an owner's idempotency key
	lockFirstKey                           // a hash of the account that gets its first key
)

// lockName locks what has no row yet until the transaction ends.
func (q Queries) lockName(ctx context.Context, class int32, name string) error {
	if !q.shared {
		return nil
	}
	h := fnv.New32a()
	h.Write([]byte(name))
	return q.write(ctx, `SELECT pg_advisory_xact_lock(?, ?)`, class, int32(h.Sum32()))
}
