package storetest

import (
	"context"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/cluster"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

var clusters = []testCase{
	{"the leadership is stored", leadershipKept},
	{"busy workers are counted by owner and provider", busyCounts},
	{"transactions that count busy workers take turns", busyWaits},
	{"a schedule says when it is due", dueTimes},
	{"a worker wrongly thought lost cannot change a later attempt", overtaken},
}

func (w *world) lead(l cluster.Leadership) {
	w.Helper()
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return lead(ctx, tx, l) })
}

// lead stores the leadership, whoever leads.
func lead(ctx context.Context, tx sqlstore.Queries, l cluster.Leadership) error {
	before, err := tx.Leadership(ctx)
	if err != nil {
		return err
	}
	return tx.SaveLeadership(ctx, before.Kind, l)
}

func leadershipKept(w *world) {
	read := func() (l cluster.Leadership) {
		w.update(func(ctx context.Context, tx sqlstore.Queries) (err error) {
			l, err = tx.Leadership(ctx)
			return err
		})
		return l
	}
	require.Equal(w, cluster.Leadership{}, read())
	l := cluster.Leadership{Kind: rota.EngineTemporal, Installation: "here", Since: start, SeenAt: start.Add(time.Second), AheadUntil: start.Add(time.Hour), ZoneData: "2026f"}
	w.lead(l)
	require.Equal(w, l, read())
	err := w.try(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.SaveLeadership(ctx, rota.EngineEmbedded, cluster.Leadership{})
	})
	require.ErrorIs(w, err, rota.Conflict, "somebody has switched meanwhile")
	require.Equal(w, l, read())
}

func busyCounts(w *world) {
	busy := func() (n map[rota.OwnerAt]int) {
		w.update(func(ctx context.Context, tx sqlstore.Queries) (err error) {
			n, err = tx.Busy(ctx)
			return err
		})
		return n
	}
	a := w.addAgent()
	for range 3 {
		w.addRun(a.ID)
	}
	require.Empty(w, busy(), "what is queued is not")
	w.at(time.Second)
	w.claim(2)
	require.Equal(w, map[rota.OwnerAt]int{{Owner: w.owner, Provider: provider}: 2}, busy())
}

// busyWaits has many transactions claim up to one run in all.
func busyWaits(w *world) {
	a := w.addAgent()
	for range 8 {
		w.addRun(a.ID)
	}
	w.at(time.Second)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			w.NoErr(w.store.Update(w.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
				busy, err := tx.Busy(ctx)
				if err != nil {
					return err
				}
				_, err = tx.ClaimRuns(ctx, w.now, rota.Claim{Provider: provider, Limit: 1 - len(busy)})
				return err
			}))
		})
	}
	group.Wait()
	require.Equal(w, map[rota.Phase]int{rota.PhaseQueued: 7, rota.PhaseRunning: 1}, w.open())
}

func dueTimes(w *world) {
	s := w.addSchedule(w.addAgent().ID, func(_ *rota.Schedule, t *rota.Timer) { t.DueAt = t.DueAt.Add(time.Second) })
	due := func(id rota.ScheduleID) (nominal, at time.Time) {
		nominal, at, err := w.store.Due(w.Context(), id)
		require.NoError(w, err)
		return nominal, at
	}
	nominal, at := due(s.ID)
	require.Equal(w, start.Add(time.Minute), nominal)
	require.Equal(w, start.Add(61*time.Second), at)
	w.deleteSchedule(s)
	_, at = due(s.ID)
	require.Zero(w, at)
	_, at = due("asch_none")
	require.Zero(w, at)
}

// overtaken has an attempt speak when another one is under way.
func overtaken(w *world) {
	_, id := w.fired()
	w.at(61 * time.Second)
	first := w.claimOne().At()
	w.recover(provider)
	second := w.claimOne()
	run := w.run(id)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		end := w.failed("timeout")
		end.Attempt = first.Attempt
		f, err := tx.FinishRun(ctx, id, end, settle)
		require.Equal(w, rota.Finish{}, f)
		w.NoErr(err)
		w.NoErr(tx.SetResponse(ctx, first, "resp_of_another"))
		w.NoErr(tx.DelayRun(ctx, rota.Delay{Attempt: first, Provider: provider, Until: w.now, Answered: true}))
		return tx.RequeueRun(ctx, first, provider)
	})
	w.same(run, w.run(id))
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.DelayRun(ctx, rota.Delay{Attempt: second.At(), Provider: provider, Until: w.now, Answered: true})
	})
	require.Equal(w, 3, w.claimOne().Run.Attempt)
}
