package storetest

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

var replans = []testCase{
	{"timers come in pages, with the last time on record", recordedTimers},
	{"what is on record after an instant", onRecordAfter},
	{"times are taken off the record", withdrawn},
	{"timers are written back as they were planned anew", timersSaved},
	{"runs that wait get another time", setReady},
}

// record puts an outcome of a schedule on record, so much after the start.
func (w *world) record(s rota.Schedule, after time.Duration, change func(*rota.Occurrence)) rota.Occurrence {
	w.Helper()
	o := w.occurrence(w.timer(s), rota.MissedOutcome)
	o.ScheduledFor = rota.InstantOf(start.Add(after))
	if change != nil {
		change(&o)
	}
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.Record(ctx, []rota.Occurrence{o}) })
	return o
}

// until makes a row one of a span.
func until(after time.Duration, count int64) func(*rota.Occurrence) {
	return func(o *rota.Occurrence) {
		o.ScheduledUntil, o.Count = rota.InstantOrNil(start.Add(after)), count
	}
}

func recordedTimers(w *world) {
	var all []rota.Schedule
	for range 5 {
		all = append(all, w.addSchedule(w.addAgent().ID))
	}
	w.record(all[0], time.Minute, nil)
	w.record(all[0], 2*time.Minute, until(9*time.Minute, 8))
	w.record(all[0], 3*time.Minute, func(o *rota.Occurrence) { o.Trigger = rota.TriggerManual })
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.DeleteSchedule(ctx, w.owner, all[3].AgentID, all[3].ID, w.now)
	})
	var got []rota.RecordedTimer
	for after, more := rota.ScheduleID(""), true; more; {
		w.update(func(ctx context.Context, tx sqlstore.Queries) error {
			page, err := tx.RecordedTimers(ctx, after, 2)
			got = append(got, page...)
			if more = len(page) == 2; more {
				after = page[1].ScheduleID
			}
			return err
		})
	}
	require.Len(w, got, 4, "all but the one that is deleted")
	for i, s := range []rota.Schedule{all[0], all[1], all[2], all[4]} {
		require.Equal(w, w.timer(s), got[i].Timer)
	}
	require.Equal(w, start.Add(9*time.Minute), got[0].Last)
	require.Zero(w, got[1].Last)
}

func onRecordAfter(w *world) {
	s, other := w.addSchedule(w.addAgent().ID), w.addSchedule(w.addAgent().ID)
	w.record(s, time.Minute, nil)
	span := w.record(s, 2*time.Minute, until(9*time.Minute, 8))
	w.record(s, 3*time.Minute, func(o *rota.Occurrence) { o.Trigger = rota.TriggerManual })
	next := w.record(s, 10*time.Minute, nil)
	w.record(s, 11*time.Minute, nil)
	w.record(other, 4*time.Minute, nil)
	after := func(at time.Duration, limit int) (times []rota.Instant) {
		w.update(func(ctx context.Context, tx sqlstore.Queries) error {
			rows, err := tx.OnRecordAfter(ctx, s.ID, start.Add(at), limit)
			times = nil
			for _, o := range rows {
				times = append(times, o.ScheduledFor)
			}
			return err
		})
		return times
	}
	require.Equal(w, []rota.Instant{span.ScheduledFor, next.ScheduledFor}, after(5*time.Minute, 1))
	require.Equal(w, []rota.Instant{next.ScheduledFor}, after(9*time.Minute, 1), "the span is over")
	require.Len(w, after(0, 10), 5)
	require.Empty(w, after(11*time.Minute, 10))
}

func withdrawn(w *world) {
	s, other := w.addSchedule(w.addAgent().ID), w.addSchedule(w.addAgent().ID)
	var times []rota.Instant
	for m := range 3 {
		times = append(times, w.record(s, time.Duration(m)*time.Minute, nil).ScheduledFor)
		w.record(other, time.Duration(m)*time.Minute, nil)
	}
	for _, some := range [][]rota.Instant{times[:2], nil, {rota.InstantOf(start.Add(time.Hour))}} {
		w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.Withdraw(ctx, s.ID, some) })
	}
	left := w.occurrences(s)
	require.Len(w, left, 1)
	require.Equal(w, times[2], left[0].ScheduledFor)
	require.Len(w, w.occurrences(other), 3)
}

func timersSaved(w *world) {
	a, b := w.timer(w.addSchedule(w.addAgent().ID)), w.timer(w.addSchedule(w.addAgent().ID))
	a.Anchor, a.NextRunAt, a.DueAt, a.LastRunAt = start.Add(time.Hour), start.Add(2*time.Hour), start.Add(3*time.Hour), start
	b.Status, b.Backlog, b.BacklogTo, b.Buffered = rota.ScheduleCompleted, 2, start, start.Add(time.Second)
	b.NextRunAt, b.DueAt = time.Time{}, time.Time{}
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		if err := tx.SaveTimers(ctx, nil); err != nil {
			return err
		}
		return tx.SaveTimers(ctx, []rota.Timer{a, b})
	})
	for _, t := range []rota.Timer{a, b} {
		w.update(func(ctx context.Context, tx sqlstore.Queries) error {
			got, err := tx.Timer(ctx, w.owner, t.AgentID, t.ScheduleID)
			t.Model = got.Model
			require.Equal(w, t, got)
			return err
		})
	}
}

func setReady(w *world) {
	a := w.addAgent()
	running, delayed := w.addRun(a.ID), w.addRun(a.ID)
	w.at(time.Second)
	w.claim(2)
	w.delay(delayed.ID, time.Hour, true)
	w.at(time.Minute)
	queued := w.addRun(a.ID)
	var waiting []rota.WaitingRun
	read := func(at time.Time, limit int) []rota.WaitingRun {
		w.update(func(ctx context.Context, tx sqlstore.Queries) (err error) {
			waiting, err = tx.WaitingAfter(ctx, at, limit)
			return err
		})
		return waiting
	}
	require.Len(w, read(time.Time{}, 10), 2, "not the one that runs")
	first := read(time.Time{}, 1)
	require.Len(w, first, 1)
	require.Equal(w, delayed.ID, first[0].ID)
	require.Equal(w, queued.ID, read(time.Time{}, 2)[1].ID)
	require.Empty(w, read(time.Time{}, 2)[1].Attempts)
	at := start.Add(2 * time.Minute)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.SetReady(ctx, []rota.WaitingRun{{ID: delayed.ID, ReadyAt: at}, {ID: running.ID, ReadyAt: at}})
	})
	require.Equal(w, at, read(start.Add(time.Second), 10)[0].ReadyAt)
}
