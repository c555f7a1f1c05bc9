package e2e

import (
	"archive/zip"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
)

// zoneDir makes a directory with zone data of a release in which a zone has the clock
// of another.
func zoneDir(t *testing.T, release, zone, clock string) string {
	t.Helper()
	builtin, err := zip.OpenReader("../../internal/zoneinfo/builtin.zip")
	require.NoError(t, err)
	defer builtin.Close()
	dir := t.TempDir()
	write := func(name string, content []byte) {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, content, 0o644))
	}
	write("+VERSION", []byte(release))
	for name, from := range map[string]string{"Etc/UTC": "Etc/UTC", zone: clock} {
		f, err := builtin.Open(from)
		require.NoError(t, err)
		content, err := io.ReadAll(f)
		require.NoError(t, err)
		write(name, content)
	}
	return dir
}

// TestNewZoneDataMoveSchedules: a server that starts with other zone data than the one
// before plans its schedules by them.
func TestNewZoneDataMoveSchedules(t *testing.T) {
	dir, zone := t.TempDir(), "Asia/Kathmandu"
	before, now := zoneDir(t, "2027a", zone, "Etc/GMT-5"), zoneDir(t, "2027b", zone, "Etc/GMT-7")
	s := start(t, dir, "--demo", "--zoneinfo", before)
	a, err := s.client().Agents.Create(t.Context(), rota.AgentCreate{Name: "a", Model: "echo"})
	require.NoError(t, err)
	make := func(spec rota.Spec) rota.Schedule {
		sch, err := s.client().Schedules.Create(t.Context(), a.ID, rota.ScheduleCreate{Spec: spec, Input: rota.InputText("hi")})
		require.NoError(t, err)
		return sch
	}
	nine := make(rota.Spec{Type: rota.Cron, CronExpression: "0 9 * * *", Timezone: zone})
	utc := make(rota.Spec{Type: rota.Cron, CronExpression: "0 9 * * *", Timezone: "UTC"})
	interval := make(rota.Spec{Type: rota.Interval, IntervalSeconds: 86400, Timezone: zone})
	require.Equal(t, 4, nine.NextRunAt.UTC().Hour())
	require.NoError(t, s.stop(syscall.SIGTERM))

	read := func(c *client.Client, sch rota.Schedule) rota.Instant {
		got, err := c.Schedules.Get(t.Context(), a.ID, sch.ID)
		require.NoError(t, err)
		return *got.NextRunAt
	}
	for range 2 {
		s = start(t, dir, "--demo", "--zoneinfo", now)
		require.Eventually(t, func() bool { return read(s.client(), nine).UTC().Hour() == 2 }, 10*time.Second, 20*time.Millisecond)
		next := read(s.client(), nine)
		require.True(t, next.After(time.Now()) && next.Before(time.Now().Add(24*time.Hour)), "the next is at %s", next)
		require.Equal(t, *utc.NextRunAt, read(s.client(), utc))
		require.Equal(t, *interval.NextRunAt, read(s.client(), interval))
		require.NoError(t, s.stop(syscall.SIGTERM))
		if now != before {
			require.Contains(t, s.logs.String(), "planned anew by other time zone data")
			require.Regexp(t, `before=2027a-\w+ now=2027b-\w+ schedules=[3-9] changed=1\b`, s.logs.String())
		}
		before = now
	}
	require.NotContains(t, s.logs.String(), "planned anew by other time zone data", "the second start has nothing to plan")
}
