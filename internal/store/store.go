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

// An Updater makes the transactions of one part of Rota: each is a Tx that the part
// has declared.
type Updater[Tx any] struct {
	store Store
	tx    func(sqlstore.Queries) Tx
}

// On returns the updater of a part that has declared Tx.
func On[Tx any](s Store, tx func(sqlstore.Queries) Tx) Updater[Tx] { return Updater[Tx]{s, tx} }

// Update is that of the store.
func (u Updater[Tx]) Update(ctx context.Context, fn func(context.Context, Tx) error) error {
	return u.store.Update(ctx, func(ctx context.Context, q sqlstore.Queries) error { return fn(ctx, u.tx(q)) })
}
