package postgres

import (
	"context"
	"embed"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/rota-run/rota/internal/store/sqlstore"
	"github.com/rota-run/rota/internal/store/transfer"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Advisory locks are two numbers. These are the first ones; what the second
// means, each says. Package sqlstore has others.
const (
	lockMigrate int32 = 0x726f7401 + iota // 0: there is one schema to bring up to date
	lockLeader                            // a hash of the schema of which the process is the leader
	lockServer                            // a hash of the schema that the process serves; many share it
)

// migrate brings the schema up to date, on a server that [checkServer] has not refused, while no other process does. conn holds the
// lock from then on.
func migrate(ctx context.Context, conn *pgx.Conn, config *pgx.ConnConfig, log *slog.Logger) error {
	l := lock{lockMigrate, 0, "migration"}
	err := l.await(ctx, conn, log, func() (taken bool, err error) {
		err = conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1, 0)", lockMigrate).Scan(&taken)
		return taken, err
	})
	if err != nil {
		return err
	}
	db := stdlib.OpenDB(*config)
	defer db.Close()
	return sqlstore.Migrate(ctx, db, goose.DialectPostgres, migrations)
}

// current returns an error unless the schema is there and up to date.
func current(ctx context.Context, conn *pgx.Conn, config *pgx.ConnConfig, _ *slog.Logger) error {
	installed, err := has(ctx, conn, "goose_db_version")
	if err != nil {
		return err
	}
	if !installed {
		return transfer.ErrNone
	}
	db := stdlib.OpenDB(*config)
	defer db.Close()
	return sqlstore.Current(ctx, db, goose.DialectPostgres, migrations)
}

// checkServer refuses a server or a database that cannot hold what Rota keeps.
func checkServer(ctx context.Context, conn *pgx.Conn) error {
	var version int
	var name, encoding string
	err := conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, current_setting('server_version'),
		current_setting('server_encoding')`, pgx.QueryExecModeExec).Scan(&version, &name, &encoding)
	switch {
	case err != nil:
		return err
	case version < minVersion:
		return fmt.Errorf("the server is PostgreSQL %s, and must be 13 or newer", name)
	case encoding != "UTF8":
		return fmt.Errorf("the database keeps text as %s, and must keep it as UTF8 (createdb --encoding UTF8 --template template0)", encoding)
	}
	return nil
}
