// Package chaos runs Rota as a cluster would: processes that serve the API and
// processes that work, over a PostgreSQL and a Temporal server. While schedules
// fire and callers call, it kills them all, at random, again and again. When all
// is quiet, it counts.
//
// It is run by make chaos. The seed that it logs makes the same choices again,
// though not at the same moments.
package chaos

import (
	"context"
	"flag"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	duration = flag.Duration("chaos.duration", 0, "how long things are killed; without it, the test is skipped")
	seed     = flag.Uint64("chaos.seed", 0, "of what is random; 0 takes another each time")
)

func TestChaos(t *testing.T) {
	if *duration == 0 {
		t.Skip("takes minutes: make chaos")
	}
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("-chaos.seed=%d", *seed)
	chance := func(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(*seed, stream)) }

	f := new(faults)
	dir := logs(t)
	m := startModel(t, chance(1))
	c := startCluster(t, m.URL, dir, f)
	l := newLoad(c, chance(2))
	end := time.Now().Add(*duration)
	l.prepare(t, end)

	ctx, cancel := context.WithDeadline(t.Context(), end)
	defer cancel()
	var group sync.WaitGroup
	group.Go(func() { l.press(ctx) })
	group.Go(func() { c.torment(ctx, chance(3)) })
	when := chance(4)
	down := func() time.Duration { return time.Duration(500+when.IntN(4000)) * time.Millisecond }
	first, second := down(), down()
	group.Go(func() { c.fail(ctx, "postgres", *duration/3, first, c.postgres) })
	group.Go(func() { c.fail(ctx, "temporal", *duration*2/3, second, c.temporal) })
	group.Wait()

	k := newCounting(t, l, m)
	k.awaitQuiet(t)
	k.count(t)
	k.report(t)
	f.report(t)
}

// logs returns a directory for logs, which stays there if the test fails.
func logs(t *testing.T) string {
	dir, err := os.MkdirTemp("", "rota-chaos-")
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the logs are in %s", dir)
			return
		}
		os.RemoveAll(dir)
	})
	return dir
}
