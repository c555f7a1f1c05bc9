package sqlite_test

import (
	"database/sql"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/build"
	"github.com/rota-run/rota/internal/store"
	"github.com/rota-run/rota/internal/store/sqlite"
	"github.com/rota-run/rota/internal/store/storetest"
)

var update = flag.Bool("update", false, "write schema.sql anew")

func open(t testing.TB, dir string, o sqlite.Options) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), dir, o)
	require.NoError(t, err)
	return s
}

// TestStore runs the suite, and then looks at how SQLite carries out every
// statement that the suite made.
func TestStore(t *testing.T) {
	var all statements
	t.Run("suite", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) store.Store {
			return &recorded{Store: open(t, t.TempDir(), sqlite.Options{}), into: &all}
		})
	})
	t.Run("plans", func(t *testing.T) { checkPlans(t, all.seen) })
}

type statements struct {
	mu   sync.Mutex
	seen map[string]bool
}

// A recorded store keeps what it has prepared when it is closed.
type recorded struct {
	*sqlite.Store
	into *statements
}

func (r *recorded) Close() error {
	r.into.mu.Lock()
	defer r.into.mu.Unlock()
	if r.into.seen == nil {
		r.into.seen = make(map[string]bool)
	}
	maps.Copy(r.into.seen, r.Prepared())
	return r.Store.Close()
}

// scans are parts of the statements that may read a whole table, or sort, and why.
var scans = map[string]string{
	"SELECT DISTINCT o.provider FROM open_runs":           "at the start of the engine, once",
	"SELECT o.owner, o.provider, COUNT(*) FROM":           "by the index of what is worked on, which is bounded",
	"UPDATE open_runs SET provider = ":                    "at the start of the engine, once",
	"string_agg(i.item, ',' ORDER BY i.position)":         "the items of one response are put in their order",
	"UPDATE open_responses SET lease_until = ":            "the responses that are under way, which are few",
	"WITH RECURSIVE chain":                                "its own rows, one a turn: what it looks up is by index, and they are sorted",
	"WITH RECURSIVE ring":                                 "its own rows, which are bounded: what it looks up is by index",
	"WITH RECURSIVE descendant":                           "its own rows, one a key that descends: what it looks up is by index, and they are sorted",
	"WITH RECURSIVE each_account":                         "its own rows, one an account: what it looks up is by index",
	"UPDATE open_runs SET phase = 'waiting' WHERE":        "at the start of the engine, once",
	"SELECT o.run_id, t.policy, o.history FROM open_runs": "at the start of the engine, once",
	"SELECT w.run_id FROM open_runs w WHERE w.phase = ?":  "the runs that are open, which are bounded by what runs and waits",
	"IN (SELECT s.id FROM schedules s WHERE":              "the ledgers of one agent or end user are put in the order of time",
	"ORDER BY COALESCE(s.name":                            "so many schedules at most are sorted: see whole",
	"ORDER BY a.name":                                     "the same",
	"ORDER BY COALESCE(t.next_run_at":                     "the same",
	"SELECT v.schedule_id, s.agent_id, v.version":         "at most a hundred versions of one schedule are put in their order",
	"SELECT s.id, s.public, s.sealed":                     "the signing keys are few, and all are wanted",
	"SELECT o.phase, COUNT(*) FROM open_runs":             "a count for the operator, of work that is bounded by what runs and waits",
	"SELECT a.id, a.account, a.end_user FROM agents a":    "once a minute, and for each step of a purge: the open runs, which are bounded by what runs and waits",
	"SELECT l.account, l.limits FROM account_limits l":    "the accounts that have limits of their own are few, and all are wanted",
	"SELECT p.end_user, CAST(SUM(p.bytes)":                "what was read by index, a bounded part, is summed",
	"SELECT COUNT(*) FROM timers t":                       "a count for the operator, by the index of those that are paused",
}

func checkPlans(t *testing.T, seen map[string]bool) {
	require.Greater(t, len(seen), 50, "the suite makes every statement")
	db := openRaw(t, migrated(t))
	excused := make(map[string]bool)
	for _, query := range slices.Sorted(maps.Keys(seen)) {
		plan := strings.NewReplacer("SCAN CONSTANT ROW", "", "SCAN given", "", "SCAN m VIRTUAL", "", "SCAN rows_of_page", "").Replace(explain(t, db, query)) // the arguments, members of one row, and what is counted, which is bounded
		if !strings.Contains(plan, "SCAN ") && !strings.Contains(plan, "USE TEMP B-TREE") {
			continue
		}
		if excuse(query, excused) {
			continue
		}
		t.Errorf("%s\n%s", query, plan)
	}
	require.Len(t, excused, len(scans), "an exception that is not needed: %v", excused)
}

// excuse notes every exception that holds for a statement, and reports whether there is one.
func excuse(query string, excused map[string]bool) (found bool) {
	for part := range scans {
		if strings.Contains(query, part) {
			excused[part], found = true, true
		}
	}
	return found
}

func explain(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	if strings.HasPrefix(query, "BEGIN") || strings.Contains(query, "SAVEPOINT") || strings.HasSuffix(query, " one") ||
		query == "COMMIT" || query == "ROLLBACK" {
		return ""
	}
	rows, err := db.Query("EXPLAIN QUERY PLAN "+query, make([]any, strings.Count(query, "?"))...)
	require.NoError(t, err)
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		require.NoError(t, rows.Scan(&id, &parent, &unused, &detail))
		plan = append(plan, detail)
	}
	require.NoError(t, rows.Err())
	return strings.Join(plan, "\n")
}

// migrated returns the path of an empty database with the schema.
func migrated(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, open(t, dir, sqlite.Options{}).Close())
	return filepath.Join(dir, sqlite.FileName)
}

func openRaw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// TestSchemaGolden keeps schema.sql, which is for people, true to the migrations.
func TestSchemaGolden(t *testing.T) {
	db := openRaw(t, migrated(t))
	rows, err := db.Query(`SELECT sql FROM sqlite_schema
		WHERE sql IS NOT NULL AND tbl_name NOT LIKE 'goose_%' AND tbl_name NOT LIKE 'sqlite_%'
		ORDER BY tbl_name, type DESC, name`)
	require.NoError(t, err)
	defer rows.Close()
	got := "-- The schema after all migrations. Written by go test ./internal/store/sqlite -run Golden -update.\n"
	for rows.Next() {
		var one string
		require.NoError(t, rows.Scan(&one))
		got += "\n" + one + ";\n"
	}
	require.NoError(t, rows.Err())
	if *update {
		require.NoError(t, os.WriteFile("schema.sql", []byte(got), 0o644))
	}
	want, err := os.ReadFile("schema.sql")
	require.NoError(t, err)
	require.Equal(t, string(want), got, "run with -update")
}

// TestReopen: what was written is there again, and migrations run once.
func TestReopen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "when needed")
	s := open(t, dir, sqlite.Options{})
	add(t, s, "first")
	require.NoError(t, s.Close())
	s = open(t, dir, sqlite.Options{})
	defer s.Close()
	require.Equal(t, []string{"first"}, names(t, s))
}

// TestDevelopmentFile: a file from before the first release is refused, and
// stays as it is.
func TestDevelopmentFile(t *testing.T) {
	dir := t.TempDir()
	statements, err := os.ReadFile(filepath.Join("testdata", "development.sql"))
	require.NoError(t, err)
	db := openRaw(t, filepath.Join(dir, sqlite.FileName))
	_, err = db.Exec(string(statements))
	require.NoError(t, err)
	const names = `SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema ORDER BY name)`
	before := one(t, db, names)
	_, err = sqlite.Open(t.Context(), dir, sqlite.Options{})
	require.ErrorContains(t, err, "was written by a development version of Rota from before the first release")
	require.Equal(t, before, one(t, db, names))
	require.Equal(t, "Digest", one(t, db, `SELECT name FROM agents`))
}

func one(t *testing.T, db *sql.DB, query string) (value string) {
	t.Helper()
	require.NoError(t, db.QueryRow(query).Scan(&value))
	return value
}

// TestHistory: the file says which version of Rota wrote its schema.
func TestHistory(t *testing.T) {
	db := openRaw(t, migrated(t))
	require.Equal(t, "1 "+build.Version(), one(t, db, `SELECT version || ' ' || written_by FROM schema_versions`))
	require.Len(t, one(t, db, `SELECT fingerprint FROM schema_versions`), 64)
}
