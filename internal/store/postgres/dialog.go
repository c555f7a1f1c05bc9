package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rota-run/rota/internal/store/sqlstore"
)

// A dialog is the sqlstore.DB of one transaction. Its beginning and its writes are
// sent together with the next query, in one round trip. After a statement has
// failed nothing more is sent: PostgreSQL would refuse it.
type dialog struct {
	conn    *pgx.Conn
	steps   *steps
	unsent  *pgx.Batch
	begun   transaction // none until the server has answered
	failure error
}

// A transaction identifies one after its connection is gone: by its number, and by
// when the server started and when the transaction began, by the server's clock, in
// seconds since 1970. A server that has crashed may use the number of a lost
// transaction again.
type transaction struct{ number, server, began string }

var none transaction

func newDialog(conn *pgx.Conn, s *steps) *dialog {
	d := &dialog{conn: conn, steps: s, unsent: new(pgx.Batch)}
	d.unsent.Queue("BEGIN ISOLATION LEVEL READ COMMITTED")
	d.unsent.Queue(`SELECT pg_current_xact_id()::text, extract(epoch FROM pg_postmaster_start_time())::text,
		floor(extract(epoch FROM now()))::text`).QueryRow(func(row pgx.Row) error {
		return row.Scan(&d.begun.number, &d.begun.server, &d.begun.began)
	})
	return d
}

// Exec implements sqlstore.DB.
func (d *dialog) Exec(ctx context.Context, steps ...sqlstore.Step) ([]int64, error) {
	affected := make([]int64, len(steps))
	before := d.unsent.Len()
	for i, step := range steps {
		if err := d.queue(ctx, step, &affected[i]); err != nil {
			return nil, err
		}
	}
	if d.unsent.Len() == before {
		return affected, d.failure
	}
	return affected, d.flush(ctx)
}

// Write implements sqlstore.DB.
func (d *dialog) Write(ctx context.Context, steps ...sqlstore.Step) error {
	for _, step := range steps {
		if err := d.queue(ctx, step, new(int64)); err != nil {
			return err
		}
	}
	return d.failure
}

// Query implements sqlstore.DB.
func (d *dialog) Query(ctx context.Context, row func(sqlstore.Scanner) error, query string, args ...any) error {
	d.unsent.Queue(sqlstore.Numbered(query), args...).Query(func(rows pgx.Rows) error { return read(ctx, rows, row) })
	return d.flush(ctx)
}

// queue adds a step, unless it is empty, to what is sent next. The number of rows
// that it changed is known after that.
func (d *dialog) queue(ctx context.Context, step sqlstore.Step, affected *int64) error {
	if d.failure != nil || len(step.Lists) == 0 {
		return d.failure
	}
	var query string
	var args []any
	query, args, d.failure = d.steps.statement(ctx, d.conn, step)
	if d.failure == nil {
		d.unsent.Queue(query, args...).Exec(func(tag pgconn.CommandTag) error { *affected = tag.RowsAffected(); return nil })
	}
	return d.failure
}

// flush sends what is queued and reads the results.
func (d *dialog) flush(ctx context.Context) error {
	if d.failure == nil {
		d.failure = classify(ctx, d.send(ctx))
	}
	return d.failure
}

func (d *dialog) send(ctx context.Context) error {
	unsent := d.unsent
	d.unsent = new(pgx.Batch)
	return d.conn.SendBatch(ctx, unsent).Close()
}
