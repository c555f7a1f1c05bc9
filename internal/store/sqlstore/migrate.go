package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// Migrate brings a schema up to date by the files in the folder migrations. It
// refuses a database that a newer program has used.
func Migrate(ctx context.Context, db *sql.DB, d goose.Dialect, files fs.FS) error {
	files, err := fs.Sub(files, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(d, db, files)
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return err
	}
	have, known, err := p.GetVersions(ctx)
	if err == nil && have > known {
		err = errors.New("the database has been used by a newer version of Rota")
	}
	return err
}
