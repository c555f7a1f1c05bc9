// Package soak attacks the memory of a server in every way that is known, all at once,
// while a tenant who means no harm goes on with its work. The server must neither die
// nor use more memory than it says, and the tenant must be served.
//
// It is run by make soak.
package soak

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	duration = flag.Duration("soak.duration", 0, "how long the attacks last; without it, the test is skipped")
	binary   = flag.String("soak.binary", "", "the program to attack; empty builds it")
)

// limit is how many MiB a server with the default --memory-budget may ever have had.
const limit = 512

func TestSoak(t *testing.T) {
	if *duration == 0 {
		t.Skip("takes minutes: make soak")
	}
	m := startModel(t)
	s := startServer(t, build(t), m.URL)
	a := newAttacks(t, s)
	n := newNeighbour(t, s)

	ctx, cancel := context.WithTimeout(t.Context(), *duration)
	defer cancel()
	var group sync.WaitGroup
	group.Go(func() { n.live(ctx) })
	group.Go(func() { s.watch(ctx, cancel) })
	a.run(ctx, &group)
	group.Wait()

	s.report(t)
	a.report(t)
	n.report(t)
}

// build returns the path of the program.
func build(t *testing.T) string {
	if *binary != "" {
		return *binary
	}
	path := filepath.Join(t.TempDir(), "rota")
	cmd := exec.Command("go", "build", "-trimpath", "-o", path, "github.com/rota-run/rota/cmd/rota")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return path
}
