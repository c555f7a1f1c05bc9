package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/store/postgres"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
	"github.com/rota-run/rota/internal/store/storetest"
)

// benchStore is on a server that writes for keeps.
func benchStore(b *testing.B) *postgres.Store {
	b.Helper()
	postgrestest.Durable(b)
	s := open(b, postgrestest.URL(b), postgres.Options{})
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	return s
}

func BenchmarkFireDue(b *testing.B) { storetest.BenchmarkFireDue(b, benchStore(b)) }

func BenchmarkCycle(b *testing.B) { storetest.BenchmarkCycle(b, benchStore(b)) }

func BenchmarkUpdate(b *testing.B) { storetest.BenchmarkUpdate(b, benchStore(b)) }

func BenchmarkSpend(b *testing.B) { storetest.BenchmarkSpend(b, benchStore(b)) }

// BenchmarkLimit is what a fire costs at least: 100 of 100,000 rows are taken by
// their index, moved on, and a row for each is written elsewhere, in one
// statement. It is what BenchmarkFireDue is measured against.
func BenchmarkLimit(b *testing.B) {
	postgrestest.Durable(b)
	conn := connect(b, postgrestest.URL(b))
	for _, query := range []string{
		"CREATE TABLE due (id TEXT PRIMARY KEY, at BIGINT NOT NULL)",
		"CREATE TABLE fired (id TEXT, at BIGINT, PRIMARY KEY (id, at))",
		"INSERT INTO due SELECT 'sched_' || md5(i::text), i / 100 FROM generate_series(1, 100000) i",
		"CREATE INDEX due_at ON due (at)",
		"ANALYZE due",
	} {
		_, err := conn.Exec(b.Context(), query)
		require.NoError(b, err)
	}
	for b.Loop() {
		tag, err := conn.Exec(b.Context(), `WITH taken AS (SELECT id, at FROM due ORDER BY at LIMIT 100 FOR UPDATE SKIP LOCKED),
			moved AS (UPDATE due SET at = due.at + 1000 FROM taken WHERE due.id = taken.id)
			INSERT INTO fired SELECT id, at FROM taken`)
		require.NoError(b, err)
		require.EqualValues(b, 100, tag.RowsAffected())
	}
	b.ReportMetric(float64(100*b.N)/b.Elapsed().Seconds(), "fires/s")
}
