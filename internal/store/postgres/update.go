package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

const (
	maxTries   = 10
	firstDelay = 5 * time.Millisecond // at most, before the second try; doubled for each further one
	lastDelay  = 500 * time.Millisecond

	// commitTimeout is how long a commit may take, and then the question what
	// became of it.
	commitTimeout = 15 * time.Second
	askAgain      = 100 * time.Millisecond
)

// Update runs fn in one transaction and returns when it is durable. If fn returns
// an error, nothing that it did is kept and Update returns that error. fn may run
// twice, so it must have no effects outside the transaction. fn must use the
// context that it is given, must not call Update, and must return.
func (s *Store) Update(ctx context.Context, fn func(context.Context, sqlstore.Queries) error) error {
	for try := 1; ; try++ {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		again, err := s.once(ctx, fn)
		if !again || try == maxTries {
			return err
		}
		if wait(ctx, rand.N(min(lastDelay, firstDelay<<(try-1)))) != nil {
			return err
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// once makes one transaction, and reports whether it can be made again after an
// error.
func (s *Store) once(ctx context.Context, fn func(context.Context, sqlstore.Queries) error) (again bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.maxWait, errSilent)
	defer cancel()
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return false, classify(ctx, err)
	}
	defer conn.Release() // closes a connection that has a transaction
	d := newDialog(conn.Conn(), &s.steps)
	tx := sqlstore.NewShared(d)
	err = call(ctx, fn, tx)
	if err == nil {
		err = d.failure // which fn kept to itself
	}
	if err == nil {
		err = tx.Flush(ctx, tx.Pending())
	}
	if err == nil {
		err = s.commit(ctx, d, conn.Release)
	}
	if err == nil {
		if changes := tx.Pending().Changes(); len(changes) > 0 && s.changed != nil {
			s.changed(changes)
		}
		return false, nil
	}
	if d.begun == none { // the connection may have broken while nobody used it
		return d.conn.IsClosed() && ctx.Err() == nil, err
	}
	if !d.conn.IsClosed() {
		rollback(ctx, d.conn)
	}
	return repeatable(d.failure), err
}

// rollback does not wait for what ctx waited for. If it fails, the connection
// is closed, and the transaction with it.
func rollback(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	if _, err := conn.Exec(ctx, "ROLLBACK"); err != nil {
		conn.Close(ctx)
	}
}

// commit returns when the transaction is durable, or is known not to be,
// whatever becomes of ctx; only what is to be written before that is cut off when
// ctx ends. If the connection breaks meanwhile, it is released, and another one
// is asked what became of the transaction.
func (s *Store) commit(ctx context.Context, d *dialog, release func()) error {
	if d.begun == none { // nobody could ask what became of it
		if err := d.flush(ctx); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return classify(ctx, context.Cause(ctx))
	}
	patient, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	telling := ctx
	if d.unsent.Len() == 0 {
		telling = patient
	}
	var tag pgconn.CommandTag
	d.unsent.Queue("COMMIT").Exec(func(t pgconn.CommandTag) error { tag = t; return nil })
	err := d.send(telling)
	d.failure = err
	switch {
	case err == nil && tag.String() == "COMMIT":
		return nil
	case err == nil:
		return errors.New("the database took the transaction back")
	case !d.conn.IsClosed():
		return classify(telling, err)
	}
	release()
	ask, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	switch s.outcome(ask, d.begun) {
	case "committed":
		return nil
	case "aborted":
		return classify(ctx, err)
	}
	return &rota.Error{
		Code: rota.Unavailable, Err: err,
		Msg: "the connection to the database broke in the middle of a commit; it is not known whether it was made",
	}
}

// outcome returns what became of a transaction: "committed", "aborted", or
// another word if that cannot be found out before ctx ends.
func (s *Store) outcome(ctx context.Context, t transaction) string {
	for {
		status, err := s.status(ctx, t)
		if err == nil && status != "in progress" {
			return status
		}
		if wait(ctx, askAgain) != nil {
			return "unknown"
		}
	}
}

// status is what the server knows of a transaction. After a crash there is a
// checkpoint, and another transaction may have the number.
func (s *Store) status(ctx context.Context, t transaction) (string, error) {
	var status *string
	var same bool
	err := s.pool.scan(ctx, []any{&status, &same}, `SELECT pg_xact_status($1::text::xid8), extract(epoch FROM pg_postmaster_start_time())::text = $2
		AND extract(epoch FROM checkpoint_time) < $3::text::numeric FROM pg_control_checkpoint()`,
		t.number, t.server, t.began)
	var pgErr *pgconn.PgError
	switch {
	case errors.As(err, &pgErr) && pgErr.Code == "22023": // the server has not had that number yet
		return "aborted", nil
	case err != nil:
		return "", err
	case status == nil, *status == "committed" && !same:
		return "unknown", nil
	}
	return *status, nil
}

// repeatable reports whether PostgreSQL gave a transaction up only because of
// others (serialization_failure, deadlock_detected).
func repeatable(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && (pgErr.Code == "40001" || pgErr.Code == "40P01")
}

// call runs fn and turns a panic into an error.
func call(ctx context.Context, fn func(context.Context, sqlstore.Queries) error, tx sqlstore.Queries) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in an update: %v\n%s", p, debug.Stack())
		}
	}()
	return fn(ctx, tx)
}
