package transfer_test

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
	"github.com/rota-run/rota/internal/store/sqlite"
	"github.com/rota-run/rota/internal/store/transfer"
)

// inPostgresOnly are the columns that SQLite does not have: those for an engine
// outside of the process.
func inPostgresOnly() []string { return []string{"namespace", "queue", "sync_at", "worker_since"} }

func TestCatalogsAgree(t *testing.T) {
	var both [][]transfer.Table
	for _, k := range kinds() {
		at := k.empty(t)
		require.NoError(t, k.open(t, at).Close())
		db, err := k.source(t.Context(), at)
		require.NoError(t, err)
		tables, err := db.Tables(t.Context())
		require.NoError(t, err)
		require.NoError(t, db.Close())
		both = append(both, tables)
	}
	require.Greater(t, len(both[0]), 7)
	for i := range both[1] {
		both[1][i].Columns = slices.DeleteFunc(both[1][i].Columns, func(c transfer.Column) bool { return slices.Contains(inPostgresOnly(), c.Name) })
	}
	require.Equal(t, both[0], both[1])
}

// TestNothingCounts: a number that a database gives out by itself would not be
// copied.
func TestNothingCounts(t *testing.T) {
	databaseURL := postgrestest.URL(t)
	conn, err := pgx.Connect(t.Context(), databaseURL)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	rows, err := conn.Query(t.Context(), `SELECT table_name FROM information_schema.columns
		WHERE table_schema = current_schema() AND (column_default LIKE 'nextval%' OR is_identity = 'YES')`)
	require.NoError(t, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.False(t, slices.ContainsFunc(names, transfer.Copied), names)
}

// TestThereAndBack copies each kind of database to each, and on to one of the
// first kind, which must be as the first one was.
func TestThereAndBack(t *testing.T) {
	if testing.Short() {
		t.Skip("ten seconds")
	}
	t.Parallel()
	for _, from := range kinds() {
		first := from.filled(t, 20)
		for _, over := range kinds() {
			t.Run(from.name+" to "+over.name+" and back", func(t *testing.T) {
				second, third := over.empty(t), from.empty(t)
				counts, seen, err := move(t, from, first, over, second, nil)
				require.NoError(t, err)
				require.Equal(t, watcher{}, seen)
				for _, c := range counts {
					require.True(t, c.Equal, c)
					require.Equal(t, c.Source, c.Target)
					require.Positive(t, c.Source, c.Table)
				}
				again, seen, err := move(t, from, first, over, second, nil)
				require.NoError(t, err)
				require.Equal(t, counts, again)
				require.Positive(t, seen.resumed)

				back, _, err := move(t, over, second, from, third, nil)
				require.NoError(t, err)
				require.Equal(t, counts, back)
				var lost []string
				if from.name != over.name {
					lost = inPostgresOnly()
				}
				require.Equal(t, from.whole(t, first, lost...), from.whole(t, third, lost...))
				s := over.open(t, second)
				n, err := s.Reader().OpenRuns(t.Context())
				require.NoError(t, err)
				require.NotEmpty(t, n)
				require.NoError(t, s.Close())
			})
		}
	}
}

var errCut = errors.New("cut")

// A torn sink fails after some rows, of which the last batch has a part.
type torn struct {
	transfer.Sink
	left int
}

func (b *torn) Add(ctx context.Context, t transfer.Table, rows [][]any) error {
	if b.left >= len(rows) {
		b.left -= len(rows)
		return b.Sink.Add(ctx, t, rows)
	}
	if err := b.Sink.Add(ctx, t, rows[:b.left]); err != nil {
		return err
	}
	b.left = 0
	return errCut
}

func tearAfter(rows int) func(transfer.Sink) transfer.Sink {
	return func(t transfer.Sink) transfer.Sink { return &torn{t, rows} }
}

// TestResume cuts a transfer off again and again. Until it has come to its end,
// nobody can take the target for an installation.
func TestResume(t *testing.T) {
	for _, to := range kinds() {
		t.Run(to.name, func(t *testing.T) {
			from := kinds()[0]
			source, target := from.filled(t, 15), to.empty(t)
			cuts := 0
			for have := int64(0); ; have += 23 {
				_, seen, err := move(t, from, source, to, target, tearAfter(23))
				require.Equal(t, have, seen.resumed)
				require.Empty(t, seen.again)
				if err == nil {
					break
				}
				require.ErrorIs(t, err, errCut)
				cuts++
				_, err = to.store(t.Context(), target)
				require.ErrorContains(t, err, "holds an unfinished copy of "+filepath.Join(source, sqlite.FileName))
				require.ErrorContains(t, err, "finish it with rota migrate")
				_, err = to.source(t.Context(), target)
				require.ErrorContains(t, err, "unfinished copy")
			}
			require.Greater(t, cuts, 5)
			require.NoError(t, to.open(t, target).Close())
			back := from.empty(t)
			_, _, err := move(t, to, target, from, back, nil)
			require.NoError(t, err)
			require.Equal(t, from.whole(t, source), from.whole(t, back))
		})
	}
}

// TestTheSourceGoesOn: between two starts of a transfer, a server has used the
// source.
func TestTheSourceGoesOn(t *testing.T) {
	for _, to := range kinds() {
		t.Run(to.name, func(t *testing.T) {
			from := kinds()[0]
			source, target := from.filled(t, 10), to.empty(t)
			_, _, err := move(t, from, source, to, target, func(t transfer.Sink) transfer.Sink { return &noEnd{t} })
			require.ErrorIs(t, err, errCut)
			db := raw(t, source)
			_, err = db.Exec("DELETE FROM open_runs WHERE phase = 'running'; UPDATE timers SET run_count = run_count + 1; DELETE FROM answers")
			require.NoError(t, err)
			require.NoError(t, db.Close())
			_, seen, err := move(t, from, source, to, target, nil)
			require.NoError(t, err)
			require.NotEmpty(t, seen.again)
			back := from.empty(t)
			_, _, err = move(t, to, target, from, back, nil)
			require.NoError(t, err)
			require.Equal(t, from.whole(t, source), from.whole(t, back))
		})
	}
}

// A noEnd sink has everything, and is not known to.
type noEnd struct{ transfer.Sink }

func (noEnd) Finish(context.Context) error { return errCut }

// A spoiling sink has another value in one row.
type spoiling struct {
	transfer.Sink
	table, column string
	from, to      any
}

func (s spoiling) Add(ctx context.Context, t transfer.Table, rows [][]any) error {
	if t.Name != s.table {
		return s.Sink.Add(ctx, t, rows)
	}
	at := slices.Index(t.Names(), s.column)
	which := slices.IndexFunc(rows, func(row []any) bool { return reflect.DeepEqual(row[at], s.from) })
	rows = slices.Clone(rows)
	rows[which] = slices.Clone(rows[which])
	rows[which][at] = s.to
	return s.Sink.Add(ctx, t, rows)
}

// A missing sink leaves the last row of a table out.
type missing struct {
	transfer.Sink
	table string
}

func (m missing) Add(ctx context.Context, t transfer.Table, rows [][]any) error {
	if t.Name == m.table {
		rows = rows[:len(rows)-1]
	}
	return m.Sink.Add(ctx, t, rows)
}

// A fault changes what a target gets.
type fault struct {
	what, table string
	in          func(transfer.Sink) transfer.Sink
}

func faults() []fault {
	other := func(what, table, column string, from, to any) fault {
		return fault{what, table, func(t transfer.Sink) transfer.Sink { return spoiling{t, table, column, from, to} }}
	}
	return []fault{
		{"a row is missing", "runs", func(t transfer.Sink) transfer.Sink { return missing{t, "runs"} }},
		other("an empty text is NULL", "agents", "description", "", nil),
		other("a NULL is an empty text", "schedules", "name", nil, ""),
		other("a number is another", "timers", "backlog", int64(3), int64(4)),
		other("a boolean is another", "agents", "parallel_tool_calls", int64(1), int64(0)),
		other("an empty BLOB has a byte", "answers", "body", []byte{}, []byte{0}),
	}
}

// TestADifferenceIsFound, and the next start mends it.
func TestADifferenceIsFound(t *testing.T) {
	if testing.Short() {
		t.Skip("ten seconds")
	}
	t.Parallel()
	from := kinds()[0]
	source := from.filled(t, 5)
	for _, to := range kinds() {
		for _, f := range faults() {
			t.Run(to.name+": "+f.what, func(t *testing.T) {
				target := to.empty(t)
				counts, _, err := move(t, from, source, to, target, f.in)
				require.ErrorContains(t, err, "the table "+f.table+" of the target is not that of the source")
				for _, c := range counts {
					require.Equal(t, c.Table != f.table, c.Equal, c)
				}
				_, err = to.store(t.Context(), target)
				require.ErrorContains(t, err, "unfinished copy")
				_, _, err = move(t, from, source, to, target, nil)
				require.NoError(t, err)
			})
		}
	}
}

// TestTextThatPostgreSQLCannotHold: the store refuses it, but others write to
// files too.
func TestTextThatPostgreSQLCannotHold(t *testing.T) {
	from, to := kinds()[0], kinds()[1]
	for _, text := range []string{"CAST(x'6100' AS TEXT)", "CAST(x'ff' AS TEXT)"} {
		dir := from.filled(t, 3)
		db := raw(t, dir)
		_, err := db.Exec("UPDATE agents SET name = " + text + " WHERE id = ''")
		require.NoError(t, err)
		require.NoError(t, db.Close())
		_, _, err = move(t, from, dir, to, to.empty(t), nil)
		require.ErrorContains(t, err, "copy the table agents: the column name of the row")
		require.ErrorContains(t, err, "text that PostgreSQL cannot hold")
		other := from.empty(t)
		_, _, err = move(t, from, dir, from, other, nil)
		require.NoError(t, err)
		require.Equal(t, from.whole(t, dir), from.whole(t, other))
	}
}

// TestOtherTables: a schema may have tables of others, which stay where they
// are.
func TestOtherTables(t *testing.T) {
	k := kinds()[1]
	source, target := k.filled(t, 3), k.empty(t)
	postgrestest.Exec(t, source, `CREATE TABLE theirs (a INET); DROP TABLE IF EXISTS run_events;
		CREATE TABLE run_events (id BIGINT PRIMARY KEY); INSERT INTO run_events VALUES (1)`)
	_, seen, err := move(t, k, source, k, target, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"theirs"}, seen.ignored)
}

// TestOtherColumns: only the columns that PostgreSQL alone has may stay behind.
func TestOtherColumns(t *testing.T) {
	k := kinds()[1]
	source := k.filled(t, 3)
	postgrestest.Exec(t, source, `ALTER TABLE agents ADD COLUMN theirs TEXT`)
	for _, to := range kinds() {
		_, _, err := move(t, k, source, to, to.empty(t), nil)
		require.ErrorContains(t, err, "the table agents has other columns in the source than in the target")
	}
}
