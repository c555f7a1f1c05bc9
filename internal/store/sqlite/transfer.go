package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rota-run/rota/internal/store/transfer"
)

// A Whole is a database that this process has to itself, and that is read and
// written as it is rather than through queries.
type Whole struct {
	lock  *os.File
	db    *sql.DB // one connection
	place transfer.Place
	begun bool
}

// OpenSource opens the database in the directory, whose schema it brings up to
// date. It fails like [Open], with [transfer.ErrInUse] if another process has
// it open, and with [transfer.ErrNone] if there is none.
func OpenSource(ctx context.Context, dir string) (*Whole, error) {
	if _, err := os.Stat(filepath.Join(dir, FileName)); errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", transfer.ErrNone, filepath.Join(dir, FileName))
	}
	w, err := openWhole(dir)
	if err != nil {
		return nil, err
	}
	err = migrate(ctx, w.db)
	if err == nil {
		err = complete(ctx, w.db)
	}
	return w.orClose(err)
}

// OpenTarget is like OpenSource for the other side, whose directory it makes if
// need be. A database that is new gets the marker before it gets tables. It
// fails with [transfer.ErrSame] if it is the source.
func OpenTarget(ctx context.Context, dir string, from transfer.Place) (*Whole, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the directory cannot be made: %w", err)
	}
	if p, err := placeOf(dir); err == nil && p.ID == from.ID {
		return nil, transfer.ErrSame
	}
	w, err := openWhole(dir)
	if err != nil {
		return nil, err
	}
	return w.orClose(w.prepare(ctx, from))
}

func openWhole(dir string) (*Whole, error) {
	place, err := placeOf(dir)
	if err != nil {
		return nil, err
	}
	lock, err := acquire(filepath.Join(dir, FileName+".lock"))
	if errors.Is(err, errHeld) {
		return nil, fmt.Errorf("%w: %s", transfer.ErrInUse, filepath.Join(dir, FileName))
	}
	if err != nil {
		return nil, err
	}
	w := &Whole{lock: lock, place: place}
	path := filepath.Join(dir, FileName)
	if err := create(path); err != nil {
		return w.orClose(err)
	}
	if path, err = filepath.Abs(path); err != nil {
		return w.orClose(err)
	}
	if w.db, err = sql.Open("sqlite", dsn(path, writePragmas)); err != nil {
		return w.orClose(err)
	}
	w.db.SetMaxOpenConns(1)
	return w, nil
}

func placeOf(dir string) (transfer.Place, error) {
	dir, err := filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	return transfer.Place{ID: "sqlite:" + dir, Name: filepath.Join(dir, FileName)}, err
}

// orClose returns the database, or closes it after an error.
func (w *Whole) orClose(err error) (*Whole, error) {
	if err == nil {
		return w, nil
	}
	return nil, errors.Join(explain(w.place.Name, err), w.Close())
}

// prepare makes the tables of a target, which may hold a part of a copy.
func (w *Whole) prepare(ctx context.Context, from transfer.Place) error {
	installed, err := has(ctx, w.db, "goose_db_version")
	if err != nil {
		return err
	}
	if !installed {
		if err := w.Begin(ctx, from); err != nil {
			return err
		}
	}
	if err := migrate(ctx, w.db); err != nil {
		return err
	}
	if !installed {
		if err := transfer.Empty(ctx, transfer.Target{Source: w, Sink: w}); err != nil {
			return err
		}
	}
	source, begun, err := marker(ctx, w.db)
	w.begun = begun
	if err == nil && begun && source.ID != from.ID {
		err = transfer.Another(source)
	}
	return err
}

// complete returns an error if the database has the marker.
func complete(ctx context.Context, db *sql.DB) error {
	source, begun, err := marker(ctx, db)
	if err == nil && begun {
		err = transfer.Unfinished(source)
	}
	return err
}

func marker(ctx context.Context, db *sql.DB) (source transfer.Place, begun bool, err error) {
	begun, err = has(ctx, db, transfer.Marker)
	if err == nil && begun {
		err = db.QueryRowContext(ctx, "SELECT "+transfer.MarkerColumns+" FROM "+transfer.Marker).Scan(&source.ID, &source.Name)
	}
	return source, begun, err
}

func has(ctx context.Context, db *sql.DB, table string) (yes bool, err error) {
	err = db.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?)", table).Scan(&yes)
	return yes, err
}

// Place implements [transfer.Source].
func (w *Whole) Place() transfer.Place { return w.place }

// Tables implements [transfer.Source].
func (w *Whole) Tables(ctx context.Context) ([]transfer.Table, error) {
	return tables(ctx, w.db)
}

// Freeze implements [transfer.Source]: the lock of the file is enough.
func (w *Whole) Freeze(context.Context, []transfer.Table) error { return nil }

// Count implements [transfer.Source].
func (w *Whole) Count(ctx context.Context, t transfer.Table) (n int64, err error) {
	err = w.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+transfer.Quote(t.Name)).Scan(&n)
	return n, err
}

// Rows implements [transfer.Source].
func (w *Whole) Rows(ctx context.Context, t transfer.Table, after []any, limit int64, row func([]any) error) error {
	query, args := t.Select(after, limit, "")
	rows, err := w.db.QueryContext(ctx, query, args...)
	if err != nil {
		return w.failed(err)
	}
	defer rows.Close()
	for rows.Next() {
		values := make([]any, len(t.Columns))
		if err := rows.Scan(pointers(values)...); err != nil {
			return err
		}
		for i, v := range values {
			if b, ok := v.([]byte); ok && b == nil {
				values[i] = []byte{} // the driver's empty BLOB
			}
		}
		if err := row(values); err != nil {
			return err
		}
	}
	return w.failed(rows.Err())
}

func pointers(values []any) []any {
	out := make([]any, len(values))
	for i := range values {
		out[i] = &values[i]
	}
	return out
}

// Begun implements [transfer.Sink].
func (w *Whole) Begun() bool { return w.begun }

// Begin implements [transfer.Sink].
func (w *Whole) Begin(ctx context.Context, from transfer.Place) error {
	return w.transact(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS "+transfer.Marker+" (id TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT"); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO "+transfer.Marker+" ("+transfer.MarkerColumns+") SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM "+transfer.Marker+")",
			from.ID, from.Name)
		return err
	})
}

// Finish implements [transfer.Sink].
func (w *Whole) Finish(ctx context.Context) error {
	_, err := w.db.ExecContext(ctx, "DROP TABLE "+transfer.Marker)
	return err
}

// Add implements [transfer.Sink].
func (w *Whole) Add(ctx context.Context, t transfer.Table, rows [][]any) error {
	return w.transact(ctx, func(tx *sql.Tx) error {
		insert, err := tx.PrepareContext(ctx, t.Insert())
		if err != nil {
			return err
		}
		defer insert.Close()
		for _, row := range rows {
			if _, err := insert.ExecContext(ctx, row...); err != nil {
				return err
			}
		}
		return nil
	})
}

// Clear implements [transfer.Sink].
func (w *Whole) Clear(ctx context.Context, tables []transfer.Table) error {
	return w.transact(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "PRAGMA defer_foreign_keys = 1"); err != nil { // until the commit
			return err
		}
		for _, t := range tables {
			if _, err := tx.ExecContext(ctx, "DELETE FROM "+transfer.Quote(t.Name)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *Whole) transact(ctx context.Context, fn func(*sql.Tx) error) error {
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		_ = tx.Rollback() // the error before it says more
		return w.failed(err)
	}
	return w.failed(tx.Commit())
}

// failed says where it was that the database failed.
func (w *Whole) failed(err error) error {
	if what := condition(err); what != "" {
		return fmt.Errorf("%s: %s: %w", w.place.Name, what, err)
	}
	return err
}

// Close closes the database and lets go of its lock.
func (w *Whole) Close() error {
	var err error
	if w.db != nil {
		err = w.db.Close()
	}
	return errors.Join(err, w.lock.Close())
}
