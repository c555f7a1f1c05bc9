package app

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/rota-run/rota/internal/store/sqlite"
)

// keepPrivate takes the rights of all others from the data directory and from the
// server's files in it. What it cannot change is named in one warning. A directory
// that is everybody's, such as /tmp, or has directories in it, as /etc has, stays as it is:
// the server makes none there, and so it was not meant for the server alone.
func keepPrivate(dir string, log *slog.Logger) {
	if s, err := os.Stat(dir); err == nil && !s.IsDir() {
		return // nothing can be kept in it
	}
	var mended, exposed []string
	note := func(path string, err error) {
		if err != nil {
			exposed = append(exposed, path)
			return
		}
		mended = append(mended, path)
	}
	if open, err := isOpen(dir); open {
		note(dir, errors.Join(err, makePrivate(dir)))
	}
	for _, name := range append(sqlite.Names(), secretFile) {
		path := filepath.Join(dir, name)
		if open, err := isOpen(path); open {
			note(path, errors.Join(err, makePrivate(path)))
		}
	}
	if len(mended) > 0 {
		log.Info("other users of the machine could reach the data; now only the server's user can", "paths", mended)
	}
	if len(exposed) > 0 {
		log.Warn("other users of the machine can reach the data, and this process may not change that: the directory should have the mode 0700, its files 0600", "paths", exposed)
	}
}

const others = 0o077 // the rights of group and others

// isOpen reports whether others than its owner may use a file or a directory that
// is there.
func isOpen(path string) (bool, error) {
	s, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return false, nil
	}
	if err != nil {
		return true, err
	}
	return s.Mode().Perm()&others != 0, nil
}

// isOwn reports whether there are no directories in a directory, but that which a file
// system has at its top.
func isOwn(dir string) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.IsDir() && e.Name() != "lost+found" })
}

func makePrivate(path string) error {
	s, err := os.Stat(path)
	if err != nil {
		return err
	}
	if s.IsDir() && (s.Mode()&fs.ModeSticky != 0 || filepath.Dir(path) == path || !isOwn(path)) {
		return errors.New("the directory is not the server's alone")
	}
	return os.Chmod(path, s.Mode().Perm()&^others)
}
