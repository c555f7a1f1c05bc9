package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/store"
	"github.com/rota-run/rota/internal/store/postgres"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
	"github.com/rota-run/rota/internal/store/storetest"
)

func open(tb testing.TB, databaseURL string, o postgres.Options) *postgres.Store {
	tb.Helper()
	s, err := postgres.Open(tb.Context(), databaseURL, o)
	require.NoError(tb, err)
	return s
}

func connect(t testing.TB, databaseURL string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), databaseURL)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close(context.Background())) })
	return conn
}

// TestStore runs the suite, and then looks at how PostgreSQL would carry out
// every statement that the suite made.
func TestStore(t *testing.T) {
	if testing.Short() {
		t.Skip("half a minute")
	}
	var all statements
	traced := func(t *testing.T) store.Store { return open(t, postgrestest.URL(t), postgres.Tracing(&all)) }
	t.Run("suite", func(t *testing.T) { storetest.Run(t, traced) })
	t.Run("external", func(t *testing.T) { storetest.RunExternal(t, traced) })
	t.Run("events", func(t *testing.T) { testEvents(t, postgres.Tracing(&all)) })
	t.Run("plans", func(t *testing.T) { checkPlans(t, all.seen) })
}

// statements is a tracer that keeps what it sees.
type statements struct {
	mu   sync.Mutex
	seen map[string]bool
}

func (s *statements) note(query string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = make(map[string]bool)
	}
	s.seen[query] = true
}

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	s.note(d.SQL)
	return ctx
}

func (s *statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (s *statements) TraceBatchStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceBatchStartData) context.Context {
	for _, q := range d.Batch.QueuedQueries {
		s.note(q.SQL)
	}
	return ctx
}

func (s *statements) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

func (s *statements) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// scans are parts of the statements that may read a whole table, or sort, and why.
var scans = map[string]string{
	"SELECT DISTINCT o.provider FROM open_runs":        "at the start of the engine, once",
	"SELECT o.owner, o.provider, COUNT(*) FROM":        "by the index of what is worked on, which is bounded",
	"UPDATE schedules SET temporal_schedule_id = NULL": "when another kind of engine has taken over",
	"IN (SELECT s.id FROM schedules s WHERE":           "the ledgers of one agent or end user are put in the order of time",
	"IN (SELECT x.id FROM agents a":                    "the same of runs",
	"ORDER BY COALESCE(s.name":                         "so many schedules at most are sorted: see whole",
	"ORDER BY a.name":                                  "the same",
	"ORDER BY COALESCE(t.next_run_at":                  "the same",
	"SELECT v.schedule_id, s.agent_id, v.version":      "at most a hundred versions of one schedule are put in their order",
	"AND a.deleted_at IS NOT NULL AND a.account":       "no agent is deleted here, and one index of none is as good as another",
	"DELETE FROM purges WHERE agent_id IN":             "an end user is deleted, which is rare; the table has a row for each agent that was purged",
	"SELECT a.id, a.account, a.end_user FROM agents a": "once a minute, and for each step of a purge: the open runs, which are bounded by what runs and waits",
	"UNION ALL SELECT m.* FROM memory_stores m":        "the memory stores of one owner and of the account are put in their order: 2,000 at most",
	"WITH RECURSIVE descendant":                        "its own rows, one a key that descends: what it looks up is by index, and they are sorted",
	"UPDATE open_responses SET lease_until = ":         "the responses that are under way, which are few",
	"SELECT version, fingerprint, written_by":          "at the start of a process, once",
	"SELECT o.phase, COUNT(*) FROM open_runs":          "a count for the operator, of work that is bounded by what runs and waits",
	"SELECT l.account, l.limits FROM account_limits l": "the accounts that have limits of their own are few, and all are wanted",
	"SELECT COUNT(*) FROM timers t":                    "a count for the operator, by the index of those that are paused",
}

func checkPlans(t *testing.T, seen map[string]bool) {
	require.Greater(t, len(seen), 50, "the suite makes every statement")
	conn := connect(t, postgrestest.URL(t))
	populate(t, conn)
	for _, setting := range []string{
		"enable_seqscan = off", "enable_bitmapscan = off", "enable_sort = off", "enable_hashjoin = off", "enable_mergejoin = off",
		"plan_cache_mode = force_generic_plan", // the one for all arguments
	} {
		_, err := conn.Exec(t.Context(), "SET "+setting)
		require.NoError(t, err)
	}
	excused := make(map[string]bool)
	for i, query := range slices.Sorted(maps.Keys(seen)) {
		flaws, plan := explain(t, conn, fmt.Sprintf("s%d", i), query)
		if len(flaws) == 0 {
			continue
		}
		if excuse(query, excused) {
			continue
		}
		t.Errorf("%v\n%s\n%s", flaws, query, plan)
	}
	require.Len(t, excused, len(scans), "an exception that is not needed: %v", excused)
}

// populate gives each table rows, and PostgreSQL an idea of them: in an empty
// table every index is as good as another.
func populate(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	for _, table := range []string{"keys", "agents", "agent_versions", "agent_references", "guests", "function_tools", "mcp_servers", "mcp_credentials", "memory_stores", "memory_entries", "schedules", "schedule_versions", "timers", "occurrences", "runs", "open_runs", "requests_spent", "answers", "run_events", "approvals", "sessions", "responses", "open_responses", "response_steps", "conversations", "items", "tallies", "tally_errors", "tally_log"} {
		rows, err := conn.Query(t.Context(), `SELECT column_name, CASE
			WHEN column_name IN ('deleted_at', 'revoked_at', 'catch_up') THEN 'NULL'
			WHEN column_name = 'status' THEN '(ARRAY[''active'', ''paused''])[i % 2 + 1]'
			WHEN column_name = 'phase' THEN '(ARRAY[''running'', ''queued'', ''waiting''])[i % 3 + 1]'
			WHEN data_type = 'text' THEN '''x'' || i' WHEN data_type = 'bigint' THEN 'i'
			WHEN data_type = 'bytea' THEN 'decode(md5(i::text), ''hex'')' ELSE 'true' END
			FROM information_schema.columns WHERE table_name = $1`, table)
		require.NoError(t, err)
		type column struct{ Name, Value string }
		columns, err := pgx.CollectRows(rows, pgx.RowToStructByPos[column])
		require.NoError(t, err)
		var names, values []string
		for _, c := range columns {
			names, values = append(names, c.Name), append(values, c.Value)
		}
		_, err = conn.Exec(t.Context(), fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM generate_series(1, 5000) i",
			table, strings.Join(names, ", "), strings.Join(values, ", ")))
		require.NoError(t, err)
	}
	_, err := conn.Exec(t.Context(), "ANALYZE")
	require.NoError(t, err)
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

// A node is one of a plan.
type node struct {
	Kind   string `json:"Node Type"`
	Cond   string `json:"Index Cond"`
	Filter string
	Plans  []node
}

// flaws are what would be slow in a table of any size: sorting, and reading all
// of it, also by way of an index. limited says that the first rows are enough.
func (n node) flaws(limited bool) []string {
	var out []string
	switch {
	case n.Kind == "Seq Scan", strings.Contains(n.Kind, "Sort"):
		out = append(out, n.Kind)
	case strings.HasPrefix(n.Kind, "Index") && n.Cond == "" && (n.Filter != "" || !limited):
		out = append(out, n.Kind+" of the whole")
	}
	for _, p := range n.Plans {
		out = append(out, p.flaws(n.Kind == "Limit")...)
	}
	return out
}

func explain(t *testing.T, conn *pgx.Conn, name, query string) (flaws []string, plan string) {
	t.Helper()
	verb, _, _ := strings.Cut(query, " ")
	if !slices.Contains([]string{"SELECT", "INSERT", "UPDATE", "DELETE"}, verb) || strings.Contains(query, "goose_") {
		return nil, ""
	}
	_, err := conn.Exec(t.Context(), "PREPARE "+name+" AS "+query)
	require.NoError(t, err, query)
	call := name
	if n := strings.Count(query, "$"); n > 0 {
		call += "(NULL" + strings.Repeat(", NULL", n-1) + ")"
	}
	require.NoError(t, conn.QueryRow(t.Context(), "EXPLAIN (FORMAT JSON) EXECUTE "+call).Scan(&plan), query)
	var top []struct{ Plan node }
	require.NoError(t, json.Unmarshal([]byte(plan), &top))
	return top[0].Plan.flaws(false), plan
}
