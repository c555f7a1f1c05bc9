package storetest

import (
	"context"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

func (w *world) tallies(o rota.Owners) []rota.HourTally {
	w.Helper()
	hours, err := w.store.Tallies(w.Context(), o, start.Add(-24*time.Hour), start.Add(24*time.Hour))
	require.NoError(w, err)
	return hours
}

// fold moves a part of what was counted, and reports whether there was any.
func (w *world) fold() (some bool) {
	w.Helper()
	w.update(func(ctx context.Context, tx sqlstore.Queries) (err error) {
		some, err = tx.FoldTallies(ctx)
		return err
	})
	return some
}

// count fires a schedule and lets its run fail, in the hour of the start, for the
// world's owner.
func (w *world) count(code string) {
	w.Helper()
	_, run := w.fired()
	w.claim(10)
	w.finish(run, w.failed(code))
}

// everyTally is what the tests of this file ask for: everybody, and each end user.
func (w *world) everyTally() (all [][]rota.HourTally) {
	w.Helper()
	for _, o := range []rota.Owners{
		{Owner: rota.Owner{Account: "acme"}, All: true},
		{Owner: rota.Owner{Account: "acme", EndUser: "u-1"}},
		{Owner: rota.Owner{Account: "acme", EndUser: "u-2"}},
		{Owner: rota.Owner{Account: "acme"}},
		{Owner: rota.Owner{Account: "other"}, All: true},
	} {
		all = append(all, w.tallies(o))
	}
	return all
}

func countedOnce(w *world) {
	for _, o := range []rota.Owner{w.owner, {Account: "acme", EndUser: "u-2"}, {Account: "other", EndUser: "u-1"}} {
		w.owner = o
		w.count("timeout")
		w.count("\u00e9 odd")
	}
	late := rota.Tally{Outcomes: rota.OutcomeCounts{Fired: 2}, Runs: rota.RunCounts{Failed: 2}}
	late.Late[0] = 2
	one := []rota.HourTally{{
		Hour: start.Truncate(time.Hour), Tally: late,
		Errors: []rota.ErrorCount{{Phase: rota.PhaseFailed, Code: "timeout", Count: 1}, {Phase: rota.PhaseFailed, Code: "\u00e9 odd", Count: 1}},
	}}
	both := []rota.HourTally{{Hour: one[0].Hour, Tally: late, Errors: []rota.ErrorCount{{Phase: rota.PhaseFailed, Code: "timeout", Count: 2}, {Phase: rota.PhaseFailed, Code: "\u00e9 odd", Count: 2}}}}
	both[0].Tally.Add(late)
	want := [][]rota.HourTally{both, one, one, nil, one}
	require.Equal(w, want, w.everyTally())
	require.True(w, w.fold())
	require.False(w, w.fold(), "a fold takes all that is there")
	require.Equal(w, want, w.everyTally())

	w.owner = rota.Owner{Account: "acme", EndUser: "u-1"}
	w.count("timeout")
	unfolded := w.everyTally()
	require.EqualValues(w, 3, unfolded[1][0].Tally.Runs.Failed)
	require.EqualValues(w, 5, unfolded[0][0].Tally.Runs.Failed)
	logged, err := w.store.TalliesLogged(w.Context())
	require.NoError(w, err)
	require.True(w, logged)
	require.True(w, w.fold())
	require.Equal(w, unfolded, w.everyTally())
	logged, err = w.store.TalliesLogged(w.Context())
	require.NoError(w, err)
	require.False(w, logged)

	none, err := w.store.Tallies(w.Context(), rota.Owners{Owner: w.owner}, start.Truncate(time.Hour).Add(time.Hour), start.Add(24*time.Hour))
	require.NoError(w, err)
	require.Empty(w, none, "another hour")
}

func foldTogether(w *world) {
	for range 20 {
		w.count("timeout")
	}
	want := w.everyTally()
	var folding sync.WaitGroup
	for range 4 {
		folding.Go(func() { w.fold() })
	}
	require.Equal(w, want, w.everyTally(), "while others fold")
	folding.Wait()
	require.False(w, w.fold())
	require.Equal(w, want, w.everyTally())
}

func oldTallies(w *world) {
	w.count("timeout")
	w.fold()
	want := w.everyTally()
	gone := func(before time.Time) (n int64) {
		w.update(func(ctx context.Context, tx sqlstore.Queries) (err error) {
			n, err = tx.DeleteTallies(ctx, before, 1)
			return err
		})
		return n
	}
	old := func(before time.Time) bool {
		some, err := w.store.TalliesBefore(w.Context(), before)
		require.NoError(w, err)
		return some
	}
	hour := start.Truncate(time.Hour)
	require.False(w, old(hour))
	require.True(w, old(hour.Add(time.Hour)))
	require.Zero(w, gone(hour))
	require.Equal(w, want, w.everyTally())
	for range 2 { // the end user's, and the sum
		require.EqualValues(w, 2, gone(hour.Add(time.Hour)))
	}
	require.False(w, old(hour.Add(time.Hour)))
	require.Zero(w, gone(hour.Add(time.Hour)))
	require.Equal(w, make([][]rota.HourTally, len(want)), w.everyTally())
}
