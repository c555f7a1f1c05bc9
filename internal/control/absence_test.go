package control_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
)

var errCrash = errors.New("the process has died")

// A mortal updater fails when it has made so many transactions.
type mortal struct {
	control.Updater
	left int
}

// Update implements control.Updater.
func (m *mortal) Update(ctx context.Context, fn func(context.Context, control.Tx) error) error {
	if m.left--; m.left < 0 {
		return errCrash
	}
	return m.Updater.Update(ctx, fn)
}

// dies lets do begin, and its process die after so many transactions.
func (w *world) dies(after int, do func() error) {
	w.Helper()
	alive := w.Store.Updater
	w.Store.Updater = &mortal{alive, after}
	require.ErrorIs(w, do(), errCrash)
	w.Store.Updater = alive
}

// TestAbsenceOfMany: an agent with more schedules than one transaction changes is
// deleted and restored like any other, also if the process dies in between.
func TestAbsenceOfMany(t *testing.T) {
	const many = 1100
	for _, crash := range []bool{false, true} {
		t.Run(fmt.Sprintf("crash %v", crash), func(t *testing.T) {
			w := newWorld(t)
			a := w.agent()
			var all []rota.Schedule
			for range many {
				in := body[rota.ScheduleCreate](t, `{"input":"hi","schedule":{"type":"interval","interval_seconds":60}}`)
				s, err := w.CreateSchedule(t.Context(), caller, a.ID, in, control.Write{})
				require.NoError(t, err)
				all = append(all, s)
			}
			remove := func() error {
				_, err := w.DeleteAgent(t.Context(), caller, a.ID, control.Write{IdempotencyKey: "d"})
				return err
			}
			restore := func() error {
				_, err := w.RestoreAgent(t.Context(), caller, a.ID, control.Write{IdempotencyKey: "r"})
				return err
			}
			w.at(90 * time.Second) // one time of each is overdue
			if crash {
				w.dies(1, remove)
				w.at(100 * time.Second)
				require.Empty(t, w.fire(), "what is due of a deleted agent starts nothing")
			} else {
				require.NoError(t, remove())
			}
			w.at(5*time.Minute + 30*time.Second)
			if crash {
				w.dies(3, restore)
				w.at(6*time.Minute + 30*time.Second)
			}
			require.NoError(t, restore())
			require.NoError(t, restore(), "asked again, it answers the same")
			w.at(8*time.Minute + 30*time.Second)
			for i := 0; i < many; i += many/7 + 1 {
				s := w.read(all[i])
				require.Equal(t, rota.SchedulePaused, s.Status)
				require.Equal(t, rota.PausedByDeletion, s.PauseReason.Code)
				_, err := w.ResumeSchedule(t.Context(), caller, a.ID, s.ID, rota.SchedulePause{}, control.Write{})
				require.NoError(t, err)
				counts := make(map[string]int64)
				for _, o := range w.ledgerOf(s, rota.OccurrenceFilter{}, rota.Page{Limit: 100}).Data {
					counts[o.Reason.Code] += o.Count
				}
				away := map[bool]int64{false: 4, true: 5}[crash]
				require.Equal(t, map[string]int64{"not_active": 1, rota.RunErrAgentDeleted: away, rota.RunErrPaused: 7 - away}, counts)
			}
		})
	}
}
