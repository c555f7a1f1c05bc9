package postgres

import (
	"context"
	"errors"
	"hash/fnv"

	"github.com/jackc/pgx/v5"
)

// exclude takes the lock that one process at a time can hold of a schema. The
// server lets go of it when the connection ends.
func exclude(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	taken, err := tryLock(ctx, conn)
	if err == nil && !taken {
		err = errors.New("another process has this database open: stop it first")
	}
	if err != nil {
		conn.Close(ctx)
		return nil, err
	}
	return conn, nil
}

func tryLock(ctx context.Context, conn *pgx.Conn) (taken bool, err error) {
	var schema string
	if err := conn.QueryRow(ctx, "SELECT current_schema()").Scan(&schema); err != nil {
		return false, err
	}
	h := fnv.New32a()
	h.Write([]byte(schema))
	err = conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1, $2)", lockEngine, int32(h.Sum32())).Scan(&taken)
	return taken, err
}
