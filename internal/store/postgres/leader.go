package postgres

// Leadership. One process at a time leads a schema: the one whose session holds the
// advisory lock, if its kind of engine is the stored one. A term lasts while both
// hold.
//
//	          lock free, kind matches            work returns, wait two beats
//	standby ──────────────────────────► leading ──────────────────────────────► standby
//	   ▲                                   │
//	   ├── ErrLost: the session broke ◄────┤ checked each second
//	   └── ErrSwitched: another kind ◄─────┘

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rota-run/rota"
)

const (
	checkEvery   = time.Second     // between two checks of the lock, and between two tries to take it
	checkTimeout = 2 * time.Second // how long a check may take before the connection counts as broken
)

// ErrLost is the cause of the end of Lead's context when the lock was lost.
var ErrLost = errors.New("the database's lock was lost")

// ErrSwitched is the cause of the end of Lead's context when another kind of engine
// has been set.
var ErrSwitched = errors.New("another kind of engine leads now")

// Lead runs work while this process is the schema's leader and its kind of engine is
// the stored one. It waits for that as long as necessary. When the connection that
// holds the lock breaks, work's context ends with the cause [ErrLost] within three
// seconds; when another kind of engine is set, with the cause [ErrSwitched]. When
// work returns nil, Lead lets other processes try first, then waits again. It returns
// nil when ctx has ended and work has returned, and work's error if that returns one.
func (s *Store) Lead(ctx context.Context, log *slog.Logger, kind rota.EngineKind, work func(context.Context) error) error {
	failed := false
	for ctx.Err() == nil {
		conn, err := s.awaitLeadership(ctx, log, kind)
		if err == nil {
			s.unled.Store(nil)
			if failed {
				log.Info("the lock of the database is held again")
			}
			failed = false
			err = leadTerm(ctx, conn, kind, work)
			switch {
			case errors.Is(err, ErrSwitched):
				log.Warn("another kind of engine leads from now on", "this", kind)
				continue
			case err == nil && ctx.Err() == nil: // let another process lead
				pause(ctx)
				pause(ctx)
				continue
			case !errors.Is(err, ErrLost):
				return err
			}
		}
		if ctx.Err() == nil {
			failed = true
			s.unled.Store(&err)
			log.Error("the lock of the database is not held; it is tried again each second", "err", explain(s.pool.Config(), err))
			pause(ctx)
		}
	}
	return nil
}

// CannotLead returns why this process, which is in [Store.Lead], can neither lead nor
// stand by, or nil.
func (s *Store) CannotLead() error {
	if err := s.unled.Load(); err != nil {
		return *err
	}
	return nil
}

// leadTerm runs work while the lock is held, and closes the connection.
func leadTerm(ctx context.Context, conn *pgx.Conn, kind rota.EngineKind, work func(context.Context) error) error {
	defer closeConn(conn)
	pid, err := backend(ctx, conn)
	if err != nil {
		return errors.Join(err, ErrLost)
	}
	leading, end := context.WithCancelCause(ctx)
	done := make(chan error, 1)
	go func() { done <- work(leading) }()
	beat := time.NewTicker(checkEvery)
	defer beat.Stop()
	for {
		select {
		case err := <-done:
			end(nil)
			return err
		case <-beat.C:
		}
		if lost := checkTerm(context.WithoutCancel(ctx), conn, kind, pid); lost != nil {
			end(lost)
			return errors.Join(<-done, lost)
		}
	}
}

// checkTerm returns why this process no longer leads, or nil.
func checkTerm(ctx context.Context, conn *pgx.Conn, kind rota.EngineKind, pid int32) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	var now rota.EngineKind
	var other int32
	err := conn.QueryRow(ctx, "SELECT kind, pg_backend_pid() FROM engine").Scan(&now, &other)
	switch {
	case err != nil:
		return ErrLost
	case other != pid:
		return fmt.Errorf("%w: %w", ErrLost, errPooler)
	case now != kind:
		return ErrSwitched
	}
	return nil
}

// backend returns which session of the database a connection is.
func backend(ctx context.Context, conn *pgx.Conn) (pid int32, err error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	err = conn.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&pid)
	return pid, err
}

// awaitLeadership waits for the lock and returns the connection that holds it.
func (s *Store) awaitLeadership(ctx context.Context, log *slog.Logger, kind rota.EngineKind) (*pgx.Conn, error) {
	conn, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	w := waiting{lock: lock{class: lockLeader, name: "leadership"}, log: log, from: time.Now()}
	for first := true; ; first = false {
		taken, of, err := tryLead(ctx, conn, kind, &w.key)
		if err == nil && taken {
			return conn, nil
		}
		if err == nil {
			s.unled.Store(nil)
			s.standBy(ctx, conn, &w, first, of == kind)
			err = ctx.Err()
		}
		if err != nil {
			closeConn(conn)
			return nil, err
		}
	}
}

// standBy waits for a beat. The log says who leads.
func (s *Store) standBy(ctx context.Context, conn *pgx.Conn, w *waiting, first, sameKind bool) {
	switch {
	case first && sameKind:
		w.log.Info("this process stands by: another one is the leader")
	case first:
		w.log.Info("this process stands by: another kind of engine is set")
	case sameKind:
		w.say(ctx, conn)
	}
	pause(ctx)
}

// tryLead takes the leader's lock if the kind of engine is the stored one, which it
// returns with the second number of the lock.
func tryLead(ctx context.Context, conn *pgx.Conn, kind rota.EngineKind, schema *int32) (taken bool, of rota.EngineKind, err error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if *schema, err = schemaHash(ctx, conn); err != nil {
		return false, "", err
	}
	err = conn.QueryRow(ctx, "SELECT CASE WHEN kind = $3 THEN pg_try_advisory_lock($1, $2) ELSE false END, kind FROM engine",
		lockLeader, *schema, kind).Scan(&taken, &of)
	return taken, of, err
}

// lockAlone takes the leader's lock, for any kind of engine, and the servers' lock,
// until the connection ends.
func lockAlone(ctx context.Context, conn *pgx.Conn) (taken bool, err error) {
	schema, err := schemaHash(ctx, conn)
	if err != nil {
		return false, err
	}
	err = conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1, $3) AND pg_try_advisory_lock($2, $3)", lockLeader, lockServer, schema).Scan(&taken)
	return taken, err
}

// lockShared takes the servers' lock, shared, until the connection ends. It waits
// while a copy has the schema to itself.
func lockShared(ctx context.Context, conn *pgx.Conn, log *slog.Logger) error {
	schema, err := schemaHash(ctx, conn)
	if err != nil {
		return err
	}
	l := lock{lockServer, schema, "server"}
	return l.await(ctx, conn, log, func() (taken bool, err error) {
		err = conn.QueryRow(ctx, "SELECT pg_try_advisory_lock_shared($1, $2)", lockServer, schema).Scan(&taken)
		return taken, err
	})
}

func schemaHash(ctx context.Context, conn *pgx.Conn) (int32, error) {
	var schema string
	if err := conn.QueryRow(ctx, "SELECT current_schema()").Scan(&schema); err != nil {
		return 0, err
	}
	h := fnv.New32a()
	h.Write([]byte(schema))
	return int32(h.Sum32()), nil
}

func ping(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	return conn.Ping(ctx)
}

func closeConn(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	conn.Close(ctx)
}

// pause blocks for a heartbeat, or until ctx ends, which its callers notice.
func pause(ctx context.Context) { _ = wait(ctx, checkEvery) }
