package control_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/policy"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

const minutely = `{"type":"cron","cron_expression":"* * * * *"}`

// backfill asks for the minutes between two offsets from the start.
func (w *world) backfill(s rota.Schedule, from, to time.Duration, dry bool) (rota.Backfill, error) {
	w.Helper()
	in := rota.BackfillCreate{From: instant(from), To: instant(to), DryRun: rota.Some(dry)}
	return w.BackfillSchedule(w.Context(), caller, s.AgentID, s.ID, in, control.Write{})
}

// ledger writes what is on record as "outcome minute", the oldest first, a span
// as "outcome first..last=count".
func (w *world) ledger(s rota.Schedule) []string {
	w.Helper()
	l, err := w.Occurrences(w.Context(), caller, s.AgentID, s.ID, rota.OccurrenceFilter{}, rota.Page{Limit: 100, Ascending: true})
	require.NoError(w, err)
	minute := func(i rota.Instant) int { return int(i.Sub(start) / time.Minute) }
	var out []string
	for _, o := range l.Data {
		text := fmt.Sprintf("%s %d", o.Outcome, minute(o.ScheduledFor))
		if o.ScheduledUntil != nil {
			text += fmt.Sprintf("..%d=%d", minute(*o.ScheduledUntil), o.Count)
		}
		out = append(out, text)
	}
	return out
}

// miss lets an engine find what fell due while it did not look.
func (w *world) miss() {
	w.Helper()
	w.tx(func(ctx context.Context, tx sqlstore.Queries) error {
		_, err := tx.FireDue(ctx, w.now, 100, nil, func(t rota.Timer) rota.Decision { return policy.Decide(t, w.now, w.now) })
		return err
	})
}

// missed returns a schedule that fired at 1, and missed 2 to 9 on a server that
// was down until 9:30.
func (w *world) missed() rota.Schedule {
	w.Helper()
	s := w.schedule(minutely, `,"policy":{"missed":"skip"}`)
	w.at(time.Minute)
	require.Len(w, w.fire(), 1)
	w.at(9*time.Minute + 30*time.Second)
	w.miss()
	require.Equal(w, []string{"fired 1", "missed 2..9=8"}, w.ledger(s))
	return s
}

func TestBackfillSplitsWhatWasMissed(t *testing.T) {
	for _, tt := range []struct {
		name     string
		from, to time.Duration
		want     string
	}{
		{"the middle", 4 * time.Minute, 6 * time.Minute, "fired 1, missed 2..3=2, buffered 4, buffered 5, buffered 6, missed 7..9=3"},
		{"the beginning", 0, 3 * time.Minute, "buffered 0, fired 1, buffered 2, buffered 3, missed 4..9=6"},
		{"all but the first", 2*time.Minute + time.Millisecond, 9*time.Minute + 30*time.Second, "fired 1, missed 2, buffered 3, buffered 4, buffered 5, buffered 6, buffered 7, buffered 8, buffered 9"},
		{"between two times", 4*time.Minute + time.Millisecond, 5*time.Minute - time.Millisecond, "fired 1, missed 2..9=8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			s := w.missed()
			dry, err := w.backfill(s, tt.from, tt.to, true)
			require.NoError(t, err)
			require.True(t, dry.DryRun)
			require.Equal(t, []string{"fired 1", "missed 2..9=8"}, w.ledger(s), "nothing is written")

			got, err := w.backfill(s, tt.from, tt.to, false)
			require.NoError(t, err)
			require.Equal(t, tt.want, strings.Join(w.ledger(s), ", "))
			require.Equal(t, dry.Data, got.Data)
			require.Equal(t, strings.Count(tt.want, "buffered"), got.Count)
			require.Equal(t, got.Count, w.timer(s).Backlog)

			again, err := w.backfill(s, tt.from, tt.to, false)
			require.NoError(t, err)
			require.Zero(t, again.Count, "what waits is not asked for again")
			require.Equal(t, got.Count, w.timer(s).Backlog)
		})
	}
}

func TestBackfillTakesWhatDidNotFire(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(minutely, "")
	w.at(time.Minute)
	w.fire()
	w.at(2 * time.Minute)
	w.fire() // skipped: the first has not ended
	require.Equal(t, []string{"fired 1", "skipped_overlap 2"}, w.ledger(s))
	w.at(2*time.Minute + 30*time.Second)
	b, err := w.backfill(s, -time.Minute, 150*time.Second, false)
	require.NoError(t, err)
	require.Equal(t, []string{"buffered -1", "buffered 0", "fired 1", "buffered 2"}, w.ledger(s), "also from before it was made")
	require.Equal(t, instant(-time.Minute), b.Data[0].ScheduledFor)
	require.Equal(t, "2026-11-23T08:59:00Z", b.Data[0].Local)
}

// A time that has come and waits for its jitter will start by itself.
func TestBackfillLeavesWhatIsNext(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(minutely, `,"policy":{"jitter_seconds":3600}`)
	w.at(time.Minute)
	b, err := w.backfill(s, time.Minute, time.Minute, true)
	require.NoError(t, err)
	require.Zero(t, b.Count)
}

// A span from when the schedule was another stays as it is.
func TestBackfillLeavesForeignSpans(t *testing.T) {
	w := newWorld(t)
	s := w.missed()
	w.update(s, `{"schedule":{"type":"cron","cron_expression":"*/2 * * * *"}}`)
	_, err := w.backfill(s, 2*time.Minute, 6*time.Minute, false)
	require.NoError(t, err)
	require.Equal(t, []string{"fired 1", "missed 2..9=8", "buffered 4", "buffered 6"}, w.ledger(s))
	require.Equal(t, 2, w.timer(s).Backlog)
}

func TestBackfillRefuses(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(minutely, `,"policy":{"max_runs":3}`)
	field := func(err error) string {
		var e *rota.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, rota.Invalid, e.Code)
		return e.Field
	}
	_, err := w.backfill(s, 0, time.Millisecond, true)
	require.Equal(t, "to", field(err), "the future")
	_, err = w.backfill(s, -time.Hour, -2*time.Hour, true)
	require.Equal(t, "to", field(err), "before from")
	_, err = w.backfill(s, -1000*time.Minute, 0, true)
	require.Equal(t, "to", field(err), "1,001 times")
	_, err = w.backfill(s, -3*time.Minute, 0, true)
	require.ErrorIs(t, err, rota.Conflict, "more than max_runs leaves")
	_, err = w.backfill(s, -2*time.Minute, 0, true)
	require.NoError(t, err)

	_, err = w.PauseSchedule(t.Context(), caller, s.AgentID, s.ID, rota.SchedulePause{}, control.Write{})
	require.NoError(t, err)
	_, err = w.backfill(s, -2*time.Minute, 0, true)
	require.ErrorIs(t, err, rota.Conflict)
	s.ID = "asch_none"
	_, err = w.backfill(s, -2*time.Minute, 0, true)
	require.ErrorIs(t, err, rota.NotFound)
}

func TestBackfillOfACompletedSchedule(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(minutely, `,"policy":{"end_at":"2026-11-23T09:01:00Z"}`)
	w.at(time.Minute)
	w.fire()
	w.at(time.Hour)
	require.Equal(t, rota.ScheduleCompleted, w.read(s).Status)
	b, err := w.backfill(s, -time.Minute, time.Hour, false)
	require.NoError(t, err)
	require.Equal(t, 2, b.Count)
	require.Equal(t, []string{"buffered -1", "buffered 0", "fired 1"}, w.ledger(s))
	require.Equal(t, rota.ScheduleCompleted, w.read(s).Status)
}

// TestBackfillLeavesWhatWasDeleted: of a time whose record was deleted, nobody knows
// whether it has run.
func TestBackfillLeavesWhatWasDeleted(t *testing.T) {
	w := newWorld(t)
	s := w.missed()
	w.at(2 * time.Hour)
	old, err := w.db.Reader().OldOccurrences(t.Context(), "acme", w.now, "", 1)
	require.NoError(t, err)
	w.tx(func(ctx context.Context, tx sqlstore.Queries) error {
		_, err := tx.DeleteOccurrences(ctx, old)
		return err
	})
	require.Equal(t, []string{"fired 1"}, w.ledger(s), "its run has not ended")
	_, err = w.backfill(s, time.Minute, 20*time.Minute, true)
	require.ErrorContains(t, err, "from: must be after 2026-11-23T09:09:00.000Z")
	_, err = w.backfill(s, time.Minute, 2*time.Minute, false)
	require.ErrorContains(t, err, "from: must be after 2026-11-23T09:09:00.000Z")
	_, err = w.backfill(s, 9*time.Minute+time.Second, 9*time.Minute+time.Second, true)
	require.NoError(t, err)
}
