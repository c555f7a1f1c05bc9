package control_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// TestDeletionOfAnEndUserGoesOn: whoever asked has hung up, or the process has died, and
// a minute later another goes on until nothing is left.
func TestDeletionOfAnEndUserGoesOn(t *testing.T) {
	w := newWorld(t)
	ana := caller
	ana.Owner.EndUser = "ana"
	a, err := w.CreateAgent(t.Context(), ana, rota.AgentCreate{Name: "a", Model: "mock/small"}, control.Write{})
	require.NoError(t, err)
	in := body[rota.ScheduleCreate](t, `{"input":"hi","schedule":`+hourly+`}`)
	_, err = w.CreateSchedule(t.Context(), ana, a.ID, in, control.Write{})
	require.NoError(t, err)
	var runs []rota.RunID
	for range 120 {
		r, err := w.StartRun(t.Context(), ana, a.ID, rota.RunCreate{Input: rota.InputText("hi")}, control.Write{})
		require.NoError(t, err)
		runs = append(runs, r.ID)
	}
	ctx, hangUp := context.WithCancel(t.Context())
	w.Store.Updater = cutting{w.Store.Updater, hangUp, new(int)}
	_, err = w.DeleteEndUser(ctx, caller, "ana")
	require.ErrorIs(t, err, context.Canceled)
	more, err := w.ResumeErasures(t.Context())
	require.NoError(t, err)
	require.False(t, more, "somebody seems to be at it")

	w.at(2 * time.Minute)
	more, err = w.ResumeErasures(t.Context())
	require.NoError(t, err)
	require.True(t, more)
	require.ElementsMatch(t, runs, w.engine.cancelled, "each was cancelled")
	for _, id := range runs {
		_, err := w.RunByID(t.Context(), ana, id)
		require.ErrorIs(t, err, rota.NotFound)
	}
	_, err = w.Agent(t.Context(), ana, a.ID)
	require.ErrorIs(t, err, rota.NotFound)
	w.at(2 * time.Hour)
	require.Empty(t, w.fire())
	more, err = w.ResumeErasures(t.Context())
	require.NoError(t, err)
	require.False(t, more)
	w.tx(func(ctx context.Context, tx sqlstore.Queries) error {
		left, err := tx.Erasures(ctx, w.now, 1)
		require.Empty(t, left)
		return err
	})
}

// cutting hangs up after the second transaction.
type cutting struct {
	control.Updater
	hangUp func()
	made   *int
}

func (c cutting) Update(ctx context.Context, fn func(context.Context, control.Tx) error) error {
	err := c.Updater.Update(ctx, fn)
	if *c.made++; *c.made == 2 {
		c.hangUp()
	}
	return err
}
