//go:build linux

package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
)

// TestALargePage: a page of 60 MB takes less memory than it has bytes.
func TestALargePage(t *testing.T) {
	t.Parallel()
	const rows, each = 20, 3_000_000
	model := gatewaytest.New(t)
	model.Default(gatewaytest.Text(strings.Repeat("x", each)))
	dir := t.TempDir()
	s := start(t, dir, "--model-url", model.URL)
	a, err := s.client().Agents.Create(t.Context(), rota.AgentCreate{Name: "a", Model: "m"})
	require.NoError(t, err)
	for range rows {
		_, err := s.client().Runs.Create(t.Context(), a.ID, rota.RunCreate{Input: rota.InputText("x")})
		require.NoError(t, err)
	}
	awaitNoOpenRuns(t, s)
	require.NoError(t, s.stop(syscall.SIGTERM))

	s = start(t, dir) // whose peak is of the page alone
	before := peakMiB(t, s)
	page, err := client.New(s.url, key, client.WithMaxAnswer(1<<30)).Runs.List(t.Context(), a.ID, rota.Page{Limit: rows})
	require.NoError(t, err)
	bytes := 0
	for _, r := range page.Data {
		bytes += len(r.GatewayResponse.RawMessage)
	}
	require.Greater(t, bytes, rows*each)
	took := peakMiB(t, s) - before
	t.Logf("a page of %d MB took %d MiB", bytes/1_000_000, took)
	require.Less(t, took, bytes>>20)
}

// peakMiB returns the most memory that a server has had.
func peakMiB(t *testing.T, s *server) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(status), "VmHWM:")
	require.True(t, found)
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	require.NoError(t, err)
	return kb >> 10
}
