package storetest

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

var limits = []testCase{
	{"the limits of an account are kept", accountLimits},
	{"what end users and accounts have stored is counted", storedBytes},
	{"runs that are worked on are counted for each owner", workersOf},
	{"a request counts once against the limits of an end user and an account", spentBy},
	{"what was used of limits is forgotten when it is of no use", forgetSpent},
}

func accountLimits(w *world) {
	own := rota.AllLimits{
		EndUser: rota.Limits{Workers: p(0), Requests: []rota.RateLimit{{Requests: 5, Per: rota.PerHour}}},
		Account: rota.Limits{OpenRuns: p(7), Bytes: p(int64(1) << 50), Requests: []rota.RateLimit{}},
	}
	other := rota.AllLimits{Account: rota.Limits{Workers: p(1)}}
	account := w.owner.Account
	for _, l := range []rota.AllLimits{other, own} {
		w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.SaveLimits(ctx, account, l) })
	}
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.SaveLimits(ctx, account+"2", other) })
	got, err := w.store.LimitsOf(w.Context(), account)
	require.NoError(w, err)
	require.Equal(w, own, got)
	got, err = w.store.LimitsOf(w.Context(), "nobody")
	require.NoError(w, err)
	require.Zero(w, got)
	all, err := w.store.AccountLimits(w.Context())
	require.NoError(w, err)
	require.Equal(w, map[string]rota.AllLimits{account: own, account + "2": other}, all)
}

// stored returns how many bytes each end user of the account has stored.
func (w *world) stored() map[string]int64 {
	w.Helper()
	all := make(map[string]int64)
	for from, first := (rota.StoredPlace{}), true; first || from != (rota.StoredPlace{}); first = false {
		rows, next, err := w.store.StoredBytes(w.Context(), w.owner.Account, from)
		require.NoError(w, err)
		for _, r := range rows {
			all[r.EndUser] += r.Bytes
		}
		from = next
	}
	return all
}

// storedBytes counts bytes and not characters, and nothing of other accounts.
func storedBytes(w *world) {
	require.Empty(w, w.stored())
	w.owner.EndUser = "ana"
	a := w.addAgent()
	agent := w.stored()["ana"]
	require.Greater(w, agent, int64(1000), "an agent and its version")

	s := w.addSchedule(a.ID)
	r := w.newRun(a.ID)
	r.Input = rota.InputText(strings.Repeat("é", 5000))
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddRun(ctx, w.owner, r, provider) })
	before := w.stored()["ana"]
	require.InDelta(w, agent+500+500+10_000, before, 500)

	answer := rota.Any{RawMessage: []byte(`"` + strings.Repeat("x", 20_000) + `"`)}
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		if _, _, err := tx.ClaimAll(ctx, w.now.Add(time.Hour), 10, func([]rota.Work) bool { return true }, nil); err != nil {
			return err
		}
		_, err := tx.FinishRun(ctx, r.ID, rota.Result{Phase: rota.PhaseCompleted, Response: answer, CompletedAt: w.now.Add(time.Hour)}, settle)
		return err
	})
	ended := w.stored()["ana"]
	require.InDelta(w, before+20_000, ended, 500)

	var missed []rota.Occurrence
	for i := range 3 {
		t := w.timer(s)
		t.NextRunAt = start.Add(time.Duration(i) * time.Minute)
		missed = append(missed, w.occurrence(t, rota.MissedOutcome))
	}
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.Record(ctx, missed) })
	require.InDelta(w, ended+3*500, w.stored()["ana"], 500)

	w.owner.EndUser = ""
	w.addAgent()
	require.Equal(w, map[string]int64{"ana": w.stored()["ana"], "": w.stored()[""]}, w.stored())
	require.InDelta(w, agent, w.stored()[""], 100)
	w.owner.Account += "2"
	require.Empty(w, w.stored())
}

func workersOf(w *world) {
	w.flood("a", 3)
	w.flood("", 2)
	w.inTurns(rota.Claim{Limit: 4})
	w.flood("a", 1)
	for user, want := range map[string][2]int{"a": {2, 4}, "": {2, 4}, "b": {0, 4}} {
		one, all, err := w.store.WorkersOf(w.Context(), rota.Owner{Account: w.owner.Account, EndUser: user})
		require.NoError(w, err)
		require.Equal(w, want, [2]int{one, all})
	}
	_, all, err := w.store.WorkersOf(w.Context(), rota.Owner{Account: w.owner.Account + "2"})
	require.NoError(w, err)
	require.Zero(w, all)
}

// spentBy: transactions that count at once do not count over each other, nor what an
// account has used over what its end users have.
func spentBy(w *world) {
	base := w.now.Add(100 * 24 * time.Hour).UnixNano()
	ana := rota.Owner{Account: w.owner.Account, EndUser: "ana"}
	use := func(o rota.Owner, whole bool) {
		w.update(func(ctx context.Context, tx sqlstore.Queries) error {
			s, err := tx.SpentBy(ctx, o, whole)
			if err != nil {
				return err
			}
			return tx.SaveSpentBy(ctx, o, whole, rota.Spent{rota.PerHour: max(s[rota.PerHour], base) + 1}, len(s) == 0, w.now)
		})
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() { use(ana, false) })
		group.Go(func() { use(ana, true) })
	}
	group.Wait()
	use(rota.Owner{Account: w.owner.Account}, false)
	for _, c := range []struct {
		owner rota.Owner
		whole bool
		times int64
	}{{ana, false, 8}, {ana, true, 8}, {rota.Owner{Account: ana.Account}, false, 1}, {rota.Owner{Account: ana.Account, EndUser: "bo"}, false, 0}} {
		s, err := w.store.ReadSpentBy(w.Context(), c.owner, c.whole)
		require.NoError(w, err)
		require.Equal(w, c.times, max(s[rota.PerHour]-base, 0), "%v", c)
	}
}

func forgetSpent(w *world) {
	use := func(user string, now time.Time) {
		o := rota.Owner{Account: w.owner.Account, EndUser: user}
		w.update(func(ctx context.Context, tx sqlstore.Queries) error {
			s, err := tx.SpentBy(ctx, o, false)
			if err != nil {
				return err
			}
			return tx.SaveSpentBy(ctx, o, false, rota.Spent{rota.PerDay: now.Add(time.Minute).UnixNano()}, len(s) == 0, now)
		})
	}
	left := func(user string) bool {
		s, err := w.store.ReadSpentBy(w.Context(), rota.Owner{Account: w.owner.Account, EndUser: user}, false)
		require.NoError(w, err)
		return len(s) > 0
	}
	use("a", start)
	use("b", start.Add(time.Hour))
	require.True(w, left("a"), "the day is not over")
	use("c", start.Add(49*time.Hour))
	require.False(w, left("a"))
	require.False(w, left("b"))
	require.True(w, left("c"))
}
