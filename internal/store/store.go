// Package store gives each part of Rota the port that the part has declared,
// over whichever database is open.
package store

import (
	"context"

	"github.com/rota-run/rota/internal/store/sqlstore"
)

// A Store is an open database: everything is in it, and it is the truth that the
// API reads.
type Store interface {
	// Update runs fn in one transaction and returns when it is durable. If fn
	// returns an error, nothing that it did is kept and Update returns that
	// error. fn may run twice, so it must have no effects outside the
	// transaction. fn must use the context that it is given, must not call
	// Update, and must return.
	Update(ctx context.Context, fn func(context.Context, sqlstore.Queries) error) error

	// Reader returns what reads outside of a transaction.
	Reader() sqlstore.Queries

	// Close waits for what is being written and closes the store.
	Close() error
}

// A Port is a store as one part of Rota sees it: what it reads, and transactions
// that are a Tx of the part's own.
type Port[Tx any] struct {
	sqlstore.Queries // reads, outside of a transaction

	store Store
	tx    func(sqlstore.Queries) Tx
}

// On returns the port through which a part that has declared Tx sees a store.
func On[Tx any](s Store, tx func(sqlstore.Queries) Tx) Port[Tx] {
	return Port[Tx]{Queries: s.Reader(), store: s, tx: tx}
}

// Update is that of the store.
func (p Port[Tx]) Update(ctx context.Context, fn func(context.Context, Tx) error) error {
	return p.store.Update(ctx, func(ctx context.Context, q sqlstore.Queries) error { return fn(ctx, p.tx(q)) })
}
