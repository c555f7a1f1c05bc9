package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rota-run/rota/internal/store/sqlstore"
)

// A reader is a sqlstore.DB on the pool, where nothing is written.
type reader struct {
	pool    pool
	maxWait time.Duration
}

// Query implements sqlstore.DB.
func (r reader) Query(ctx context.Context, row func(sqlstore.Scanner) error, query string, args ...any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, r.maxWait, errSilent)
	defer cancel()
	rows, err := r.pool.Query(ctx, sqlstore.Numbered(query), args...)
	if err != nil {
		return classify(ctx, err)
	}
	return read(ctx, rows, row)
}

// read calls row for each row. It stops at row's first error and returns that.
func read(ctx context.Context, rows pgx.Rows, row func(sqlstore.Scanner) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return classify(ctx, rows.Err())
}

var errReader = errors.New("what is written is written in a transaction")

// Exec implements sqlstore.DB.
func (reader) Exec(context.Context, ...sqlstore.Step) ([]int64, error) { return nil, errReader }

// Write implements sqlstore.DB.
func (reader) Write(context.Context, ...sqlstore.Step) error { return errReader }
