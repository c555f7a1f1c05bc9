package storetest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

var updates = []testCase{
	{"an update that fails keeps nothing", rollback},
	{"an update that panics keeps nothing", panics},
	{"an update sees its own writes", ownWrites},
	{"readers do not see what is not committed", uncommitted},
	{"a failed update does not affect others", survivors},
	{"an update whose context has ended does nothing", cancelled},
	{"an update completes after its context ends", cancelledInside},
	{"a conflict is an error and nothing else", conflict},
	{"many updates at once", concurrent},
}

var answers = []testCase{
	{"an answer is replayed within its window", replay},
	{"answers are each owner's own", answerOwners},
	{"a newer answer takes the place of an older", replaced},
	{"old answers are deleted in portions", forgotten},
	{"concurrent equal requests make one change", oneChange},
}

var errWanted = errors.New("wanted")

func (w *world) exists(id rota.AgentID) bool {
	w.Helper()
	_, err := w.store.Agent(w.Context(), w.owner, id)
	if !errors.Is(err, rota.NotFound) {
		require.NoError(w, err)
	}
	return err == nil
}

// addAndSee adds an agent and reads it: a store may put off a write until then.
func (w *world) addAndSee(ctx context.Context, tx sqlstore.Queries, a rota.Agent) error {
	if err := tx.AddAgent(ctx, w.owner, a); err != nil {
		return err
	}
	_, err := tx.Agent(ctx, w.owner, a.ID)
	return err
}

func rollback(w *world) {
	a := w.newAgent()
	err := w.try(func(ctx context.Context, tx sqlstore.Queries) error {
		require.NoError(w, w.addAndSee(ctx, tx, a))
		return errWanted
	})
	require.ErrorIs(w, err, errWanted)
	require.False(w, w.exists(a.ID))
	w.addAgent()
}

func panics(w *world) {
	a := w.newAgent()
	err := w.store.Update(w.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
		if err := w.addAndSee(ctx, tx, a); err != nil {
			return err
		}
		panic("a bug")
	})
	require.ErrorContains(w, err, "a bug")
	require.False(w, w.exists(a.ID))
	w.addAgent()
}

func ownWrites(w *world) {
	a := w.newAgent()
	s, t := w.newSchedule(a.ID)
	r := w.newRun(a.ID)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		require.NoError(w, tx.AddAgent(ctx, w.owner, a))
		require.NoError(w, tx.AddSchedule(ctx, rota.TimedSchedule{Schedule: s, Timer: t}))
		require.NoError(w, tx.AddRun(ctx, w.owner, r, provider))
		got, err := tx.Agent(ctx, w.owner, a.ID)
		require.NoError(w, err)
		w.same(a, got)
		gotSchedule, err := tx.Schedule(ctx, w.owner, a.ID, s.ID, false)
		require.NoError(w, err)
		w.same(s, gotSchedule)
		runs, err := tx.Runs(ctx, w.owner, a.ID, rota.Page{Limit: 10})
		require.NoError(w, err)
		require.Len(w, runs.Data, 1)
		work, err := tx.ClaimRuns(ctx, start.Add(time.Second), rota.Claim{Provider: provider, Limit: 1})
		require.Len(w, work, 1)
		return err
	})
}

func uncommitted(w *world) {
	a := w.newAgent()
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		err := w.addAndSee(ctx, tx, a)
		require.False(w, w.exists(a.ID))
		return err
	})
	require.True(w, w.exists(a.ID), "a reader sees what is committed at once")
}

// survivors: updates that wait while one runs may be committed together; one
// that fails must take back its own work only.
func survivors(w *world) {
	begun, queued := make(chan struct{}), make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		w.NoErr(w.try(func(context.Context, sqlstore.Queries) error {
			close(begun)
			<-queued
			return nil
		}))
	})
	<-begun
	var kept, lost []rota.AgentID
	var ready sync.WaitGroup
	for i := range 10 {
		a := w.newAgent()
		fails := i%2 == 1
		if fails {
			lost = append(lost, a.ID)
		} else {
			kept = append(kept, a.ID)
		}
		ready.Add(1)
		group.Go(func() {
			ready.Done()
			err := w.try(func(ctx context.Context, tx sqlstore.Queries) error {
				if err := w.addAndSee(ctx, tx, a); err != nil || !fails {
					return err
				}
				return errWanted
			})
			if fails != errors.Is(err, errWanted) {
				w.Errorf("fails: %v, error: %v", fails, err)
			}
		})
	}
	ready.Wait()
	close(queued)
	group.Wait()
	for _, id := range kept {
		require.True(w, w.exists(id))
	}
	for _, id := range lost {
		require.False(w, w.exists(id))
	}
}

// NoErr is require.NoError for goroutines that are not the test's own.
func (w *world) NoErr(err error) {
	if err != nil {
		w.Error(err)
	}
}

func cancelled(w *world) {
	ctx, cancel := context.WithCancelCause(w.Context())
	cancel(errWanted)
	err := w.store.Update(ctx, func(context.Context, sqlstore.Queries) error {
		w.Error("it ran")
		return nil
	})
	require.ErrorIs(w, err, errWanted)
}

func cancelledInside(w *world) {
	a, b := w.newAgent(), w.newAgent()
	ctx, cancel := context.WithCancel(w.Context())
	err := w.store.Update(ctx, func(ctx context.Context, tx sqlstore.Queries) error {
		if err := tx.AddAgent(ctx, w.owner, a); err != nil {
			return err
		}
		cancel()
		return tx.AddAgent(ctx, w.owner, b)
	})
	require.Equal(w, err == nil, w.exists(a.ID), "the answer is true: %v", err)
	require.Equal(w, w.exists(a.ID), w.exists(b.ID), "all or nothing")
	w.addAgent()
}

func conflict(w *world) {
	a := w.addAgent()
	other := w.newAgent()
	require.Error(w, w.try(func(ctx context.Context, tx sqlstore.Queries) error {
		if err := tx.AddAgent(ctx, w.owner, other); err != nil {
			return err
		}
		return tx.AddAgent(ctx, w.owner, a)
	}))
	require.False(w, w.exists(other.ID))
}

func concurrent(w *world) {
	s := w.addSchedule(w.addAgent().ID)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 10 {
				w.NoErr(w.try(func(ctx context.Context, tx sqlstore.Queries) error {
					t, err := tx.Timer(ctx, w.owner, s.AgentID, s.ID)
					if err != nil {
						return err
					}
					t.RunCount++
					return tx.SaveSchedule(ctx, rota.TimedSchedule{Schedule: s, Timer: t}, nil)
				}))
				_, err := w.store.Schedules(w.Context(), w.owner, s.AgentID, rota.Page{Limit: 10})
				w.NoErr(err)
			}
		})
	}
	group.Wait()
	require.EqualValues(w, 80, w.timer(s).RunCount)
}

func (w *world) keep(o rota.Owner, key string, a rota.Answer, since time.Time) {
	w.Helper()
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.KeepAnswer(ctx, o, key, a, since) })
}

func (w *world) answer(o rota.Owner, key string, since time.Time) (rota.Answer, error) {
	var got rota.Answer
	err := w.try(func(ctx context.Context, tx sqlstore.Queries) error {
		var err error
		got, err = tx.Answer(ctx, o, key, since)
		return err
	})
	return got, err
}

func replay(w *world) {
	want := rota.Answer{Fingerprint: []byte{0, 1, 255}, Body: []byte(`{"ü":1}`), At: start}
	w.keep(w.owner, "k", want, start.Add(-time.Hour))
	for _, since := range []time.Time{start.Add(-time.Hour), start} {
		got, err := w.answer(w.owner, "k", since)
		require.NoError(w, err)
		w.same(want, got)
	}
	_, err := w.answer(w.owner, "k", start.Add(time.Millisecond))
	require.ErrorIs(w, err, rota.NotFound)
	_, err = w.answer(w.owner, "K", start)
	require.ErrorIs(w, err, rota.NotFound)
}

func answerOwners(w *world) {
	w.keep(w.owner, "k", rota.Answer{Fingerprint: []byte("f"), Body: []byte("mine"), At: start}, start)
	for _, o := range w.strangers() {
		_, err := w.answer(o, "k", start)
		require.ErrorIs(w, err, rota.NotFound)
		w.keep(o, "k", rota.Answer{Fingerprint: []byte("f"), Body: []byte("theirs"), At: start}, start)
	}
	got, err := w.answer(w.owner, "k", start)
	require.NoError(w, err)
	require.Equal(w, "mine", string(got.Body))
}

func replaced(w *world) {
	w.keep(w.owner, "k", rota.Answer{Fingerprint: []byte("1"), Body: []byte("old"), At: start}, start)
	want := rota.Answer{Fingerprint: []byte("2"), Body: []byte("new"), At: start.Add(time.Hour)}
	w.keep(w.owner, "k", want, start.Add(time.Hour))
	got, err := w.answer(w.owner, "k", start)
	require.NoError(w, err)
	w.same(want, got)
}

func forgotten(w *world) {
	const many = 500
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		for i := range many {
			a := rota.Answer{Fingerprint: []byte("f"), Body: []byte("b"), At: start.Add(time.Duration(i) * time.Millisecond)}
			if err := tx.KeepAnswer(ctx, w.owner, string(rune('a'+i)), a, start); err != nil {
				return err
			}
		}
		return nil
	})
	later := start.Add(time.Hour)
	before := w.remembered(many)
	require.Equal(w, many, before)
	w.keep(w.owner, "new", rota.Answer{Fingerprint: []byte("f"), Body: []byte("b"), At: later}, later)
	left := w.remembered(many)
	require.Less(w, left, before, "it forgets")
	require.Greater(w, left, 0, "one write does not forget everything")
	for i := range many {
		w.keep(w.owner, "new", rota.Answer{Fingerprint: []byte("f"), Body: []byte("b"), At: later}, later)
		if left = w.remembered(many); left == 0 {
			break
		}
		require.Less(w, i, many-1, "in the end it forgets everything")
	}
	_, err := w.answer(w.owner, "new", later)
	require.NoError(w, err)
}

// oneChange makes the same change many times at once, under one key.
func oneChange(w *world) {
	const many = 8
	all := []rota.Agent{w.newAgent(), w.newAgent(), w.newAgent(), w.newAgent(), w.newAgent(), w.newAgent(), w.newAgent(), w.newAgent()}
	var group sync.WaitGroup
	for i := range many {
		group.Go(func() {
			w.NoErr(w.try(func(ctx context.Context, tx sqlstore.Queries) error {
				_, err := tx.Answer(ctx, w.owner, "k", start)
				if !errors.Is(err, rota.NotFound) {
					return err
				}
				if err := tx.AddAgent(ctx, w.owner, all[i]); err != nil {
					return err
				}
				return tx.KeepAnswer(ctx, w.owner, "k", rota.Answer{Fingerprint: []byte("f"), Body: []byte("b"), At: start}, start)
			}))
		})
	}
	group.Wait()
	l, err := w.store.Agents(w.Context(), w.owner, false, rota.Page{Limit: 10})
	require.NoError(w, err)
	require.Len(w, l.Data, 1)
}

// remembered counts the answers of forgotten, from however long ago.
func (w *world) remembered(many int) int {
	w.Helper()
	n := 0
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		n = 0
		for i := range many {
			_, err := tx.Answer(ctx, w.owner, string(rune('a'+i)), start)
			switch {
			case err == nil:
				n++
			case !errors.Is(err, rota.NotFound):
				return err
			}
		}
		return nil
	})
	return n
}
