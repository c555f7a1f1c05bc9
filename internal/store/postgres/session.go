package postgres

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// session are parameters that Rota sets for its sessions, unless the URL does, or the
// server does not have them. They are set by statements: a pooler refuses parameters at
// the start that it does not know.
type session map[string]string

var ordinary = session{
	"idle_in_transaction_session_timeout": strconv.FormatInt(idleInTransaction.Milliseconds(), 10),
}

// watched is for sessions that hold a lock or listen: PostgreSQL notices within
// seconds when this process is gone, and does not end them because nothing is said.
var watched = session{
	"idle_session_timeout": "0", // PostgreSQL 14
	"tcp_keepalives_idle":  "1", "tcp_keepalives_interval": "1", "tcp_keepalives_count": "2",
}

// on lets the connections of config begin with these parameters as well.
func (s session) on(config *pgx.ConnConfig) {
	var rows []string
	for _, name := range slices.Sorted(maps.Keys(s)) {
		if config.RuntimeParams[name] == "" {
			rows = append(rows, fmt.Sprintf("('%s','%s')", name, s[name]))
		}
	}
	if len(rows) == 0 {
		return
	}
	set := "SELECT set_config(name, to_be, false) FROM pg_catalog.pg_settings JOIN (VALUES " + strings.Join(rows, ",") + ") v(name, to_be) USING (name)"
	before, timeout := config.AfterConnect, cmp.Or(config.ConnectTimeout, connectTimeout)
	config.AfterConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		if before != nil {
			if err := before(ctx, conn); err != nil {
				return err
			}
		}
		return begin(ctx, conn, set, timeout)
	}
}

// begin sets parameters. A pooler whose sessions are all in use lets clients wait
// here.
func begin(ctx context.Context, conn *pgconn.PgConn, set string, timeout time.Duration) error {
	soon, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, err := conn.Exec(soon, set).ReadAll()
	if err != nil && soon.Err() != nil && ctx.Err() == nil {
		return errFull
	}
	return err
}

func (s *Store) connect(ctx context.Context) (*pgx.Conn, error) {
	return connect(ctx, s.pool.Config().ConnConfig)
}

// connect opens a connection outside of the pool. PostgreSQL notices within seconds
// when this process is gone. It changes config.
func connect(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	watched.on(config)
	return pgx.ConnectConfig(ctx, config)
}

func setDefault(params map[string]string, name, value string) {
	if params[name] == "" {
		params[name] = value
	}
}
