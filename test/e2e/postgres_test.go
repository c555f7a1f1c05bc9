package e2e

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
)

const password = "secret-of-the-database"

// withPassword returns the URL with a password, which the server does not ask
// for.
func withPassword(databaseURL string) string { return databaseURL + "&password=" + password }

// TestPostgreSQL: a server keeps its schedules in PostgreSQL, and a later one
// goes on with them. Nobody is told the password.
func TestPostgreSQL(t *testing.T) {
	databaseURL := withPassword(postgrestest.URL(t))
	env := []string{"ROTA_BOOTSTRAP_KEY=" + key, "ROTA_DATABASE=" + databaseURL}
	first := launch(t, t.TempDir(), env, "--log-level", "debug")
	require.NotEmpty(t, first.url, first.logs)
	_, ran := everySecond(t, first)
	ran(first, 2)
	require.NoError(t, first.stop(syscall.SIGTERM))

	second := launch(t, t.TempDir(), env)
	ran(second, 4)
	require.NoError(t, second.stop(syscall.SIGTERM))
	for _, s := range []*server{first, second} {
		require.NotContains(t, s.said.String()+s.logs.String(), password)
	}
}

func TestAPasswordIsNeverShown(t *testing.T) {
	for _, databaseURL := range []string{
		"postgres://u:" + password + "@127.0.0.1:1/d", "postgres://u:" + password + "/@127.0.0.1/d", "mysql://u:" + password + "@h/d",
	} {
		s := launch(t, t.TempDir(), []string{"ROTA_DATABASE=" + databaseURL})
		<-s.exited
		require.NotZero(t, s.cmd.ProcessState.ExitCode())
		require.Contains(t, s.logs.String(), "--database")
		require.NotContains(t, s.said.String()+s.logs.String(), password)
	}
	path, err := binary()
	require.NoError(t, err)
	help := exec.Command(path, "serve", "--help")
	help.Env = append(help.Environ(), "ROTA_DATABASE=postgres://u:"+password+"@h/d")
	out, err := help.CombinedOutput()
	require.NoError(t, err)
	require.Contains(t, string(out), "$ROTA_DATABASE")
	require.False(t, strings.Contains(string(out), password))
}

// everySecond makes a schedule that fires every second, and returns it and a
// function that waits until a server says that it has run so often.
func everySecond(t *testing.T, by *server) (s rota.Schedule, ran func(by *server, runs int64)) {
	t.Helper()
	a, err := by.client().Agents.Create(t.Context(), rota.AgentCreate{Name: "a", Model: "echo"})
	require.NoError(t, err)
	s, err = by.client().Schedules.Create(t.Context(), a.ID, rota.ScheduleCreate{
		Spec: rota.Spec{Type: rota.Interval, IntervalSeconds: 1}, Input: rota.InputText("hi"),
	})
	require.NoError(t, err)
	return s, func(by *server, runs int64) {
		require.Eventually(t, func() bool {
			s, err := by.client().Schedules.Get(t.Context(), a.ID, s.ID)
			return err == nil && s.RunCount >= runs
		}, time.Minute, 50*time.Millisecond)
	}
}
