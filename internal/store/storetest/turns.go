package storetest

import (
	"context"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// flood queues runs for an end user, each some milliseconds after the one before.
func (w *world) flood(endUser string, n int) {
	w.Helper()
	mine := w.owner
	defer func() { w.owner = mine }()
	w.owner.EndUser = endUser
	a := w.addAgent()
	for range n {
		w.now = w.now.Add(time.Millisecond)
		r := w.newRun(a.ID)
		r.CreatedAt = rota.InstantOf(w.now)
		w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddRun(ctx, w.owner, r, provider) })
	}
}

// inTurns claims runs, and returns the end users whose runs they are.
func (w *world) inTurns(c rota.Claim) (users []string, last rota.Owner) {
	w.Helper()
	c.Provider = provider
	var seen map[string]rota.Instant
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		users, seen = nil, make(map[string]rota.Instant)
		work, err := tx.ClaimRuns(ctx, w.now, c)
		for _, one := range work {
			require.False(w, one.Run.CreatedAt.Before(seen[one.Owner.EndUser].Time), "the longest waiting run of an owner comes first")
			require.Equal(w, rota.PhaseRunning, one.Run.Phase)
			seen[one.Owner.EndUser] = one.Run.CreatedAt
			users, last = append(users, one.Owner.EndUser), one.Owner
		}
		return err
	})
	return users, last
}

func takeTurns(w *world) {
	w.flood("a", 9)
	w.flood("b", 2)
	w.flood("c", 1)
	users, _ := w.inTurns(rota.Claim{Limit: 8})
	require.ElementsMatch(w, []string{"a", "a", "a", "a", "a", "b", "b", "c"}, users)
	require.Equal(w, []string{"a", "b", "c"}, users[:3])
	users, _ = w.inTurns(rota.Claim{Limit: 100})
	require.Equal(w, []string{"a", "a", "a", "a"}, users)
	users, _ = w.inTurns(rota.Claim{Limit: 100})
	require.Empty(w, users)
}

// turnsGoOn has one worker become free at a time.
func turnsGoOn(w *world) {
	for i := range 5 {
		w.flood(fmt.Sprint("u", i), 3)
	}
	var order []string
	var after rota.Owner
	for range 15 {
		users, last := w.inTurns(rota.Claim{Limit: 1, After: after})
		require.Len(w, users, 1)
		order, after = append(order, users...), last
	}
	round := []string{"u0", "u1", "u2", "u3", "u4"}
	require.Equal(w, append(append(round, round...), round...), order)
}

func noTurn(w *world) {
	w.flood("a", 20)
	w.flood("b", 3)
	started := map[string]int{}
	users, _ := w.inTurns(rota.Claim{
		Limit: 10,
		May:   func(o rota.Owner) bool { return o.EndUser != "a" || started["a"] < 2 },
		Took:  func(o rota.Owner) { started[o.EndUser]++ },
	})
	require.ElementsMatch(w, []string{"a", "a", "b", "b", "b"}, users)
	users, _ = w.inTurns(rota.Claim{Limit: 10, May: func(rota.Owner) bool { return false }})
	require.Empty(w, users)
}

func claimAll(w *world) {
	w.flood("a", 3)
	w.flood("b", 1)
	claim := func(limit int, fits bool) (users []string, all bool) {
		w.update(func(ctx context.Context, tx sqlstore.Queries) error {
			users = nil
			work, ok, err := tx.ClaimAll(ctx, w.now, limit, func([]rota.Work) bool { return fits }, nil)
			for _, one := range work {
				users = append(users, one.Owner.EndUser)
			}
			all = ok
			return err
		})
		return users, all
	}
	users, all := claim(3, true)
	require.False(w, all, "there is one more")
	require.Empty(w, users)
	_, all = claim(4, false)
	require.False(w, all, "they do not fit")
	require.Equal(w, map[rota.Phase]int{rota.PhaseQueued: 4}, w.open())
	users, all = claim(4, true)
	require.True(w, all)
	require.Equal(w, []string{"a", "a", "a", "b"}, users)
	users, all = claim(0, true)
	require.True(w, all)
	require.Empty(w, users)
}

func openCounts(w *world) {
	w.flood("a", 3)
	w.flood("a b", 2)
	w.flood("", 1)
	mine := w.owner
	w.owner.Account += "2"
	w.flood("a", 5)
	w.owner = mine
	w.inTurns(rota.Claim{Limit: 4})
	count := func(owners []rota.Owner, accounts ...string) rota.OpenRuns {
		n, err := w.store.OpenRunsOf(w.Context(), owners, accounts)
		require.NoError(w, err)
		w.update(func(ctx context.Context, tx sqlstore.Queries) error {
			same, err := tx.OpenRunsOf(ctx, owners, accounts)
			require.Equal(w, n, same)
			return err
		})
		return n
	}
	of := func(endUser string) rota.Owner { return rota.Owner{Account: mine.Account, EndUser: endUser} }
	require.Equal(w, rota.OpenRuns{
		Owner:   map[rota.Owner]int{of("a"): 3, of("a b"): 2, of(""): 1, of("nobody"): 0},
		Account: map[string]int{mine.Account: 6, "none": 0},
	}, count([]rota.Owner{of("a"), of("a b"), of(""), of("nobody")}, mine.Account, "none"), "what waits, and what is worked on")
	require.Equal(w, rota.OpenRuns{Owner: map[rota.Owner]int{}, Account: map[string]int{}}, count(nil))
}
