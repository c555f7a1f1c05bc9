package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	waitSaid  = 2 * time.Second  // before the log says what is waited for
	waitAgain = 10 * time.Minute // before it says so again
)

// A lock is an advisory lock: its two numbers, and what it is called in the log.
type lock struct {
	class, key int32
	name       string
}

// await calls try until it takes the lock. Its log says who has the lock: after a
// short while, then seldom.
func (l lock) await(ctx context.Context, conn *pgx.Conn, log *slog.Logger, try func() (taken bool, err error)) error {
	w := waiting{lock: l, log: log, from: time.Now()}
	for {
		taken, err := try()
		if err != nil || taken {
			return err
		}
		w.say(ctx, conn)
		if err := wait(ctx, askAgain); err != nil {
			return err
		}
	}
}

// waiting knows when the log was last told of a lock that is waited for.
type waiting struct {
	lock
	log  *slog.Logger
	from time.Time
	said time.Time
}

// say logs who has the lock, unless it is too early for that.
func (w *waiting) say(ctx context.Context, conn *pgx.Conn) {
	now := time.Now()
	if now.Sub(w.from) < waitSaid || !w.said.IsZero() && now.Sub(w.said) < waitAgain {
		return
	}
	w.said = now
	args := []any{"lock", w.name, "waited", now.Sub(w.from).Round(time.Second)}
	w.log.Info("waiting for a lock that another session of the database holds", append(args, w.holder(ctx, conn)...)...)
}

// holder returns the attributes of a session that holds the lock. A database that
// shows little of others' sessions leaves some empty.
func (l lock) holder(ctx context.Context, conn *pgx.Conn) []any {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	var pid int32
	var application, address, user, since string
	err := conn.QueryRow(ctx, `SELECT l.pid, COALESCE(a.application_name, ''), COALESCE(host(a.client_addr), ''), COALESCE(a.usename::text, ''),
		COALESCE(to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), '')
		FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
		WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.classid = $1::bigint::oid AND l.objid = $2::bigint::oid
		AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()) AND l.pid <> pg_backend_pid() LIMIT 1`,
		int64(uint32(l.class)), int64(uint32(l.key))).Scan(&pid, &application, &address, &user, &since)
	if err != nil {
		return []any{"holder", fmt.Sprintf("unknown (%v)", err)}
	}
	return []any{"holder_pid", pid, "holder_application", application, "holder_address", address, "holder_user", user, "holder_since", since}
}
