package sqlite_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
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

// BenchmarkBackup copies 375 MB while 20 changes a second are committed.
func BenchmarkBackup(b *testing.B) {
	const each, atOnce, bytes = 20_000, 75, 375_000_000
	dir := b.TempDir()
	s := open(b, dir, sqlite.Options{})
	defer s.Close()
	for i := range bytes / (2 * each) / atOnce { // an agent and its first version
		var agents []rota.Agent
		for j := range atOnce {
			agents = append(agents, namedAgent(fmt.Sprint(i, j), strings.Repeat("x", each)))
		}
		require.NoError(b, addAgents(b.Context(), s, agents...))
	}
	ctx, stop := context.WithCancel(b.Context())
	var writing sync.WaitGroup
	writing.Go(func() {
		tick := time.NewTicker(time.Second / 20)
		defer tick.Stop()
		for n := 0; ctx.Err() == nil; n++ {
			require.NoError(b, addAgents(context.Background(), s, namedAgent(fmt.Sprint("w", n), "x")))
			<-tick.C
		}
	})
	defer writing.Wait()
	defer stop()
	for i := 0; b.Loop(); i++ {
		size, err := sqlite.Backup(b.Context(), dir, filepath.Join(b.TempDir(), fmt.Sprint(i)))
		require.NoError(b, err)
		b.SetBytes(size)
	}
}
