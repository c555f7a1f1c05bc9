package postgres

import (
	"context"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rota-run/rota/internal/store/sqlstore"
)

// A session is a connection, or a pool of them.
type session interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// statements is a sqlstore.DB on a session. The session prepares each statement
// once for each connection.
type statements struct{ on session }

// Exec implements sqlstore.DB.
func (s statements) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	tag, err := s.on.Exec(ctx, numbered(query), args...)
	return tag.RowsAffected(), classify(ctx, err)
}

// ExecEach implements sqlstore.DB: all are sent before the first is answered.
func (s statements) ExecEach(ctx context.Context, query string, lists [][]any) ([]int64, error) {
	if len(lists) == 0 {
		return nil, nil
	}
	query = numbered(query)
	batch := new(pgx.Batch)
	for _, args := range lists {
		batch.Queue(query, args...)
	}
	results := s.on.SendBatch(ctx, batch)
	affected := make([]int64, len(lists))
	for i := range affected {
		tag, err := results.Exec()
		if err != nil {
			results.Close() // it fails with the same
			return nil, classify(ctx, err)
		}
		affected[i] = tag.RowsAffected()
	}
	return affected, classify(ctx, results.Close())
}

// Query implements sqlstore.DB.
func (s statements) Query(ctx context.Context, row func(sqlstore.Scanner) error, query string, args ...any) error {
	rows, err := s.on.Query(ctx, numbered(query), args...)
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

// numbered returns a statement with $1, $2, … for each ?. No statement has a ?
// that is anything else.
func numbered(query string) string {
	var b strings.Builder
	b.Grow(len(query) + 2*strings.Count(query, "?"))
	for n := 1; ; n++ {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
		query = after
	}
}
