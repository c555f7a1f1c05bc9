package chaos

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/engine/temporal/temporaltest"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
)

// A cluster is everything that runs Rota.
type cluster struct {
	apis, workers []*process
	postgres      *postgrestest.Restartable
	temporal      *temporaltest.Server
	faults        *faults
	log           *slog.Logger // of what is killed and started

	mu      sync.Mutex // guards what follows
	kills   map[string]int
	outages map[string]outage
}

// An outage is when a server was down.
type outage struct{ from, to time.Time }

// startCluster starts two processes that serve the API, three that work, and
// what they need. Logs go to dir.
func startCluster(t *testing.T, modelURL, dir string, f *faults) *cluster {
	diary, err := os.Create(filepath.Join(dir, "chaos.log"))
	require.NoError(t, err)
	t.Cleanup(func() { diary.Close() })
	c := &cluster{faults: f, log: slog.New(slog.NewTextHandler(diary, nil)), kills: make(map[string]int), outages: make(map[string]outage)}
	c.postgres = postgrestest.StartRestartable(t, freeAddress(t))
	c.temporal = &temporaltest.Server{Address: freeAddress(t), File: filepath.Join(t.TempDir(), "temporal.db")}
	require.NoError(t, c.temporal.Start())
	t.Cleanup(c.temporal.Kill)
	binary := build(t)
	add := func(role string) *process {
		p := &process{
			name: fmt.Sprintf("%s%d", role, len(c.apis)+len(c.workers)), role: role, binary: binary, model: modelURL, dir: dir, faults: f,
			flags: []string{"--engine", "temporal", "--temporal-address", c.temporal.Address},
			env:   []string{"ROTA_BOOTSTRAP_KEY=" + key, "ROTA_DATABASE=" + c.postgres.URL()},
		}
		p.start(t.Context())
		t.Cleanup(func() { p.end(syscall.SIGKILL) })
		return p
	}
	for range 2 {
		c.apis = append(c.apis, add("api"))
	}
	for range 3 {
		c.workers = append(c.workers, add("worker"))
	}
	return c
}

// freeAddress returns an address where nothing listens, and that the system gives
// to no connection while a server is down.
func freeAddress(t *testing.T) string {
	for {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(10_000)))
		if err == nil {
			require.NoError(t, l.Close())
			return l.Addr().String()
		}
		require.NoError(t, t.Context().Err())
	}
}

// torment kills one process after the other until ctx ends, and starts each
// again.
func (c *cluster) torment(ctx context.Context, rng *rand.Rand) {
	all := append(append([]*process(nil), c.apis...), c.workers...)
	for {
		pause(ctx, time.Second+time.Duration(rng.IntN(3000))*time.Millisecond)
		if ctx.Err() != nil {
			return
		}
		p := all[rng.IntN(len(all))]
		c.count(p.role)
		c.log.Info("killed", "what", p.name)
		p.end(syscall.SIGKILL)
		pause(ctx, time.Duration(rng.IntN(2000))*time.Millisecond)
		starting, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		p.start(starting)
		cancel()
		c.log.Info("started", "what", p.name)
	}
}

// fail kills a server after a while, and starts it again after another.
func (c *cluster) fail(ctx context.Context, name string, after, pausing time.Duration, s interface {
	Kill()
	Start() error
},
) {
	pause(ctx, after)
	if ctx.Err() != nil {
		return
	}
	c.count(name)
	c.log.Info("killed", "what", name)
	o := outage{from: time.Now()}
	s.Kill()
	pause(ctx, pausing)
	if err := s.Start(); err != nil {
		c.faults.add("%s does not start again: %v", name, err)
	}
	o.to = time.Now()
	c.log.Info("started", "what", name)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outages[name] = o
}

func (c *cluster) count(kind string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kills[kind]++
}

// process returns the process with a name.
func (c *cluster) process(name string) *process {
	for _, p := range c.workers {
		if p.name == name {
			return p
		}
	}
	return nil
}
