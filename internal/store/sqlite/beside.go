package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"

	"github.com/rota-run/rota/internal/store/sqlstore"
	"github.com/rota-run/rota/internal/store/transfer"
)

// Beside runs fn in one transaction on the database in the directory, which a server
// may be using, and returns when it is durable. It waits some seconds for the
// server's writes. It leaves the schema as it is, and fails with [transfer.ErrNone] if
// there is no database, or if the schema is not the one of this program. fn must obey
// the rules of [Store.Update].
func Beside(ctx context.Context, dir string, fn func(context.Context, sqlstore.Queries) error) (err error) {
	path, err := filepath.Abs(filepath.Join(dir, FileName))
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s", transfer.ErrNone, path)
	}
	db, err := sql.Open("sqlite", dsnOf(path, url.Values{"mode": {"rw"}, "_pragma": writePragmas}))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := usable(ctx, db); err != nil {
		return explain(path, err)
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return explain(path, err)
	}
	w := startWriter(conn, path+"-wal", Options{})
	if err := errors.Join(w.do(ctx, fn), w.close()); condition(err) != "" {
		return explain(path, err)
	} else if err != nil {
		return err
	}
	return nil
}

// usable returns an error unless this program can write to the database as it is.
func usable(ctx context.Context, db *sql.DB) error {
	if err := sqlstore.Current(ctx, db, goose.DialectSQLite3, migrations); err != nil {
		return err
	}
	return complete(ctx, db)
}
