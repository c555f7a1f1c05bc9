package temporaltest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// ErrNotBuilt says that the server has to be built first.
var ErrNotBuilt = errors.New("there is no Temporal server to test with; build it with: make temporal")

// Binary returns the path of the server, or ErrNotBuilt.
func Binary() (string, error) {
	source, err := sourceDir()
	if err != nil {
		return "", err
	}
	path, err := cached(source)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", ErrNotBuilt
	}
	return path, nil
}

// Build builds the server unless it is there, and returns its path. It takes
// minutes. When several processes want it at once, one builds it and the others
// wait. What the compiler says goes to log.
func Build(ctx context.Context, log io.Writer) (string, error) {
	source, err := sourceDir()
	if err != nil {
		return "", err
	}
	path, err := cached(source)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(filepath.Dir(path), "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	fmt.Fprintln(log, "building a Temporal server, once, into", path)
	half := path + ".new"
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", half, ".")
	build.Dir, build.Stdout, build.Stderr = source, log, log
	if err := build.Run(); err != nil {
		return "", fmt.Errorf("build the Temporal server: %w", err)
	}
	return path, os.Rename(half, path)
}

// sourceDir returns the folder of the module that the server is built from.
func sourceDir() (string, error) {
	mod, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	return filepath.Join(filepath.Dir(strings.TrimSpace(string(mod))), "test", "temporal"), nil
}

// cached returns where the server that source builds is kept: outside of the
// repository, and under a name that follows from all that it is built from.
func cached(source string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	names, err := filepath.Glob(filepath.Join(source, "*.*"))
	if err != nil {
		return "", err
	}
	h := sha256.New()
	io.WriteString(h, runtime.Version())
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(h, filepath.Base(name), len(b))
		h.Write(b)
	}
	return filepath.Join(cache, "rota", "temporal-"+hex.EncodeToString(h.Sum(nil)[:6])), nil
}

// lock waits for a lock that one process at a time can hold.
func lock(path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f.Close, nil
}
