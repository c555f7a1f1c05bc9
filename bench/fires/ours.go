package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/app"
	"github.com/rota-run/rota/internal/store/postgres"
)

// ours measures the server on Temporal, with a database of its own. decided is
// how late the occurrences were when they were put on record.
func (r *rig) ours(ctx context.Context, i int) (got row, decided lateness, err error) {
	m, err := startModel()
	if err != nil {
		return row{}, lateness{}, err
	}
	defer m.server.Close()
	w := r.next()
	database, err := r.newDatabase(ctx, fmt.Sprint("fires_", i), w)
	if err != nil {
		return row{}, lateness{}, err
	}
	s := defaults()
	s.Engine, s.Database, s.ModelURL = string(rota.EngineTemporal), database, m.url
	s.Temporal.Address, s.Temporal.Namespace, s.Temporal.TaskQueue = r.address, "default", fmt.Sprint("rota-", i)

	db, err := pgx.Connect(ctx, database)
	if err != nil {
		return row{}, lateness{}, err
	}
	defer db.Close(context.WithoutCancel(ctx))
	rows, _ := db.Query(ctx, "SELECT id FROM schedules")
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return row{}, lateness{}, err
	}
	defer r.forget(ids)
	serving, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- app.Run(serving, s, "bench", io.Discard, os.Stderr) }()
	w, err = watch(ctx, db, w, m)
	stop()
	if err = errors.Join(err, <-ended); err != nil {
		return row{}, lateness{}, err
	}
	got = w.row(m.all())
	decided, err = got.audit(ctx, db, w)
	return got, decided, err
}

// newDatabase makes a database that has the schedules of a window, and returns
// its URL.
func (r *rig) newDatabase(ctx context.Context, name string, w window) (string, error) {
	db, err := pgx.Connect(ctx, r.database)
	if err != nil {
		return "", err
	}
	defer db.Close(ctx)
	if _, err := db.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	u, err := url.Parse(r.database)
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	s, err := postgres.Open(ctx, u.String(), postgres.Options{})
	if err != nil {
		return "", err
	}
	defer s.Close()
	return u.String(), seed(ctx, s, w.schedules, w.every, func(i int) time.Time { return w.nominal(i).Add(-w.every) })
}

// watch waits until Temporal knows the schedules, and then until the window is
// over, which it returns.
func watch(ctx context.Context, db *pgx.Conn, w window, m *model) (window, error) {
	for unsynced := 1; unsynced > 0; {
		pause(ctx, 100*time.Millisecond)
		err := db.QueryRow(ctx, "SELECT COUNT(*) FROM schedules WHERE temporal_schedule_id IS NULL").Scan(&unsynced)
		if err != nil {
			return w, err
		}
	}
	w = w.now()
	return w, w.await(ctx, func() int { return w.row(m.all()).Fires })
}

// audit counts in the database what was lost and what ran twice: each nominal
// time must have exactly one completed run. It returns how late the occurrences
// were when they were decided.
func (r *row) audit(ctx context.Context, db *pgx.Conn, w window) (lateness, error) {
	from, to := w.first.UnixMilli(), w.end().UnixMilli()
	var done int
	err := db.QueryRow(ctx, `SELECT COUNT(*) FILTER (WHERE completed > 0), COUNT(*) FILTER (WHERE runs > 1) FROM
		(SELECT COUNT(*) AS runs, COUNT(*) FILTER (WHERE phase = 'completed') AS completed FROM runs
		WHERE scheduled_for >= $1 AND scheduled_for < $2 GROUP BY schedule_id, scheduled_for) AS nominal`, from, to).Scan(&done, &r.Duplicates)
	if err != nil {
		return lateness{}, err
	}
	r.Lost = r.Due - done
	rows, _ := db.Query(ctx, `SELECT lateness_ms FROM occurrences
		WHERE outcome = 'fired' AND scheduled_for >= $1 AND scheduled_for < $2`, from, to)
	ms, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	late := make([]time.Duration, len(ms))
	for i := range ms {
		late[i] = time.Duration(ms[i]) * time.Millisecond
	}
	slices.Sort(late)
	return percentiles(late), err
}
