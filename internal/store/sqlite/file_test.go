package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlite"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

var fileOwner = rota.Owner{Account: "acme"}

func namedAgent(name, instructions string) rota.Agent {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return rota.Agent{
		ID: rota.AgentID("agt_" + name), CreatedAt: rota.InstantOf(at), UpdatedAt: rota.InstantOf(at),
		AgentConfig: rota.AgentConfig{Name: name, Model: "mock/m", Instructions: &instructions, ToolChoice: rota.AnyOf("auto")},
	}
}

func addAgents(ctx context.Context, s *sqlite.Store, agents ...rota.Agent) error {
	return s.Update(ctx, func(ctx context.Context, tx sqlstore.Queries) error {
		for _, a := range agents {
			if err := tx.AddAgent(ctx, fileOwner, a); err != nil {
				return err
			}
		}
		return nil
	})
}

func add(t *testing.T, s *sqlite.Store, name string) {
	t.Helper()
	require.NoError(t, addAgents(t.Context(), s, namedAgent(name, "")))
}

// list returns the names of all agents.
func list(ctx context.Context, s *sqlite.Store) ([]string, error) {
	l, err := s.Agents(ctx, fileOwner, false, rota.Page{Limit: 10_000, Ascending: true})
	var out []string
	for _, a := range l.Data {
		out = append(out, a.Name)
	}
	return out, err
}

func names(t *testing.T, s *sqlite.Store) []string {
	t.Helper()
	got, err := list(t.Context(), s)
	require.NoError(t, err)
	return got
}

// TestMain lets a test start this program again as another process.
func TestMain(m *testing.M) {
	switch dir := os.Getenv("ROTA_TEST_DIR"); os.Getenv("ROTA_TEST_CHILD") {
	case "open":
		os.Exit(report(holdOpen(dir)))
	case "full":
		os.Exit(report(fillLimited(dir)))
	}
	os.Exit(m.Run())
}

func report(err error) int {
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// child returns this program as another process, in the given role.
func child(t *testing.T, role, dir string) *exec.Cmd {
	c := exec.CommandContext(t.Context(), "/proc/self/exe")
	c.Env = append(os.Environ(), "ROTA_TEST_CHILD="+role, "ROTA_TEST_DIR="+dir)
	c.Stderr = os.Stderr
	return c
}

// holdOpen opens the database, says so, and keeps it open until its input ends.
func holdOpen(dir string) error {
	s, err := sqlite.Open(context.Background(), dir, sqlite.Options{})
	if err != nil {
		return err
	}
	fmt.Println("open")
	io.Copy(io.Discard, os.Stdin)
	return s.Close()
}

const lockedMessage = "another process has this database open"

func TestSecondOpen(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, sqlite.Options{})
	_, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
	require.ErrorContains(t, err, lockedMessage)
	require.ErrorContains(t, err, "--data")

	out, err := child(t, "open", dir).Output()
	require.Error(t, err)
	require.Contains(t, string(out), lockedMessage)
	require.NoError(t, s.Close())
}

func TestLockOfDeadProcess(t *testing.T) {
	dir := t.TempDir()
	c := child(t, "open", dir)
	stdin, err := c.StdinPipe()
	require.NoError(t, err)
	defer stdin.Close()
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	word := make([]byte, len("open"))
	_, err = io.ReadFull(out, word)
	require.NoError(t, err)

	_, err = sqlite.Open(t.Context(), dir, sqlite.Options{})
	require.ErrorContains(t, err, lockedMessage)
	require.NoError(t, c.Process.Kill())
	require.Error(t, c.Wait())
	s := open(t, dir, sqlite.Options{})
	add(t, s, "after")
	require.NoError(t, s.Close())
}

const nobody = 65534

// openAsNobody opens the database as a user whom permissions bind, and
// returns what was said.
func openAsNobody(t *testing.T, dir string) string {
	t.Helper()
	c := child(t, "open", dir)
	if os.Getuid() == 0 {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		top := dir
		for filepath.Dir(top) != os.TempDir() {
			top = filepath.Dir(top)
		}
		require.NoError(t, filepath.Walk(top, func(path string, _ os.FileInfo, err error) error {
			return errors.Join(err, os.Chown(path, nobody, nobody))
		}))
	}
	out, err := c.Output()
	require.Error(t, err)
	return string(out)
}

func TestReadOnlyDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	require.NoError(t, os.Mkdir(dir, 0o500))
	require.Contains(t, openAsNobody(t, dir), "the data directory cannot be written")
	require.Contains(t, openAsNobody(t, filepath.Join(dir, "below")), "the data directory cannot be made")
}

func TestReadOnlyFile(t *testing.T) {
	path := migrated(t)
	require.NoError(t, os.Chmod(path, 0o400))
	require.Contains(t, openAsNobody(t, filepath.Dir(path)), "the database file cannot be written")
}

// grown returns the directory of a database with a few hundred pages.
func grown(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	s := open(t, dir, sqlite.Options{})
	var agents []rota.Agent
	for i := range 300 {
		agents = append(agents, namedAgent(fmt.Sprintf("%03d", i), strings.Repeat("x", 3000)))
	}
	require.NoError(t, addAgents(t.Context(), s, agents...))
	require.NoError(t, s.Close())
	return dir
}

func TestDamagedFile(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(whole []byte) []byte
		says   string
	}{
		"not a database":  {func(whole []byte) []byte { return bytes.Repeat([]byte("garbage "), len(whole)/8) }, "the file is not a database"},
		"header":          {func(whole []byte) []byte { copy(whole, "garbage garbage "); return whole }, "the file is not a database"},
		"half of it gone": {func(whole []byte) []byte { return whole[:len(whole)/2] }, "the database file is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := grown(t)
			damage(t, dir, c.damage)
			_, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, filepath.Join(dir, sqlite.FileName))
		})
	}
}

// TestDamagedPage: damage that nobody has met yet is met by those who read it,
// and by nobody else.
func TestDamagedPage(t *testing.T) {
	dir := grown(t)
	damage(t, dir, func(whole []byte) []byte {
		const page = 4096
		for i := len(whole) / 2 / page * page; i < len(whole)*3/4; i++ {
			whole[i] = 0xff
		}
		return whole
	})
	s := open(t, dir, sqlite.Options{})
	_, err := list(t.Context(), s)
	require.ErrorIs(t, err, rota.Unavailable)
	require.ErrorContains(t, err, "the database file is damaged")
	require.NotContains(t, rota.Public(err).Msg, dir)
	_, err = s.Agent(t.Context(), fileOwner, "agt_000")
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

func damage(t *testing.T, dir string, how func([]byte) []byte) {
	t.Helper()
	path := filepath.Join(dir, sqlite.FileName)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Greater(t, len(whole), 100*4096, "the log has been moved into the file")
	require.NoError(t, os.WriteFile(path, how(whole), 0o600))
}

// TestFullDisk fills a small disk, or, where a test may not mount one, a limit
// on the size of files takes its place. The limit is tested in any case.
func TestFullDisk(t *testing.T) {
	out, err := child(t, "full", t.TempDir()).Output()
	require.NoError(t, err, "%s", out)

	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Logf("no small disk here: %v", err)
		return
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	s := open(t, dir, sqlite.Options{})
	defer s.Close()
	err = outgrow(s, func() error { return syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=64m") })
	require.NoError(t, err)
}

// fillLimited runs in a process of its own, because its limit is on everything
// that the process writes.
func fillLimited(dir string) error {
	s, err := sqlite.Open(context.Background(), dir, sqlite.Options{})
	if err != nil {
		return err
	}
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		return err
	}
	small := syscall.Rlimit{Cur: 2 << 20, Max: before.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &small); err != nil {
		return err
	}
	err = outgrow(s, func() error { return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before) })
	return errors.Join(err, s.Close())
}

// outgrow writes until there is no room, makes room, and goes on.
func outgrow(s *sqlite.Store, makeRoom func() error) error {
	ctx, written := context.Background(), 0
	pair := func() (first, second rota.Agent) {
		text := strings.Repeat("x", 100_000)
		return namedAgent(fmt.Sprintf("%03d-a", written), text), namedAgent(fmt.Sprintf("%03d-b", written), text)
	}
	var err error
	for ; err == nil && written < 100; written++ {
		a, b := pair()
		err = addAgents(ctx, s, a, b)
	}
	written-- // the last pair failed
	if !errors.Is(err, rota.Unavailable) || !strings.Contains(err.Error(), "the disk that holds the database") {
		return fmt.Errorf("a full disk is not told: %w", err)
	}
	if err := whole(ctx, s, written); err != nil {
		return err
	}
	if err := makeRoom(); err != nil {
		return err
	}
	a, b := pair()
	if err := addAgents(ctx, s, a, b); err != nil {
		return fmt.Errorf("with room again: %w", err)
	}
	return whole(ctx, s, written+1)
}

// whole checks that the pairs that were confirmed are there, and nothing else.
func whole(ctx context.Context, s *sqlite.Store, pairs int) error {
	got, err := list(ctx, s)
	if err != nil {
		return fmt.Errorf("read on a full disk: %w", err)
	}
	if len(got) != 2*pairs || pairs == 0 {
		return fmt.Errorf("%d pairs were confirmed, %d agents are there", pairs, len(got))
	}
	return nil
}
