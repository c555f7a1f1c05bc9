package postgres

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	besides = 2 // connections of a process that are not of its pool: for the leader's lock, and to listen

	fullFor   = time.Second           // how long no further connection is tried when the database takes no more
	fullAgain = 20 * time.Millisecond // between two looks for a connection that is free
)

// errFull says that the database takes no more connections now.
var errFull = errors.New("the database takes no more connections")

// full reports whether a connection could not be opened because there are too many.
// A PgBouncer has no SQLSTATE for that.
func full(err error) bool {
	var connect *pgconn.ConnectError
	var server *pgconn.PgError
	return errors.Is(err, errFull) || errors.As(err, &connect) && errors.As(err, &server) &&
		(server.Code == "53300" || strings.HasPrefix(server.Message, "no more connections allowed"))
}

// A pool is connections that callers share. Who finds none free waits, also when
// the database takes no more than there are.
type pool struct {
	*pgxpool.Pool
	refused *atomic.Int64 // when the database last took no more, in Unix nanoseconds
	log     *slog.Logger
}

func openPool(ctx context.Context, config *pgxpool.Config, log *slog.Logger) (pool, error) {
	p := pool{refused: new(atomic.Int64), log: log}
	config.BeforeConnect = func(context.Context, *pgx.ConnConfig) error {
		if time.Now().UnixNano()-p.refused.Load() < int64(fullFor) {
			return errFull
		}
		return nil
	}
	var err error
	p.Pool, err = pgxpool.NewWithConfig(ctx, config)
	return p, err
}

// patiently calls do until it does not fail for want of a connection, or ctx ends.
func (p pool) patiently(ctx context.Context, do func() error) error {
	for {
		err := do()
		if !full(err) {
			return err
		}
		if !errors.Is(err, errFull) {
			p.refused.Store(time.Now().UnixNano())
			p.log.Warn("the database takes no more connections: requests wait for those that there are; lower --database-pool-size, or raise the limit of the database",
				"connections", p.Stat().TotalConns(), "pool_size", p.Config().MaxConns)
		}
		if wait(ctx, fullAgain) != nil {
			return err
		}
	}
}

// Acquire is that of the pool.
func (p pool) Acquire(ctx context.Context) (conn *pgxpool.Conn, err error) {
	err = p.patiently(ctx, func() error {
		conn, err = p.Pool.Acquire(ctx)
		return err
	})
	return conn, err
}

// AcquireFunc is that of the pool.
func (p pool) AcquireFunc(ctx context.Context, do func(*pgxpool.Conn) error) error {
	conn, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	return do(conn)
}

// Query is that of the pool.
func (p pool) Query(ctx context.Context, query string, args ...any) (rows pgx.Rows, err error) {
	err = p.patiently(ctx, func() error {
		rows, err = p.Pool.Query(ctx, query, args...)
		return err
	})
	return rows, err
}

// Exec is that of the pool.
func (p pool) Exec(ctx context.Context, query string, args ...any) (tag pgconn.CommandTag, err error) {
	err = p.patiently(ctx, func() error {
		tag, err = p.Pool.Exec(ctx, query, args...)
		return err
	})
	return tag, err
}

// scan runs a query that returns one row.
func (p pool) scan(ctx context.Context, dest []any, query string, args ...any) error {
	return p.AcquireFunc(ctx, func(c *pgxpool.Conn) error { return c.QueryRow(ctx, query, args...).Scan(dest...) })
}

// fit makes the pool smaller, with a warning, if it and the process's other
// connections are more than the server, the database or the role allows.
func fit(ctx context.Context, conn *pgx.Conn, config *pgxpool.Config, log *slog.Logger) error {
	var limit int32
	err := conn.QueryRow(ctx, `SELECT CASE WHEN r.rolsuper THEN s.most ELSE LEAST(s.most, NULLIF(r.rolconnlimit, -1), NULLIF(d.datconnlimit, -1)) END
		FROM (SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
			- COALESCE(current_setting('reserved_connections', true)::int, 0) most) s, pg_roles r, pg_database d
		WHERE r.rolname = session_user AND d.datname = current_database()`).Scan(&limit)
	if err != nil {
		return err
	}
	if room := max(1, limit-besides); config.MaxConns > room {
		log.Warn("the pool of connections is made smaller: the server, the database or the role allows no more; set --database-pool-size",
			"connections_allowed", limit, "pool_size", room, "pool_size_wanted", config.MaxConns)
		config.MaxConns = room
		config.MinConns, config.MinIdleConns = min(config.MinConns, room), min(config.MinIdleConns, room)
	}
	return nil
}
