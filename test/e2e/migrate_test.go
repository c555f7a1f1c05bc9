package e2e

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
)

// A moving is one life of rota migrate.
type moving struct {
	cmd   *exec.Cmd
	said  strings.Builder // standard output
	lines *bufio.Scanner  // standard error
}

func startMoving(t *testing.T, source, target string) *moving {
	t.Helper()
	path, err := binary()
	require.NoError(t, err)
	m := &moving{cmd: exec.Command(path, "migrate", source, target)}
	m.cmd.Stdout = &m.said
	logs, err := m.cmd.StderrPipe()
	require.NoError(t, err)
	m.lines = bufio.NewScanner(logs)
	require.NoError(t, m.cmd.Start())
	return m
}

// end waits for the end of the process, and returns its exit code and what it
// has written.
func (m *moving) end() (code int, said, logs string) {
	for m.lines.Scan() {
		logs += m.lines.Text() + "\n"
	}
	_ = m.cmd.Wait()
	return m.cmd.ProcessState.ExitCode(), m.said.String(), logs
}

// killAfter kills the process when it has written a line that begins so. It
// reports whether that came before its end.
func (m *moving) killAfter(prefix string) bool {
	for m.lines.Scan() && !strings.HasPrefix(m.lines.Text(), prefix) {
	}
	_ = m.cmd.Process.Kill()
	m.end()
	return m.cmd.ProcessState.ExitCode() != 0
}

// grow makes thousands of rows of the few that a server has written.
func grow(t *testing.T, dir string) {
	t.Helper()
	l := openLedger(t, dir)
	for _, statement := range []string{
		`CREATE TEMP TABLE n AS WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 30000) SELECT n FROM n`,
		`CREATE TEMP TABLE one AS SELECT * FROM runs ORDER BY id LIMIT 1`,
		`UPDATE one SET input = input || char(128690, 769)`,
		`CREATE TEMP TABLE some AS SELECT * FROM one JOIN n`,
		`UPDATE some SET id = printf('arun_0%031d', n)`,
		`ALTER TABLE some DROP COLUMN n`,
		`INSERT INTO runs SELECT * FROM some`,
		`INSERT INTO answers SELECT 'default', '', n, x'', randomblob(n % 300), n FROM n WHERE n <= 3000`,
	} {
		_, err := l.Exec(statement)
		require.NoError(t, err, statement)
	}
	require.NoError(t, l.Close())
}

// sameRows compares two files, table by table.
func sameRows(t *testing.T, dir, other string) {
	t.Helper()
	l := openLedger(t, dir)
	l.SetMaxOpenConns(1)
	_, err := l.Exec("ATTACH ? AS other", filepath.Join(other, "rota.db"))
	require.NoError(t, err)
	rows, err := l.Query(`SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'goose_%'`)
	require.NoError(t, err)
	var tables []string
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		tables = append(tables, name)
	}
	require.NoError(t, rows.Close())
	require.Greater(t, len(tables), 7)
	for _, table := range tables {
		require.Zero(t, l.count(t, "SELECT COUNT(*) FROM (SELECT * FROM main."+table+" EXCEPT SELECT * FROM other."+table+")"), table)
		require.Equal(t, l.count(t, "SELECT COUNT(*) FROM main."+table), l.count(t, "SELECT COUNT(*) FROM other."+table), table)
	}
}

// TestMigrate moves an installation from a file to PostgreSQL, is killed on the
// way, and again; and moves it back. A server goes on with it.
func TestMigrate(t *testing.T) {
	t.Parallel()
	databaseURL := withPassword(postgrestest.Empty(t))
	dir, back := t.TempDir(), t.TempDir()
	s := start(t, dir)
	sch, ran := everySecond(t, s)
	ran(s, 2)

	code, said, logs := startMoving(t, "sqlite://"+dir, databaseURL).end()
	require.Equal(t, 1, code)
	require.Equal(t, "rota: migrate: the source: a server is using the database: "+filepath.Join(dir, "rota.db")+": stop every server that has it\n", logs)
	require.Empty(t, said)
	require.NoError(t, s.stop(syscall.SIGTERM))
	grow(t, dir)

	require.True(t, startMoving(t, "sqlite://"+dir, databaseURL).killAfter("copied agents"))
	refused := launch(t, t.TempDir(), []string{"ROTA_DATABASE=" + databaseURL})
	<-refused.exited
	require.Contains(t, refused.logs.String(), "holds an unfinished copy of "+filepath.Join(dir, "rota.db"))
	require.NotContains(t, refused.logs.String(), password)
	for _, after := range []string{"copied answers", "copied runs", "copied timers", "comparing runs", "comparing timers"} {
		t.Log("killed: ", startMoving(t, "sqlite://"+dir, databaseURL).killAfter(after))
	}
	for _, move := range [][2]string{{"sqlite://" + dir, databaseURL}, {databaseURL, "sqlite://" + back}} {
		code, said, logs = startMoving(t, move[0], move[1]).end()
		require.Zero(t, code, logs)
		require.Regexp(t, `(?m)^runs +30\d\d\d +30\d\d\d +same$`, said)
		require.NotContains(t, said+logs, password)
	}
	sameRows(t, dir, back)
	goesOn(t, databaseURL, sch.AgentID, sch.ID)
}

// goesOn starts a server that must fire the schedule, and know its first run.
func goesOn(t *testing.T, databaseURL string, a rota.AgentID, id rota.ScheduleID) {
	t.Helper()
	s := launch(t, t.TempDir(), []string{"ROTA_DATABASE=" + databaseURL})
	require.NotEmpty(t, s.url, s.logs)
	c := s.client()
	old, err := c.Schedules.Occurrences(t.Context(), a, id, rota.OccurrenceFilter{Outcome: rota.Fired}, rota.Page{Ascending: true, Limit: 1})
	require.NoError(t, err)
	run, err := c.Runs.Get(t.Context(), a, *old.Data[0].RunID)
	require.NoError(t, err)
	require.Equal(t, rota.RunCompleted, run.Status)
	before, err := c.Schedules.Get(t.Context(), a, id)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		now, err := c.Schedules.Get(t.Context(), a, id)
		return err == nil && now.RunCount >= before.RunCount+2
	}, time.Minute, 50*time.Millisecond)

	code, _, logs := startMoving(t, databaseURL, "sqlite://"+t.TempDir()).end()
	require.Equal(t, 1, code)
	require.Contains(t, logs, "the source: open the database ")
	require.Contains(t, logs, "a server is using the database: stop every server that has it")
	require.NotContains(t, logs, password)
	require.NoError(t, s.stop(syscall.SIGTERM))
}

// TestDevelopmentFile: rota serve and rota migrate refuse a file from before the
// first release, and say what to do.
func TestDevelopmentFile(t *testing.T) {
	t.Parallel()
	dir, target := t.TempDir(), t.TempDir()
	statements, err := os.ReadFile("../../internal/store/sqlite/testdata/development.sql")
	require.NoError(t, err)
	l := openLedger(t, dir)
	_, err = l.Exec(string(statements))
	require.NoError(t, err)
	require.NoError(t, l.Close())

	const says = "it was written by a development version of Rota from before the first release"
	s := launch(t, dir, nil)
	<-s.exited
	require.Equal(t, 1, s.cmd.ProcessState.ExitCode())
	require.Contains(t, s.logs.String(), filepath.Join(dir, "rota.db")+": "+says)
	require.Contains(t, s.logs.String(), "give this one an empty database or directory")
	code, _, logs := startMoving(t, "sqlite://"+dir, "sqlite://"+target).end()
	require.Equal(t, 1, code)
	require.Contains(t, logs, "rota: migrate: the source: open "+filepath.Join(dir, "rota.db")+": "+says)
}
