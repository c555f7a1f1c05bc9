package postgres

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/jackc/pgx/v5"
)

// probes is how often two connections are compared. Once is enough, unless other
// clients of a pooler get in between.
const probes = 5

// errPooler says that a connection is not a session.
var errPooler = errors.New("a pooler in front of it gives each transaction another session. Locks and notifications belong to a session: " +
	"connect to PostgreSQL itself, or set the pooler to session mode (PgBouncer: pool_mode = session)")

// checkPooler returns errPooler if a pooler lends the session of conn to other
// connections, or gives conn another one. It marks the session: conn must see that
// mark, and a second connection must not. Without such a pooler, neither can fail.
func checkPooler(ctx context.Context, conn *pgx.Conn, config *pgx.ConnConfig) error {
	other, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer closeConn(other)
	for range probes {
		mark := rand.Text()
		if _, err := conn.Exec(ctx, "SELECT set_config('rota.session', $1, false)", pgx.QueryExecModeExec, mark); err != nil {
			return err
		}
		for connection, want := range map[*pgx.Conn]bool{other: false, conn: true} {
			var seen bool
			err := connection.QueryRow(ctx, "SELECT COALESCE(current_setting('rota.session', true) = $1, false)", pgx.QueryExecModeExec, mark).Scan(&seen)
			if err != nil {
				return err
			}
			if seen != want {
				return errPooler
			}
		}
	}
	return nil
}
