package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"github.com/rota-run/rota/internal/build"
)

// Migrate brings a schema up to date by the files in the folder migrations. It
// writes nothing, and returns an error that says which version of Rota wrote the
// schema and what to do, if that was a newer one, or a development version whose
// migrations were others.
func Migrate(ctx context.Context, db *sql.DB, d goose.Dialect, files fs.FS) error {
	p, h, err := provider(db, d, files)
	if err != nil {
		return err
	}
	have, known, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if have > 0 {
		if err := h.check(ctx, db, have, known); err != nil {
			return err
		}
	}
	_, err = p.Up(ctx)
	return err
}

// Check returns an error unless Migrate would bring the schema up to date. It writes
// nothing. A database without a schema of Rota is an error too.
func Check(ctx context.Context, db *sql.DB, d goose.Dialect, files fs.FS) error {
	p, h, err := provider(db, d, files)
	if err != nil {
		return err
	}
	there, err := h.TableExists(ctx, db)
	if err != nil {
		return err
	}
	if !there {
		return errors.New("it is not a database of Rota")
	}
	have, known, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	return h.check(ctx, db, have, known)
}

// Current returns an error unless the schema is the one that Migrate would make. It
// writes nothing.
func Current(ctx context.Context, db *sql.DB, d goose.Dialect, files fs.FS) error {
	if err := Check(ctx, db, d, files); err != nil {
		return err
	}
	p, _, err := provider(db, d, files)
	if err != nil {
		return err
	}
	if ahead, err := p.HasPending(ctx); err != nil || !ahead {
		return err
	}
	return fmt.Errorf("its tables are older than this version of Rota (%s): start a server of this version once, or use the rota of the server that runs",
		build.Version())
}

func provider(db *sql.DB, d goose.Dialect, files fs.FS) (*goose.Provider, history, error) {
	files, err := fs.Sub(files, "migrations")
	if err != nil {
		return nil, history{}, err
	}
	h, err := newHistory(d, files)
	if err != nil {
		return nil, h, err
	}
	p, err := goose.NewProvider(goose.DialectCustom, db, files, goose.WithStore(h))
	return p, h, err
}

// check returns an error unless this program knows the migrations that the
// schema has, each as it was when it was carried out.
func (h history) check(ctx context.Context, db *sql.DB, have, known int64) error {
	entries, err := h.entries(ctx, db)
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		return fmt.Errorf("it was written by a development version of Rota from before the first release, which this one (%s) cannot read: "+
			orEmpty, build.Version())
	}
	last := entries[len(entries)-1]
	if have > known {
		return fmt.Errorf("it was written by Rota %s, a newer version than this one (%s): run that version, or a newer one",
			last.writtenBy, build.Version())
	}
	for _, e := range entries {
		if e.fingerprint != h.fingerprints[e.version] {
			return fmt.Errorf("it was written by Rota %s, a development version whose tables are not those of this one (%s): "+
				orEmpty, e.writtenBy, build.Version())
		}
	}
	if int64(len(entries)) != have {
		return errors.New("the table " + HistoryTable + " does not say who wrote each version of the schema")
	}
	return nil
}

const orEmpty = "run the build that wrote it, or give this one an empty database or directory"
