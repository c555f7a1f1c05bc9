package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rota-run/rota/internal/store/sqlstore"
)

// steps carries out the steps of sqlstore: each is one statement, which gets
// its arguments as arrays. It knows the statements for which it has been asked.
type steps struct{ known sync.Map }

// exec carries out what there is to do in one round trip.
func (s *steps) exec(ctx context.Context, conn *pgx.Conn, todo []sqlstore.Step) ([]int64, error) {
	batch := new(pgx.Batch)
	affected := make([]int64, len(todo))
	for i, step := range todo {
		if len(step.Lists) == 0 {
			continue
		}
		query, err := s.statement(ctx, conn, step.Query)
		if err != nil {
			return nil, err
		}
		batch.Queue(query, arrays(step.Lists)...).Exec(func(tag pgconn.CommandTag) error {
			affected[i] = tag.RowsAffected()
			return nil
		})
	}
	if batch.Len() == 0 {
		return affected, nil
	}
	return affected, conn.SendBatch(ctx, batch).Close()
}

// statement returns the statement for many lists. PostgreSQL is asked, once,
// what types the arguments of the one for a single list have.
func (s *steps) statement(ctx context.Context, conn *pgx.Conn, query string) (string, error) {
	if known, ok := s.known.Load(query); ok {
		return known.(string), nil
	}
	one, err := conn.PgConn().Prepare(ctx, "", sqlstore.Numbered(query), nil)
	if err != nil {
		return "", err
	}
	var values, names []string
	for i, oid := range one.ParamOIDs {
		kind, ok := conn.TypeMap().TypeForOID(oid)
		if !ok {
			return "", fmt.Errorf("argument %d is of a type that is not known, %d: %s", i+1, oid, query)
		}
		values = append(values, fmt.Sprintf("$%d::%s[]", i+1, kind.Name))
		names = append(names, fmt.Sprintf("a%d", i+1))
	}
	all := sqlstore.All(query, "unnest("+strings.Join(values, ", ")+") AS each ("+strings.Join(names, ", ")+")")
	s.known.Store(query, all)
	return all, nil
}

// arrays turns lists of arguments into one array for each argument.
func arrays(lists [][]any) []any {
	out := make([]any, len(lists[0]))
	for c := range out {
		column := make([]any, len(lists))
		for i := range lists {
			column[i] = lists[i][c]
		}
		out[c] = column
	}
	return out
}
