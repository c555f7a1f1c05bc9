package sqlite_test

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/store/sqlite"
	"github.com/rota-run/rota/internal/store/storetest"
)

func benchStore(b *testing.B, o sqlite.Options) *sqlite.Store {
	b.Helper()
	s := open(b, b.TempDir(), o)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	return s
}

func BenchmarkFireDue(b *testing.B) { storetest.BenchmarkFireDue(b, benchStore(b, sqlite.Options{})) }

func BenchmarkCycle(b *testing.B) { storetest.BenchmarkCycle(b, benchStore(b, sqlite.Options{})) }

func BenchmarkUpdate(b *testing.B) {
	var commits, updates atomic.Int64
	storetest.BenchmarkUpdate(b, benchStore(b, sqlite.Options{OnCommit: func(n int) {
		commits.Add(1)
		updates.Add(int64(n))
	}}))
	b.ReportMetric(float64(updates.Load())/float64(max(commits.Load(), 1)), "updates/commit")
}

func BenchmarkSpend(b *testing.B) { storetest.BenchmarkSpend(b, benchStore(b, sqlite.Options{})) }
