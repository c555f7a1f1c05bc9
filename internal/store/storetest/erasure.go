package storetest

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// possess gives the world's owner some of everything, and returns an agent and a run
// that has not ended.
func (w *world) possess() (rota.Agent, rota.RunID) {
	w.Helper()
	a := w.addAgent()
	w.deleteAgent(w.addAgent().ID)
	w.addSchedule(a.ID)
	w.deleteSchedule(w.addSchedule(a.ID))
	w.at(time.Minute)
	require.Len(w, w.fire(10, w.once), 1)
	r := w.addRun(a.ID)
	for _, work := range w.claim(10) {
		if work.Run.ID != r.ID {
			w.finish(work.Run.ID, w.completed())
		}
	}
	w.fillAnswers()
	c := w.addConversation()
	w.endResponse(w.addResponse(&c, nil))
	w.addResponse(&c, nil)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		k := w.newKey()
		k.EndUser = w.owner.User()
		return tx.AddKey(ctx, k, hashOf(k))
	})
	return a, r.ID
}

func erase(w *world) {
	mine := w.owner
	w.owner = rota.Owner{Account: "acme", EndUser: "u-2"}
	theirs, run := w.possess()
	w.finish(run, w.completed())
	w.owner = mine
	a, open := w.possess()
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.BeginErasure(ctx, mine, w.now) })
	require.False(w, w.eraseAll(mine, 0).Deleted, "a run has not ended")
	left, err := w.store.Erasures(w.Context(), w.now.Add(time.Second), 10)
	require.NoError(w, err)
	require.Equal(w, []rota.Owner{mine}, left)
	ids, err := w.store.OpenRunIDs(w.Context(), mine, 10)
	require.NoError(w, err)
	require.Equal(w, []rota.RunID{open}, ids)
	w.finish(open, w.completed())
	counted := w.tallies(rota.Owners{Owner: mine, All: true})
	require.NotEmpty(w, w.tallies(rota.Owners{Owner: mine}))
	e := w.eraseAll(mine, 1)
	require.Equal(w, counted, w.tallies(rota.Owners{Owner: mine, All: true}), "what the account has in common stays")
	require.Empty(w, w.tallies(rota.Owners{Owner: mine}), "also where it was not folded")
	require.NotEmpty(w, w.tallies(rota.Owners{Owner: rota.Owner{Account: "acme", EndUser: "u-2"}}))
	require.Equal(w, rota.Erasure{
		Object: rota.ObjectErasure, ID: mine.EndUser, Deleted: true, Agents: 2, Versions: 2, Schedules: 2, Occurrences: 1, Runs: 2, CancelledRuns: 1, Keys: 1, Answers: 4, Responses: 2, Conversations: 1,
	}, e)
	left, err = w.store.Erasures(w.Context(), w.now.Add(time.Second), 10)
	require.NoError(w, err)
	require.Empty(w, left)
	require.ErrorIs(w, w.try(func(ctx context.Context, tx sqlstore.Queries) error {
		_, _, err := tx.EraseSome(ctx, mine, 0, w.now, 1)
		return err
	}), rota.NotFound)
	require.False(w, w.exists(a.ID))
	of, err := w.store.SchedulesOf(w.Context(), mine, "", 10)
	require.NoError(w, err)
	require.Empty(w, of)
	w.owner = rota.Owner{Account: "acme", EndUser: "u-2"}
	w.keeps(theirs.ID, run)
}

// keeps checks that the world's owner has what possess gave it.
func (w *world) keeps(a rota.AgentID, run rota.RunID) {
	w.Helper()
	require.True(w, w.exists(a))
	of, err := w.store.SchedulesOf(w.Context(), w.owner, "", 10)
	require.NoError(w, err)
	require.Len(w, of, 2)
	require.Len(w, w.occurrences(of[0]), 1)
	require.Equal(w, rota.PhaseCompleted, w.run(run).Phase)
}

// eraseAll deletes an end user as far as it goes.
func (w *world) eraseAll(o rota.Owner, cancelled int64) (e rota.Erasure) {
	w.Helper()
	for steps, some := 0, true; some && !e.Deleted; steps++ {
		require.Less(w, steps, 40)
		w.update(func(ctx context.Context, tx sqlstore.Queries) (err error) {
			e, some, err = tx.EraseSome(ctx, o, cancelled, w.now, 1)
			return err
		})
		cancelled = 0
	}
	return e
}
