package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/events"
)

const (
	// eventsLive is how long what runs say is kept for other processes.
	eventsLive = time.Hour

	forgetAtOnce = 1000 // events, in one transaction
)

// AppendEvents keeps events of a run, in the order of their numbers, for other
// processes to read: all or none. Those that are there stay, for an hour from
// now.
func (s *Store) AppendEvents(ctx context.Context, id rota.RunID, batch []events.Event, now time.Time) error {
	seqs, data := make([]int64, len(batch)), make([][]byte, len(batch))
	for i, e := range batch {
		seqs[i], data[i] = e.Seq, e.Data
	}
	_, err := s.pool.Exec(ctx, `INSERT INTO run_events (run_id, seq, data, at) SELECT $1, e.seq, e.data, $4 FROM unnest($2::bigint[], $3::bytea[]) e (seq, data)
		ON CONFLICT (run_id, seq) DO UPDATE SET at = excluded.at`, string(id), seqs, data, now.UnixMilli())
	return classify(ctx, err)
}

// ForgetEvents forgets the events that are kept for more than an hour.
func (s *Store) ForgetEvents(ctx context.Context, now time.Time) error {
	for {
		tag, err := s.pool.Exec(ctx, `DELETE FROM run_events WHERE (run_id, seq) IN
			(SELECT e.run_id, e.seq FROM run_events e WHERE e.at < $1 ORDER BY e.at LIMIT $2 FOR UPDATE SKIP LOCKED)`,
			now.Add(-eventsLive).UnixMilli(), forgetAtOnce)
		if err != nil || tag.RowsAffected() < forgetAtOnce {
			return classify(ctx, err)
		}
	}
}

// EventsAfter calls each for the kept events of a run that have a greater
// number, in their order.
func (s *Store) EventsAfter(ctx context.Context, id rota.RunID, seq int64, each func(events.Event)) error {
	rows, err := s.pool.Query(ctx, `SELECT e.seq, e.data FROM run_events e WHERE e.run_id = $1 AND e.seq > $2 ORDER BY e.seq`, string(id), seq)
	if err != nil {
		return classify(ctx, err)
	}
	defer rows.Close()
	for rows.Next() {
		var e events.Event
		if err := rows.Scan(&e.Seq, &e.Data); err != nil {
			return err
		}
		each(e)
	}
	return classify(ctx, rows.Err())
}

// EndedAmong returns those of the runs that have ended, or are not there.
func (s *Store) EndedAmong(ctx context.Context, ids []rota.RunID) ([]rota.RunID, error) {
	rows, err := s.pool.Query(ctx, `SELECT i.id FROM unnest($1::text[]) i (id)
		WHERE NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = i.id AND r.completed_at IS NULL)`, ids)
	if err != nil {
		return nil, classify(ctx, err)
	}
	ended, err := pgx.CollectRows(rows, pgx.RowTo[rota.RunID])
	return ended, classify(ctx, err)
}
