package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"

	"github.com/rota-run/rota/internal/store/sqlstore"
	"github.com/rota-run/rota/internal/store/transfer"
)

// Backup writes a copy of the database in the directory to a new file that only
// this user can read, and returns its size in bytes. A server may be using the
// database: the copy is of one moment, and writes that come meanwhile do not make it
// start over. The file has its name only when the copy is whole, checked and on disk.
// It fails with [fs.ErrExist] if there is a file of that name, and with
// [transfer.ErrNone] if there is no database.
func Backup(ctx context.Context, dir, file string) (size int64, err error) {
	source := filepath.Join(dir, FileName)
	if source, err = filepath.Abs(source); err != nil {
		return 0, err
	}
	if _, err := os.Stat(source); errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("%w: %s", transfer.ErrNone, source)
	}
	err = place(file, func(part string) error {
		if err := vacuumInto(ctx, source, part); err != nil {
			return explain(source, err)
		}
		size, err = check(ctx, part, "quick_check", func(*sql.DB) error { return nil })
		return err
	})
	return size, err
}

// vacuumInto copies a database in one read transaction.
func vacuumInto(ctx context.Context, source, part string) error {
	db, err := sql.Open("sqlite", dsnOf(source, url.Values{"mode": {"rw"}, "_pragma": {fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds())}}))
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", part)
	return err
}

// Restore puts a copy of a file that [Backup] wrote into the directory, which it
// makes if need be, as its database. It reports whether the database holds keys or
// credentials that only the server's secret opens. It fails, and changes nothing, if a server
// uses the directory, if there is a database in it, or if the file is damaged, not
// of Rota, or of a newer version than this one.
func Restore(ctx context.Context, file, dir string) (sealed bool, err error) {
	if err := restorable(file, dir); err != nil {
		return false, err
	}
	_, missing := os.Lstat(dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return false, fmt.Errorf("the data directory cannot be made: %w", err)
	}
	defer func() {
		if err != nil && errors.Is(missing, fs.ErrNotExist) {
			_ = os.Remove(filepath.Join(dir, FileName+".lock"))
			_ = os.Remove(dir) // as long as it is empty
		}
	}()
	lock, err := acquire(filepath.Join(dir, FileName+".lock"))
	if errors.Is(err, errHeld) {
		return false, fmt.Errorf("%w: %s: stop it first", transfer.ErrInUse, dir)
	}
	if err != nil {
		return false, err
	}
	defer lock.Close()
	err = place(filepath.Join(dir, FileName), func(part string) error {
		if err := copyFile(file, part); err != nil {
			return err
		}
		_, err := check(ctx, part, "integrity_check", func(db *sql.DB) (err error) {
			sealed, err = known(ctx, db)
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		return nil
	})
	return sealed, err
}

// restorable returns an error if files are in the way, or if the copy is of a
// database that is in use.
func restorable(file, dir string) error {
	for _, suffix := range []string{"", "-wal", "-journal"} {
		path := filepath.Join(dir, FileName+suffix)
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("%w: %s: move it away, with what belongs to it (%s-wal, %[3]s-shm), or name another directory", fs.ErrExist, path, FileName)
		}
	}
	for _, suffix := range []string{"-wal", "-journal"} {
		if s, err := os.Stat(file + suffix); err == nil && s.Size() > 0 {
			return fmt.Errorf("%s is part of a database that is in use or was not closed: make the copy with rota backup", file+suffix)
		}
	}
	return nil
}

// known returns an error unless this program can use the database as it is, or
// can bring it up to date.
func known(ctx context.Context, db *sql.DB) (sealed bool, err error) {
	if err := sqlstore.Check(ctx, db, goose.DialectSQLite3, migrations); err != nil {
		return false, err
	}
	if err := complete(ctx, db); err != nil {
		return false, err
	}
	for _, table := range []string{"signing_keys", "mcp_credentials"} {
		there, err := has(ctx, db, table)
		if err == nil && there {
			err = db.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM "+table+" WHERE sealed IS NOT NULL)").Scan(&sealed)
		}
		if err != nil || sealed {
			return sealed, err
		}
	}
	return false, nil
}

// check looks for damage in a file that nobody uses, and returns its size.
func check(ctx context.Context, path, pragma string, more func(*sql.DB) error) (int64, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return 0, err
	}
	db, err := sql.Open("sqlite", dsnOf(path, url.Values{"mode": {"ro"}, "immutable": {"1"}}))
	if err != nil {
		return 0, err
	}
	defer db.Close()
	found, err := texts(ctx, db, "PRAGMA "+pragma+"(1)")
	if what := condition(err); what != "" {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	if err != nil {
		return 0, err
	}
	if len(found) != 1 || found[0] != "ok" {
		return 0, fmt.Errorf("the database file is damaged: %v", found)
	}
	if err := more(db); err != nil {
		return 0, err
	}
	s, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return s.Size(), nil
}

// place gives a file its name when write has made it whole under another one. It
// never replaces a file.
func place(file string, write func(part string) error) (err error) {
	if _, err := os.Lstat(file); err == nil {
		return fmt.Errorf("%w: %s: name another file", fs.ErrExist, file)
	}
	part, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".part-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(part.Name())
	if err := errors.Join(part.Close(), write(part.Name())); err != nil {
		return err
	}
	if err := flush(part.Name()); err != nil {
		return err
	}
	if err := rename(part.Name(), file); err != nil {
		return err
	}
	return flush(filepath.Dir(file))
}

// rename fails if there is a file of the new name, where the file system knows
// hard links; elsewhere one that has come in the last moment is replaced.
func rename(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("%w: %s: name another file", fs.ErrExist, to)
	}
	return os.Rename(from, to)
}

// flush waits until a file, or the names in a directory, are on disk.
func flush(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
