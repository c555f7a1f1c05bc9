package enginetest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/zoneinfo"
)

// intervals are about where an interval is counted from.
var intervals = []testCase{
	{name: "an interval that starts ahead has that as its first time", run: func(w *world) {
		start := w.second(3)
		s := w.schedule(w.agent("large/m"), w.everyFrom(2, start), rota.PolicyUpdate{})
		w.passTo(start.Add(w.units(4.5)))
		w.firedAt(s, start, start.Add(w.units(2)), start.Add(w.units(4)))
	}},
	{name: "an interval whose start lies behind keeps to its grid", run: func(w *world) {
		start := w.second(-2)
		s := w.schedule(w.agent("large/m"), w.everyFrom(4, start), rota.PolicyUpdate{})
		w.passTo(start.Add(w.units(8.5)))
		w.firedAt(s, start.Add(w.units(4)), start.Add(w.units(8)))
	}},
	{name: "the start of a policy bounds an interval, and moves nothing", run: func(w *world) {
		bound := rota.PolicyUpdate{StartAt: rota.Some(rota.InstantOf(time.Now().Add(w.units(3))))}
		s := w.schedule(w.agent("large/m"), w.every(2), bound)
		w.passTo(s.CreatedAt.Add(w.units(4.5)))
		w.firedAt(s, s.CreatedAt.Add(w.units(4)))
	}},
	{name: "the start and the length of an interval change alone and together", run: func(w *world) {
		start := w.second(3)
		s := w.schedule(w.agent("large/m"), w.everyFrom(4, start), rota.PolicyUpdate{})
		w.passTo(start.Add(w.units(0.5)))
		w.firedAt(s, start)

		w.update(s, w.everyFrom(3, start)) // the length
		third := start.Add(w.units(3))
		w.passTo(third.Add(w.units(0.5)))
		w.firedAt(s, start, third)

		fifth := start.Add(w.units(5))
		w.update(s, w.everyFrom(3, fifth)) // the start
		w.passTo(fifth.Add(w.units(0.5)))
		w.firedAt(s, start, third, fifth)

		seventh := start.Add(w.units(7))
		w.update(s, w.everyFrom(2, seventh)) // both
		w.passTo(seventh.Add(w.units(0.5)))
		w.firedAt(s, start, third, fifth, seventh)

		w.update(s, w.every(2)) // no start: counted from the change
		last := w.read(s).UpdatedAt.Add(w.units(2))
		w.passTo(last.Add(w.units(0.5)))
		w.firedAt(s, start, third, fifth, seventh, last)
	}},
	{name: "an interval keeps to its start through a pause and a restart", run: func(w *world) {
		start := w.second(-2)
		s := w.schedule(w.agent("large/m"), w.everyFrom(4, start), rota.PolicyUpdate{})
		w.pause(s)
		w.passTo(start.Add(w.units(5)))
		w.restart()
		_, err := w.control.ResumeSchedule(w.Context(), caller, s.AgentID, s.ID, rota.SchedulePause{}, control.Write{})
		require.NoError(w, err)
		w.passTo(start.Add(w.units(8.5)))
		w.shows(s, "blocked, fired")
		require.Equal(w, start.Add(w.units(4)), w.ledger(s)[0].ScheduledFor.Time)
		require.Equal(w, start.Add(w.units(8)), w.ledger(s)[1].ScheduledFor.Time)
	}},
	{name: "an interval counts real time, also from a start before a clock change", run: func(w *world) {
		base, spec := w.second(-5), w.every(7)
		every := time.Duration(spec.IntervalSeconds) * time.Second
		berlin, err := zoneinfo.Load("Europe/Berlin")
		require.NoError(w, err)
		start := base.Add(-(200 * 24 * time.Hour / every) * every)
		spec.StartAt, spec.Timezone = start.In(berlin).Format("2006-01-02T15:04:05"), berlin.String()
		s := w.schedule(w.agent("large/m"), spec, rota.PolicyUpdate{})
		w.passTo(base.Add(w.units(7.5)))
		w.firedAt(s, base.Add(every))
	}},
}

// second returns a whole second so many units from now, or a little before.
func (w *world) second(units float64) time.Time {
	return time.Now().UTC().Add(w.units(units)).Truncate(time.Second)
}

// everyFrom is every, counted from an instant.
func (w *world) everyFrom(units int64, start time.Time) rota.Spec {
	spec := w.every(units)
	spec.StartAt = start.Format(time.RFC3339)
	return spec
}

// firedAt checks that these nominal times are on record by now, that each has
// fired, and that there are no others.
func (w *world) firedAt(s rota.Schedule, want ...time.Time) {
	w.Helper()
	w.soon(func() {
		var got []time.Time
		for _, o := range w.ledger(s) {
			require.Equal(w, rota.Fired, o.Outcome)
			got = append(got, o.ScheduledFor.Time)
		}
		require.Equal(w, want, got)
	})
}
