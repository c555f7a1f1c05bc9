package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/rota-run/rota/internal/store/sqlstore"
)

// steps turns each step of sqlstore into one statement: that for a single list of
// arguments, or one that gets the arguments of many as arrays. It knows those
// for which it has been asked.
type steps struct{ known sync.Map }

// An array statement is one for many lists of arguments.
type arrayStatement struct {
	sql    string
	arrays []*pgtype.Type // of its arguments
}

// statement returns what carries out a step.
func (s *steps) statement(ctx context.Context, conn *pgx.Conn, step sqlstore.Step) (query string, args []any, err error) {
	if len(step.Lists) == 1 {
		return sqlstore.Numbered(step.Query), step.Lists[0], nil
	}
	st, err := s.forMany(ctx, conn, step.Query)
	if err != nil {
		return "", nil, classify(ctx, err)
	}
	args, err = st.args(conn.TypeMap(), step.Lists)
	return st.sql, args, err
}

// forMany returns the statement for many lists. PostgreSQL is asked, once, what
// types the arguments of the one for a single list have.
func (s *steps) forMany(ctx context.Context, conn *pgx.Conn, query string) (*arrayStatement, error) {
	if known, ok := s.known.Load(query); ok {
		return known.(*arrayStatement), nil
	}
	one, err := conn.PgConn().Prepare(ctx, "", sqlstore.Numbered(query), nil)
	if err != nil {
		return nil, err
	}
	all := new(arrayStatement)
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
func (st *arrayStatement) args(types *pgtype.Map, lists [][]any) ([]any, error) {
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
