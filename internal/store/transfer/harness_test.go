package transfer_test

import (
	"context"
	"database/sql"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/store"
	"github.com/rota-run/rota/internal/store/postgres"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
	"github.com/rota-run/rota/internal/store/sqlite"
	"github.com/rota-run/rota/internal/store/sqlite/sqlitetest"
	"github.com/rota-run/rota/internal/store/storetest"
	"github.com/rota-run/rota/internal/store/transfer"
)

// A database is one of the two kinds.
type database interface {
	transfer.Source
	transfer.Sink
}

// A kind makes databases that nobody else uses.
type kind struct {
	name   string
	empty  func(*testing.T) string // the name of a new one
	source func(context.Context, string) (database, error)
	target func(context.Context, string, transfer.Place) (database, error)
	store  func(context.Context, string) (store.Store, error)
}

func kinds() []kind {
	return []kind{
		{
			"SQLite",
			func(t *testing.T) string { return sqlitetest.Empty(t) },
			func(ctx context.Context, at string) (database, error) { return sqlite.OpenSource(ctx, at) },
			func(ctx context.Context, at string, from transfer.Place) (database, error) {
				return sqlite.OpenTarget(ctx, at, from)
			},
			func(ctx context.Context, at string) (store.Store, error) {
				return sqlite.Open(ctx, at, sqlite.Options{})
			},
		},
		{
			"PostgreSQL",
			func(t *testing.T) string { return postgrestest.Empty(t) },
			func(ctx context.Context, at string) (database, error) { return postgres.OpenSource(ctx, at) },
			func(ctx context.Context, at string, from transfer.Place) (database, error) {
				return postgres.OpenTarget(ctx, at, from)
			},
			func(ctx context.Context, at string) (store.Store, error) {
				return postgres.Open(ctx, at, postgres.Options{})
			},
		},
	}
}

// exec changes a database that nobody has open.
func (k kind) exec(t *testing.T, at, statements string) {
	t.Helper()
	if k.name != "SQLite" {
		postgrestest.Exec(t, at, statements)
		return
	}
	db := raw(t, at)
	_, err := db.Exec(statements)
	require.NoError(t, err)
	require.NoError(t, db.Close())
}

func (k kind) open(t *testing.T, at string) store.Store {
	t.Helper()
	s, err := k.store(t.Context(), at)
	require.NoError(t, err)
	return s
}

// filled returns an installation that the store's own writers have written, and
// rows that they would not write.
func (k kind) filled(t *testing.T, n int) string {
	t.Helper()
	at := k.empty(t)
	s := k.open(t, at)
	storetest.Fill(t, s, n)
	require.NoError(t, s.Close())
	db, err := k.target(t.Context(), at, transfer.Place{})
	require.NoError(t, err)
	defer db.Close()
	addOddRows(t, db)
	return at
}

// addOddRows adds rows to every table, whatever it is. All the texts of a row
// are one, and so every reference has what it refers to.
func addOddRows(t *testing.T, db database) {
	t.Helper()
	// PostgreSQL can index a key of four of the long ones.
	texts := []string{"", "\U0010ffff é e\u0301 \u202e '\"\\", strings.Repeat("x", 9_000)} // longer than a page of either database
	blobs := [][]byte{{}, {0}, {0xff, 0xc3, 0, 0x28}}
	tables, err := db.Tables(t.Context())
	require.NoError(t, err)
	for len(tables) > 0 {
		table := tables[0]
		tables = tables[1:]
		if slices.ContainsFunc(tables, func(o transfer.Table) bool { return slices.Contains(table.Refers, o.Name) }) {
			tables = append(tables, table) // after what it refers to
			continue
		}
		for i := range texts {
			var row []any
			for _, c := range table.Columns {
				switch c.Kind {
				case transfer.Text:
					row = append(row, texts[i])
				case transfer.Blob:
					row = append(row, blobs[i])
				case transfer.Integer:
					row = append(row, int64(i%2))
				case transfer.Real:
					row = append(row, math.Pi*float64(i))
				}
			}
			_ = db.Add(t.Context(), table, [][]any{row}) // unless the table has rules for its values
		}
		n, err := db.Count(t.Context(), table)
		require.NoError(t, err)
		require.Positive(t, n, table.Name)
	}
}

// whole returns every row of a database as its shell would print it, without some
// columns of PostgreSQL.
func (k kind) whole(t *testing.T, at string, without ...string) []string {
	t.Helper()
	db, err := k.source(t.Context(), at)
	require.NoError(t, err)
	tables, err := db.Tables(t.Context())
	require.NoError(t, err)
	require.NoError(t, db.Close())
	var out []string
	for _, table := range tables {
		if k.name == "SQLite" {
			out = append(out, quoted(t, at, table)...)
			continue
		}
		out = append(out, printed(t, at, table, without)...)
	}
	slices.Sort(out)
	return out
}

func quoted(t *testing.T, dir string, table transfer.Table) []string {
	t.Helper()
	db := raw(t, dir)
	defer db.Close()
	var columns []string
	for _, name := range table.Names() {
		columns = append(columns, `quote("`+name+`")`)
	}
	rows, err := db.Query(`SELECT ` + strings.Join(columns, ` || ' ' || `) + ` FROM "` + table.Name + `"`)
	require.NoError(t, err)
	defer rows.Close()
	var out []string
	for rows.Next() {
		var one string
		require.NoError(t, rows.Scan(&one))
		out = append(out, table.Name+" "+one)
	}
	require.NoError(t, rows.Err())
	return out
}

func raw(t *testing.T, dir string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, sqlite.FileName))
	require.NoError(t, err)
	return db
}

func printed(t *testing.T, databaseURL string, table transfer.Table, without []string) []string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), databaseURL)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	rows, err := conn.Query(t.Context(), `SELECT '`+table.Name+` ' || (to_jsonb(x) - $1::text[])::text FROM "`+table.Name+`" x`, append([]string{}, without...)) // of NULL would be NULL
	require.NoError(t, err)
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return out
}

// A watcher keeps what it is told.
type watcher struct {
	ignored []string
	resumed int64
	again   string
}

func (w *watcher) Ignored(tables []string)     { w.ignored = tables }
func (w *watcher) Resumed(rows int64)          { w.resumed = rows }
func (w *watcher) Again(table string)          { w.again = table }
func (w *watcher) Copied(string, int64, int64) {}
func (w *watcher) Comparing(string)            {}

// move copies one database to another. between changes what is written, if
// it is not nil.
func move(t *testing.T, from kind, source string, to kind, target string, between func(transfer.Sink) transfer.Sink) ([]transfer.Count, watcher, error) {
	t.Helper()
	var seen watcher
	src, err := from.source(t.Context(), source)
	require.NoError(t, err)
	defer src.Close()
	dst, err := to.target(t.Context(), target, src.Place())
	if err != nil {
		return nil, seen, err
	}
	defer dst.Close()
	into := transfer.Target{Source: dst, Sink: dst}
	if between != nil {
		into.Sink = between(dst)
	}
	counts, err := transfer.Copy(t.Context(), src, into, &seen)
	return counts, seen, err
}
