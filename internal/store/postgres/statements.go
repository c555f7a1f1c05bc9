package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rota-run/rota/internal/store/sqlstore"
)

// A session is a connection, or a pool of them.
type session interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// statements are those of a sqlstore.DB on a session. The session prepares each
// once for each connection.
type statements struct{ on session }

// Exec implements sqlstore.DB.
func (s statements) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	tag, err := s.on.Exec(ctx, sqlstore.Numbered(query), args...)
	return tag.RowsAffected(), classify(ctx, err)
}

// Query implements sqlstore.DB.
func (s statements) Query(ctx context.Context, row func(sqlstore.Scanner) error, query string, args ...any) error {
	rows, err := s.on.Query(ctx, sqlstore.Numbered(query), args...)
	if err != nil {
		return classify(ctx, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return classify(ctx, rows.Err())
}

// A reader is a sqlstore.DB on the pool, where nothing is written.
type reader struct {
	statements
	maxWait time.Duration
}

// Query implements sqlstore.DB.
func (r reader) Query(ctx context.Context, row func(sqlstore.Scanner) error, query string, args ...any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, r.maxWait, errSilent)
	defer cancel()
	return r.statements.Query(ctx, row, query, args...)
}

// ExecEach implements sqlstore.DB.
func (reader) ExecEach(context.Context, ...sqlstore.Step) ([]int64, error) {
	return nil, errors.New("what is written is written in a transaction")
}
