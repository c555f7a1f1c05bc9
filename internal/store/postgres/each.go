package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/rota-run/rota/internal/store/sqlstore"
)

// steps carries out the steps of sqlstore: each is one statement, which gets
// its arguments as arrays. It knows the statements for which it has been asked.
type steps struct{ known sync.Map }

// A statement is one for many lists of arguments.
type statement struct {
	sql    string
	arrays []*pgtype.Type // of its arguments
}

// exec carries out what there is to do in one round trip.
func (s *steps) exec(ctx context.Context, conn *pgx.Conn, todo []sqlstore.Step) ([]int64, error) {
	batch := new(pgx.Batch)
	affected := make([]int64, len(todo))
	for i, step := range todo {
		if len(step.Lists) == 0 {
			continue
		}
		st, err := s.statement(ctx, conn, step.Query)
		if err != nil {
			return nil, err
		}
		args, err := st.args(conn.TypeMap(), step.Lists)
		if err != nil {
			return nil, err
		}
		batch.Queue(st.sql, args...).Exec(func(tag pgconn.CommandTag) error {
			affected[i] = tag.RowsAffected()
			return nil
		})
	}
	if batch.Len() == 0 {
		return affected, nil
	}
	return affected, conn.SendBatch(ctx, batch).Close()
}

// statement returns the one for many lists. PostgreSQL is asked, once, what types
// the arguments of the one for a single list have.
func (s *steps) statement(ctx context.Context, conn *pgx.Conn, query string) (*statement, error) {
	if known, ok := s.known.Load(query); ok {
		return known.(*statement), nil
	}
	one, err := conn.PgConn().Prepare(ctx, "", sqlstore.Numbered(query), nil)
	if err != nil {
		return nil, err
	}
	all := new(statement)
	var arrays, names []string
	for i, oid := range one.ParamOIDs {
		array, err := arrayOf(conn.TypeMap(), oid)
		if err != nil {
			return nil, fmt.Errorf("argument %d: %w: %s", i+1, err, query)
		}
		all.arrays = append(all.arrays, array)
		arrays = append(arrays, fmt.Sprintf("$%d::%s", i+1, array.Name))
		names = append(names, fmt.Sprintf("a%d", i+1))
	}
	all.sql = sqlstore.All(query, "unnest("+strings.Join(arrays, ", ")+") AS each ("+strings.Join(names, ", ")+")")
	s.known.Store(query, all)
	return all, nil
}

func arrayOf(types *pgtype.Map, oid uint32) (*pgtype.Type, error) {
	if element, ok := types.TypeForOID(oid); ok {
		if array, ok := types.TypeForName("_" + element.Name); ok {
			return array, nil
		}
	}
	return nil, fmt.Errorf("nothing is known of arrays of the type %d", oid)
}

// args turns lists of arguments into arrays, as text: that is understood in
// whatever way the session sends its statements.
func (st *statement) args(types *pgtype.Map, lists [][]any) ([]any, error) {
	args := make([]any, len(st.arrays))
	values := make([]any, len(lists))
	for a, array := range st.arrays {
		for i := range lists {
			values[i] = lists[i][a]
		}
		text, err := types.Encode(array.OID, pgtype.TextFormatCode, values, nil)
		if err != nil {
			return nil, err
		}
		args[a] = string(text)
	}
	return args, nil
}
