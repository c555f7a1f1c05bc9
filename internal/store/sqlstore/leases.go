package sqlstore

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/rota-run/rota"
)

// RenewLeases gives a worker its responses for longer, and returns which they are.
func (q Queries) RenewLeases(ctx context.Context, l rota.Lease) ([]rota.ResponseID, error) {
	return all(ctx, q.db, scanID[rota.ResponseID], `UPDATE open_responses SET lease_until = ? WHERE worker = ? RETURNING response_id`,
		l.Until.UnixMilli(), l.Worker)
}

// responsesAtWork counts what others than a worker have in the background.
const responsesAtWork = `SELECT o.owner, o.provider, COUNT(*) FROM open_responses o
	WHERE o.worker IS NOT NULL AND o.worker <> ? AND o.lease_until > ? AND o.provider IS NOT NULL GROUP BY o.owner, o.provider`

// BusyResponses counts the background responses that other workers have at now.
func (q Queries) BusyResponses(ctx context.Context, worker string, now time.Time) (map[rota.OwnerAt]int, error) {
	busy := make(map[rota.OwnerAt]int)
	return busy, q.countBusy(ctx, busy, responsesAtWork, worker, now.UnixMilli())
}

// TakeResponses gives a worker responses that no process has at now: those that wait, and
// those whose worker is gone. Their owners take turns, and of each the oldest comes
// first. No other worker takes any before the transaction has ended.
func (q Queries) TakeResponses(ctx context.Context, l rota.Lease, now time.Time, t rota.ResponseTurns) ([]rota.OpenResponse, error) {
	busy, err := q.Busy(ctx)
	if err == nil {
		err = q.countBusy(ctx, busy, responsesAtWork, l.Worker, now.UnixMilli())
	}
	if err != nil {
		return nil, err
	}
	t.Load(busy)
	owners, err := q.inTurn(ctx, t.After, t.May, `open_responses o WHERE`, `o.lease_until`, ``, now.UnixMilli())
	if err != nil || len(owners) == 0 {
		return nil, err
	}
	owners = owners[:min(t.Limit, len(owners))]
	free, err := all(ctx, q.db, scanOpenResponse, `SELECT o.response_id, o.owner, o.background, o.worker, r.model
		FROM open_responses o JOIN responses r ON r.id = o.response_id WHERE o.response_id IN `+q.ofEach("open_responses", "response_id",
		`(SELECT y.response_id FROM open_responses y WHERE y.owner = given.value AND y.lease_until <= ?
			ORDER BY y.lease_until, y.response_id LIMIT ?`+q.lockAny("y")+`)`),
		ownerTexts(owners), now.UnixMilli(), t.Limit)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(free, func(a, b rota.OpenResponse) int { return strings.Compare(string(a.ID), string(b.ID)) }) // ids are in the order of time
	waiting := make(map[rota.Owner][]rota.OpenResponse)
	for _, o := range free {
		waiting[o.Owner] = append(waiting[o.Owner], o)
	}
	var taken []rota.OpenResponse
	var leased [][]any
	for round := 0; round < t.Limit; round++ {
		for _, owner := range owners {
			if round >= len(waiting[owner]) || len(taken) == t.Limit {
				continue
			}
			o := waiting[owner][round]
			if provider, ok := t.Take(o); ok {
				taken, leased = append(taken, o), append(leased, []any{l.Worker, orNull(&provider), l.Until.UnixMilli(), o.ID})
			}
		}
	}
	return taken, q.db.Write(ctx, Step{`UPDATE open_responses SET worker = ?, provider = ?, lease_until = ?, sleep = NULL` + fromEach + `WHERE response_id = ?`, leased})
}

// An open response is one that nobody works on.
func scanOpenResponse(row Scanner) (rota.OpenResponse, error) {
	var o rota.OpenResponse
	var worker *string
	err := row.Scan(&o.ID, ownerColumn{&o.Owner}, &o.Background, &worker, &o.Model)
	o.Orphan = worker != nil
	return o, err
}

// ResponsesWait reports whether TakeResponses may have something to give.
func (q Queries) ResponsesWait(ctx context.Context, now time.Time) (bool, error) {
	first, err := all(ctx, q.db, scanID[rota.ResponseID], `SELECT o.response_id FROM open_responses o WHERE o.lease_until <= ? LIMIT 1`, now.UnixMilli())
	return len(first) > 0, err
}

// LeaveResponses lets others take what a worker has.
func (q Queries) LeaveResponses(ctx context.Context, worker string) error {
	return q.write(ctx, `UPDATE open_responses SET lease_until = 0 WHERE worker = ?`, worker)
}

// FreeResponses lets a worker take what all others have.
func (q Queries) FreeResponses(ctx context.Context, worker string) error {
	return q.write(ctx, `UPDATE open_responses SET lease_until = 0 WHERE worker <> ?`, worker)
}
