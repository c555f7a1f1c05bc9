package storetest

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

var backlogs = []testCase{
	{"the newest backlog goes first, and in it the oldest occurrence", backlogOrder},
	{"a backlog knows of newer runs", backlogNewer},
	{"a backlog waits for open runs", backlogWaits},
	{"a refused occurrence stays as it is", backlogRefused},
	{"an occurrence that leaves a backlog without a run is recorded", backlogGivenUp},
	{"pausing or deleting a schedule blocks its backlog", backlogBlocked},
	{"a completed schedule's backlog ends with its agent", backlogOfCompleted},
	{"a span is split", spanSplit},
	{"a missing span cannot be split", spanMissing},
	{"a backfill queues what did not fire", backfillLinesUp},
	{"timers of an agent that have something to do, and those that are paused", agentTimers},
	{"the last recorded time ignores triggers", lastOnRecord},
	{"timers by the key that made them", schedulesMadeBy},
}

// lineUp adds a schedule that missed the minutes from one to another.
func (w *world) lineUp(first, last int, change ...func(*rota.Schedule, *rota.Timer)) rota.Schedule {
	w.Helper()
	s := w.addSchedule(w.addAgent().ID, change...)
	w.at(time.Hour)
	t := w.timer(s)
	d := rota.Decision{Timer: t, Provider: provider}
	for m := first; m <= last; m++ {
		t.NextRunAt = start.Add(time.Duration(m) * time.Minute)
		o := w.occurrence(t, rota.Buffered)
		o.Reason = &rota.Reason{Code: "catch_up", Message: "it waits for its turn"}
		d.Records = append(d.Records, o)
		d.Timer.Backlog++
		d.Timer.BacklogTo = t.NextRunAt
	}
	d.Timer.NextRunAt, d.Timer.DueAt = start.Add(2*time.Hour), start.Add(2*time.Hour)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		_, err := tx.Fire(ctx, w.now, t, d)
		return err
	})
	return s
}

// turn fires an occurrence of a backlog.
func turn(t rota.Timer, o rota.Occurrence) (rota.Decision, bool) {
	t.Backlog--
	if t.Backlog == 0 {
		t.BacklogTo = time.Time{}
	}
	t.OpenRuns++
	t.RunCount++
	o.Outcome, o.Reason = rota.Fired, nil
	return rota.Decision{Timer: t, Records: []rota.Occurrence{o}, Provider: provider}, true
}

func (w *world) fireBacklog(limit int, decide rota.DecideBacklog) ([]rota.Fire, bool) {
	w.Helper()
	var fires []rota.Fire
	var left bool
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		var err error
		fires, left, err = tx.FireBacklog(ctx, w.now, limit, decide)
		return err
	})
	return fires, left
}

// minutes returns the minutes that fired.
func minutes(fires []rota.Fire) []int {
	var out []int
	for _, f := range fires {
		out = append(out, int(f.Occurrence.ScheduledFor.Sub(start)/time.Minute))
	}
	return out
}

func beside(_ *rota.Schedule, t *rota.Timer) { t.Policy.Overlap = rota.OverlapAllowAll }

func backlogOrder(w *world) {
	w.lineUp(1, 2, beside)
	newest := w.lineUp(30, 32, beside)
	w.lineUp(10, 10, beside)
	fires, left := w.fireBacklog(2, turn)
	require.Equal(w, []int{30, 10}, minutes(fires))
	require.True(w, left)
	fires, left = w.fireBacklog(10, turn)
	require.Equal(w, []int{31, 1}, minutes(fires), "one of each in one call")
	require.True(w, left)
	fires, left = w.fireBacklog(0, turn)
	require.Empty(w, fires)
	require.True(w, left)
	fires, left = w.fireBacklog(2, turn)
	require.Equal(w, []int{32, 2}, minutes(fires))
	require.False(w, left)
	fires, left = w.fireBacklog(10, turn)
	require.Empty(w, fires)
	require.False(w, left)

	require.Equal(w, []rota.Outcome{rota.Fired, rota.Fired, rota.Fired}, outcomes(w.occurrences(newest)))
	require.Len(w, w.claim(10), 6)
	t := w.timer(newest)
	require.Zero(w, t.Backlog)
	require.Zero(w, t.BacklogTo)
}

func backlogNewer(w *world) {
	w.lineUp(1, 2, beside)
	var newer []time.Duration
	decide := func(run bool) rota.DecideBacklog {
		return func(t rota.Timer, o rota.Occurrence) (rota.Decision, bool) {
			newer = append(newer, t.RanFor.Sub(start))
			if run {
				o.ScheduledFor.Time = start.Add(2 * time.Minute)
			}
			d, _ := turn(t, o)
			return d, run
		}
	}
	fires, _ := w.fireBacklog(1, decide(true))
	require.Equal(w, []int{2}, minutes(fires), "out of turn")
	w.fireBacklog(1, decide(false))
	require.Negative(w, newer[0], "none ran")
	require.Equal(w, 2*time.Minute, newer[1])
}

func backlogWaits(w *world) {
	s := w.lineUp(1, 2)
	fires, left := w.fireBacklog(10, turn)
	require.Equal(w, []int{1}, minutes(fires))
	require.False(w, left, "the next waits for this one")
	fires, _ = w.fireBacklog(10, turn)
	require.Empty(w, fires)
	run := w.claimOne().Run
	require.Equal(w, rota.TriggerSchedule, run.Trigger)
	require.Equal(w, rota.Finish{Ended: true, Due: true}, w.finish(run.ID, w.completed()), "now it is its turn")
	fires, _ = w.fireBacklog(10, turn)
	require.Equal(w, []int{2}, minutes(fires))
	require.Equal(w, 1, w.timer(s).OpenRuns)
}

func backlogRefused(w *world) {
	s := w.lineUp(1, 2)
	before := w.timer(s)
	fires, left := w.fireBacklog(10, func(rota.Timer, rota.Occurrence) (rota.Decision, bool) { return rota.Decision{}, false })
	require.Empty(w, fires)
	require.False(w, left, "to ask again at once would bring the same")
	w.same(before, w.timer(s))
}

func backlogGivenUp(w *world) {
	s := w.lineUp(1, 2)
	giveUp := func(t rota.Timer, o rota.Occurrence) (rota.Decision, bool) {
		d, ok := turn(t, o)
		d.Timer.OpenRuns, d.Timer.RunCount = t.OpenRuns, t.RunCount
		d.Records[0].Outcome, d.Records[0].Reason = rota.MissedOutcome, &rota.Reason{Code: "too_late", Message: "it is"}
		return d, ok
	}
	fires, left := w.fireBacklog(1, giveUp)
	require.Empty(w, fires)
	require.True(w, left)
	got := w.occurrences(s)
	require.Equal(w, []rota.Outcome{rota.MissedOutcome, rota.Buffered}, outcomes(got))
	require.Equal(w, "too_late", got[0].Reason.Code)
	require.Empty(w, w.claim(10))
}

func backlogBlocked(w *world) {
	for name, stop := range map[string]func(rota.Schedule){
		"schedule": w.deleteSchedule,
		"agent":    func(s rota.Schedule) { w.deleteAgent(s.AgentID) },
		"pause":    w.pause,
	} {
		s := w.lineUp(1, 3)
		stop(s)
		require.Equal(w, []rota.Outcome{rota.Blocked, rota.Blocked, rota.Blocked}, outcomes(w.occurrences(s)), name)
		fires, left := w.fireBacklog(10, turn)
		require.Empty(w, fires, name)
		require.False(w, left, name)
	}
}

// backlogOfCompleted: a completed schedule can have a backlog, of a backfill. It
// stays completed when its agent is deleted, and nothing waits in it any more.
func backlogOfCompleted(w *world) {
	s := w.lineUp(1, 3)
	t := w.timer(s)
	d := rota.Decision{Timer: t}
	d.Timer.Status, d.Timer.NextRunAt, d.Timer.DueAt = rota.ScheduleCompleted, time.Time{}, time.Time{}
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		_, err := tx.Fire(ctx, w.now, t, d)
		return err
	})
	w.deleteAgent(s.AgentID)
	got := w.timer(s)
	require.Equal(w, rota.ScheduleCompleted, got.Status)
	require.Zero(w, got.Backlog)
	require.Zero(w, got.BacklogTo)
}

// missSpan puts a span of missed minutes on record.
func (w *world) missSpan(s rota.Schedule, first, last int) rota.Occurrence {
	w.Helper()
	t := w.timer(s)
	t.NextRunAt = start.Add(time.Duration(first) * time.Minute)
	o := w.occurrence(t, rota.MissedOutcome)
	o.Count = int64(last - first + 1)
	if last > first {
		o.ScheduledUntil = p(rota.InstantOf(start.Add(time.Duration(last) * time.Minute)))
	}
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.Record(ctx, []rota.Occurrence{o}) })
	return o
}

func spanSplit(w *world) {
	s := w.addSchedule(w.addAgent().ID)
	w.at(time.Hour)
	whole := w.missSpan(s, 1, 9)
	older, newer := whole, whole
	older.ScheduledUntil, older.Count = p(rota.InstantOf(start.Add(3*time.Minute))), 3
	newer.ScheduledFor, newer.ScheduledUntil, newer.Count = rota.InstantOf(start.Add(9*time.Minute)), nil, 1
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.SplitSpan(ctx, s.ID, whole.ScheduledFor, []rota.Occurrence{older, newer})
	})
	got := w.occurrences(s)
	require.Len(w, got, 2)
	older.ID, newer.ID = got[0].ID, got[1].ID
	require.NotEqual(w, older.ID, newer.ID)
	w.same([]rota.Occurrence{older, newer}, got)
}

func spanMissing(w *world) {
	s := w.addSchedule(w.addAgent().ID)
	w.at(time.Hour)
	one := w.missSpan(s, 1, 1)
	for _, at := range []rota.Instant{one.ScheduledFor, rota.InstantOf(start)} {
		require.ErrorIs(w, w.try(func(ctx context.Context, tx sqlstore.Queries) error { return tx.SplitSpan(ctx, s.ID, at, nil) }), rota.NotFound)
	}
	require.Len(w, w.occurrences(s), 1)
}

func backfillLinesUp(w *world) {
	for _, tt := range []struct {
		was  rota.Outcome
		span bool
		want rota.Outcome
	}{
		{was: rota.MissedOutcome, want: rota.Buffered},
		{was: rota.Blocked, want: rota.Buffered},
		{was: rota.SkippedOverlap, want: rota.Buffered},
		{was: rota.Fired, want: rota.Fired},
		{was: rota.MissedOutcome, span: true, want: rota.MissedOutcome},
	} {
		s := w.addSchedule(w.addAgent().ID)
		w.at(time.Hour)
		o := w.occurrence(w.timer(s), tt.was)
		if tt.span {
			o.Count, o.ScheduledUntil = 2, p(rota.InstantOf(start.Add(2*time.Minute)))
		}
		again := o
		again.Outcome, again.Trigger, again.Count, again.ScheduledUntil = rota.Buffered, rota.TriggerBackfill, 1, nil
		w.update(func(ctx context.Context, tx sqlstore.Queries) error {
			return tx.Record(ctx, []rota.Occurrence{o, again})
		})
		require.Equal(w, []rota.Outcome{tt.want}, outcomes(w.occurrences(s)), "%s, %v", tt.was, tt.span)
	}
}

func lastOnRecord(w *world) {
	s, other := w.addSchedule(w.addAgent().ID), w.addSchedule(w.addAgent().ID)
	last := func() (last time.Time) {
		w.update(func(ctx context.Context, tx sqlstore.Queries) (err error) {
			last, err = tx.LastOnRecord(ctx, s.ID)
			return err
		})
		return last
	}
	record := func(of rota.Schedule, after time.Duration, change func(*rota.Occurrence)) {
		o := w.occurrence(w.timer(of), rota.MissedOutcome)
		o.ScheduledFor = rota.InstantOf(start.Add(after))
		change(&o)
		w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.Record(ctx, []rota.Occurrence{o}) })
	}
	require.Zero(w, last())
	record(s, time.Minute, func(*rota.Occurrence) {})
	record(other, time.Hour, func(*rota.Occurrence) {})
	require.Equal(w, start.Add(time.Minute), last())
	record(s, 2*time.Minute, func(o *rota.Occurrence) {
		o.Count, o.ScheduledUntil = 3, rota.InstantOrNil(start.Add(4*time.Minute))
	})
	record(s, 5*time.Minute, func(o *rota.Occurrence) { o.Trigger = rota.TriggerManual })
	require.Equal(w, start.Add(4*time.Minute), last())
	record(s, 6*time.Minute, func(o *rota.Occurrence) { o.Trigger = rota.TriggerBackfill })
	require.Equal(w, start.Add(6*time.Minute), last())
}

func agentTimers(w *world) {
	a := w.addAgent()
	var live, paused []rota.ScheduleID
	for range 3 {
		live = append(live, w.addSchedule(a.ID).ID)
		s := w.addSchedule(a.ID)
		w.pause(s)
		paused = append(paused, s.ID)
	}
	waits := w.addSchedule(a.ID, func(_ *rota.Schedule, t *rota.Timer) {
		t.Status, t.NextRunAt, t.DueAt, t.Backlog = rota.ScheduleCompleted, time.Time{}, time.Time{}, 1
	})
	w.addSchedule(a.ID, func(_ *rota.Schedule, t *rota.Timer) {
		t.Status, t.NextRunAt, t.DueAt = rota.ScheduleCompleted, time.Time{}, time.Time{}
	})
	w.addSchedule(w.addAgent().ID)
	w.deleteSchedule(w.addSchedule(a.ID))
	last := w.occurrence(w.timer(rota.Schedule{AgentID: a.ID, ID: paused[1]}), rota.MissedOutcome)
	last.ScheduledFor, last.ScheduledUntil = rota.InstantOf(start), p(rota.InstantOf(start.Add(time.Hour)))
	read := func(o rota.Owner, after rota.ScheduleID, limit int) (l []rota.Timer, r []rota.PausedTimer) {
		w.update(func(ctx context.Context, tx sqlstore.Queries) (err error) {
			w.NoErr(tx.Record(ctx, []rota.Occurrence{last}))
			l, err = tx.LiveTimers(ctx, o, a.ID, after, limit)
			w.NoErr(err)
			r, err = tx.PausedTimers(ctx, o, a.ID, after, limit)
			return err
		})
		return l, r
	}
	l, r := read(w.owner, "", 10)
	require.Len(w, l, 4)
	w.same(w.timer(rota.Schedule{AgentID: a.ID, ID: live[0]}), l[0])
	require.Equal(w, waits.ID, l[3].ScheduleID)
	require.Len(w, r, 3)
	require.Equal(w, []time.Time{{}, start.Add(time.Hour), {}}, []time.Time{r[0].LastOnRecord, r[1].LastOnRecord, r[2].LastOnRecord})
	l, r = read(w.owner, live[0], 1)
	require.Equal(w, []rota.ScheduleID{live[1], paused[0]}, []rota.ScheduleID{l[0].ScheduleID, r[0].ScheduleID})
	for _, o := range []rota.Owner{{Account: w.owner.Account, EndUser: "u-2"}, {Account: "other", EndUser: w.owner.EndUser}} {
		l, r = read(o, "", 10)
		require.Empty(w, l)
		require.Empty(w, r)
	}
}

func schedulesMadeBy(w *world) {
	by := func(k rota.KeyID) func(*rota.Schedule, *rota.Timer) {
		return func(s *rota.Schedule, _ *rota.Timer) { s.MadeBy = k }
	}
	a := w.addAgent()
	first, second, third := w.addSchedule(a.ID, by("key_1")), w.addSchedule(a.ID, by("key_1")), w.addSchedule(a.ID, by("key_1"))
	w.addSchedule(a.ID, by("key_2"))
	w.addSchedule(a.ID)
	w.pause(w.addSchedule(a.ID, by("key_1")))
	w.deleteSchedule(w.addSchedule(a.ID, by("key_1")))
	made := func(account string, after rota.ScheduleID, limit int) []rota.ScheduleID {
		var ids []rota.ScheduleID
		got, err := w.store.SchedulesMadeBy(w.Context(), account, "key_1", after, limit)
		require.NoError(w, err)
		for _, s := range got {
			ids = append(ids, s.ID)
			w.same(w.timer(s.Schedule), s.Timer)
		}
		return ids
	}
	require.Equal(w, []rota.ScheduleID{first.ID, second.ID}, made(w.owner.Account, "", 2))
	require.Equal(w, []rota.ScheduleID{third.ID}, made(w.owner.Account, second.ID, 2))
	require.Empty(w, made("other", "", 2))
}
