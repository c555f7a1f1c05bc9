package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/rota-run/rota"
	rotaclient "github.com/rota-run/rota/client"
)

// quietAfter is how long the processes have, when nothing is killed any more, to
// get done what is left.
const quietAfter = 5 * time.Minute

// A counting compares what the processes answer, what the database holds, what
// the model was asked, and what should have been.
type counting struct {
	*load
	model *model
	db    *pgx.Conn

	all      map[rota.RunID]rota.Run
	bySched  map[rota.ScheduleID][]rota.Run
	outcomes map[rota.Outcome]int64
	after    map[string]int // requests that were repeated, by what had happened
}

func newCounting(t *testing.T, l *load, m *model) *counting {
	db, err := pgx.Connect(t.Context(), l.postgres.URL())
	require.NoError(t, err)
	t.Cleanup(func() { db.Close(context.Background()) })
	return &counting{
		load: l, model: m, db: db, all: make(map[rota.RunID]rota.Run), bySched: make(map[rota.ScheduleID][]rota.Run),
		outcomes: make(map[rota.Outcome]int64), after: make(map[string]int),
	}
}

func (k *counting) number(t *testing.T, query string, args ...any) (n int) {
	t.Helper()
	require.NoError(t, k.db.QueryRow(t.Context(), query, args...).Scan(&n))
	return n
}

// awaitQuiet waits until the schedules that end have ended, and no run of theirs
// or of the API is open.
func (k *counting) awaitQuiet(t *testing.T) {
	var going []string
	for _, s := range k.going {
		going = append(going, string(s.ID))
	}
	begin := time.Now()
	require.Eventually(t, func() bool {
		return k.number(t, `SELECT (SELECT COUNT(*) FROM timers t JOIN schedules s ON s.id = t.schedule_id WHERE s.deleted_at IS NULL
				AND t.status <> 'completed' AND t.spec NOT LIKE '%3600%' AND t.schedule_id <> ALL($1)) +
			(SELECT COUNT(*) FROM open_runs WHERE schedule_id IS NULL OR schedule_id <> ALL($1))`, going) == 0
	}, quietAfter, 200*time.Millisecond, "something is left to do")
	t.Logf("quiet after %s", time.Since(begin).Round(time.Millisecond))
}

func (k *counting) count(t *testing.T) {
	k.list(t)
	for _, s := range append(k.ending[:len(k.ending):len(k.ending)], k.going...) {
		k.schedule(t, s, k.settled(t, s))
	}
	k.started()
	k.asked()
	k.mirrored(t)
	for what, query := range map[string]string{
		"nominal times with two runs": `SELECT COUNT(*) FROM (SELECT 1 FROM runs WHERE schedule_id IS NOT NULL
			GROUP BY schedule_id, scheduled_for HAVING COUNT(*) > 1) twice`,
		"runs that are open and have ended": `SELECT COUNT(*) FROM runs r JOIN open_runs o ON o.run_id = r.id WHERE r.completed_at IS NOT NULL`,
		"runs that are neither":             `SELECT COUNT(*) FROM runs r LEFT JOIN open_runs o ON o.run_id = r.id WHERE r.completed_at IS NULL AND o.run_id IS NULL`,
		"timers that miscount": `SELECT COUNT(*) FROM timers t WHERE t.backlog <> 0 AND t.status = 'completed' OR t.open_runs <>
			(SELECT COUNT(*) FROM open_runs o WHERE o.schedule_id = t.schedule_id)`,
	} {
		if n := k.number(t, query); n > 0 {
			k.faults.add("%s: %d", what, n)
		}
	}
}

// list notes all runs, of which the processes must tell the same, but for those
// of schedules that go on.
func (k *counting) list(t *testing.T) {
	told := make(map[rota.RunID]string)
	shown := make([]int, len(k.apis))
	for i, p := range k.apis {
		c := p.client(k.http)
		for r := range pages(t, func(p rota.Page) (rota.List[rota.Run], error) { return c.Runs.List(t.Context(), k.agent, p) }) {
			b, err := json.Marshal(r)
			require.NoError(t, err)
			goes := r.ScheduleID != nil && slices.ContainsFunc(k.going, func(s rota.Schedule) bool { return s.ID == *r.ScheduleID })
			if i > 0 && !goes && told[r.ID] != string(b) {
				k.faults.add("run %s: %s, and %s", r.ID, told[r.ID], b)
			}
			k.all[r.ID], told[r.ID] = r, string(b)
			if !goes {
				shown[i]++
			}
		}
	}
	if shown[0] != shown[1] {
		k.faults.add("one process tells of %d runs, the other of %d", shown[0], shown[1])
	}
}

// pages returns what is on all pages of a list.
func pages[T any](t *testing.T, fetch func(rota.Page) (rota.List[T], error)) func(func(T) bool) {
	return func(yield func(T) bool) {
		for page, err := range rotaclient.Pages(rota.Page{Limit: 100, Ascending: true}, fetch) {
			require.NoError(t, err)
			for _, item := range page.Data {
				if !yield(item) {
					return
				}
			}
		}
	}
}

// A state is what is known of a schedule at one moment.
type state struct {
	rota.Schedule
	ledger []rota.Occurrence
	runs   []rota.Run
}

// settled returns the state of a schedule between two fires, with no run open,
// of which all processes must have told the same.
func (k *counting) settled(t *testing.T, s rota.Schedule) (first state) {
	require.Eventually(t, func() bool {
		var all []string
		for _, p := range append(k.apis[:len(k.apis):len(k.apis)], k.apis[0]) {
			st := k.read(t, p.client(k.http), s)
			b, err := json.Marshal([]any{st.Schedule, st.ledger, st.runs})
			require.NoError(t, err)
			all = append(all, string(b))
			first = st
		}
		open := slices.ContainsFunc(first.runs, func(r rota.Run) bool { return r.CompletedAt == nil })
		return len(slices.Compact(all)) == 1 && !open
	}, quietAfter, 100*time.Millisecond, "the processes tell different things of schedule %s, or a run of it does not end", s.ID)
	return first
}

func (k *counting) read(t *testing.T, c *rotaclient.Client, s rota.Schedule) state {
	now, err := c.Schedules.Get(t.Context(), k.agent, s.ID)
	require.NoError(t, err)
	st := state{Schedule: now}
	for o := range pages(t, func(p rota.Page) (rota.List[rota.Occurrence], error) {
		return c.Schedules.Occurrences(t.Context(), k.agent, s.ID, rota.OccurrenceFilter{}, p)
	}) {
		st.ledger = append(st.ledger, o)
		if o.RunID == nil {
			continue
		}
		r, known := k.all[*o.RunID]
		if !known || r.CompletedAt == nil {
			r, err = c.Runs.Find(t.Context(), *o.RunID)
		}
		if err != nil {
			k.faults.add("run %s of %s at %s: %v", *o.RunID, s.ID, o.ScheduledFor, err)
			continue
		}
		st.runs = append(st.runs, r)
	}
	return st
}

// schedule compares what is on record of a schedule with what should be.
func (k *counting) schedule(t *testing.T, made rota.Schedule, st state) {
	if made.CreatedAt != st.CreatedAt || !slices.Equal(made.Skips, st.Skips) {
		k.faults.add("schedule %s has changed", st.ID)
	}
	on := k.onRecord(st)
	interval := time.Duration(st.Spec.IntervalSeconds) * time.Second
	at := st.CreatedAt.Add(interval)
	for ; k.has(st, at); at = at.Add(interval) {
		if n := on[at.UnixMilli()]; n != 1 {
			k.faults.add("schedule %s (%s, %s) has %d outcomes for %s", st.ID, st.Policy.Overlap, st.Policy.Missed, n, at.Format(time.RFC3339Nano))
		}
		delete(on, at.UnixMilli())
	}
	for stray := range on {
		k.faults.add("schedule %s has an outcome for %s, which is not one of its times", st.ID, time.UnixMilli(stray).UTC())
	}
	if st.NextRunAt != nil && !st.NextRunAt.Equal(at) {
		k.faults.add("next_run_at of %s is %s, want %s", st.ID, st.NextRunAt, at)
	}
	k.sums(st)
}

// has reports whether an outcome is due for a nominal time of a schedule.
func (k *counting) has(st state, at time.Time) bool {
	if st.NextRunAt != nil {
		return at.Before(st.NextRunAt.Time)
	}
	return !at.After(st.Policy.EndAt.Time)
}

// onRecord returns how many outcomes each nominal time has.
func (k *counting) onRecord(st state) map[int64]int {
	on := make(map[int64]int)
	interval := st.Spec.IntervalSeconds * 1000
	for _, o := range st.ledger {
		from, until := o.ScheduledFor.UnixMilli(), o.ScheduledFor.UnixMilli()
		if o.ScheduledUntil != nil {
			until = o.ScheduledUntil.UnixMilli()
		}
		if o.Count != (until-from)/interval+1 {
			k.faults.add("a span of %s from %s to %s counts %d", st.ID, o.ScheduledFor, o.ScheduledUntil, o.Count)
		}
		for at := from; at <= until; at += interval {
			on[at]++
		}
		k.outcomes[o.Outcome] += o.Count
		k.outcome(st, o)
	}
	return on
}

// outcome looks at one outcome.
func (k *counting) outcome(st state, o rota.Occurrence) {
	all := st.Policy.Overlap == rota.OverlapAllowAll && st.Policy.Missed == rota.MissedAll
	switch {
	case o.Outcome == rota.Fired && o.RunID == nil:
		k.faults.add("%s at %s has fired without a run", st.ID, o.ScheduledFor)
	case o.Outcome == rota.Fired:
	case all || o.Outcome != rota.SkippedOverlap && o.Outcome != rota.MissedOutcome:
		k.faults.add("%s at %s (%s, %s): %s, %+v", st.ID, o.ScheduledFor, st.Policy.Overlap, st.Policy.Missed, o.Outcome, o.Reason)
	case o.Outcome == rota.SkippedOverlap && st.Policy.Overlap == rota.OverlapAllowAll:
		k.faults.add("%s at %s was skipped, and its runs may overlap", st.ID, o.ScheduledFor)
	}
}

// sums compares what a schedule tells of its runs with its runs.
func (k *counting) sums(st state) {
	var last time.Time
	for _, r := range st.runs {
		k.bySched[st.ID] = append(k.bySched[st.ID], r)
		if r.Status != rota.RunCompleted {
			k.faults.add("run %s of %s at %s: %s, %+v", r.ID, st.ID, r.ScheduledFor, r.Phase, r.Error)
		}
		if r.ScheduleID == nil || *r.ScheduleID != st.ID {
			k.faults.add("run %s is on record of %s, and is not one of its runs", r.ID, st.ID)
		}
		if r.CreatedAt.After(last) {
			last = r.CreatedAt.Time
		}
	}
	if st.RunCount != int64(len(st.runs)) {
		k.faults.add("run_count of %s is %d, and %d have fired", st.ID, st.RunCount, len(st.runs))
	}
	if len(st.runs) == 0 {
		k.faults.add("%s has not fired", st.ID)
		return
	}
	newest := slices.IndexFunc(st.runs, func(r rota.Run) bool { return st.LastRunID != nil && r.ID == *st.LastRunID })
	if newest < 0 || !st.runs[newest].CreatedAt.Equal(last) || st.LastRunAt == nil || !st.LastRunAt.Equal(last) {
		k.faults.add("the last run of %s: %v at %s, and the newest began at %s", st.ID, st.LastRunID, st.LastRunAt, last)
	}
}

// started looks at the runs that callers started, and that each run is of
// somebody.
func (k *counting) started() {
	of := make(map[string]int)
	scheduled := 0
	for _, r := range k.all {
		if r.ScheduleID != nil {
			scheduled++
			continue
		}
		name := r.Metadata["key"]
		of[name]++
		switch {
		case k.runs[name] != r.ID:
			k.faults.add("run %s was made for %s, which was answered with %s", r.ID, name, k.runs[name])
		case k.cancelled[r.ID] != (r.Phase == rota.PhaseCancelled):
			k.faults.add("run %s: %s; accepted cancellation: %t", r.ID, r.Phase, k.cancelled[r.ID])
		case r.Phase != rota.PhaseCancelled && r.Phase != rota.PhaseCompleted:
			k.faults.add("run %s: %s, %+v", r.ID, r.Phase, r.Error)
		}
	}
	for name := range k.runs {
		if of[name] != 1 {
			k.faults.add("%s made %d runs", name, of[name])
		}
	}
	fired := 0
	for _, runs := range k.bySched {
		fired += len(runs)
	}
	if scheduled > fired { // fewer, if those that go on have fired since
		k.faults.add("%d runs of schedules, and %d have fired", scheduled, fired)
	}
}

// asked compares the runs with what the model was asked.
func (k *counting) asked() {
	k.model.mu.Lock()
	defer k.model.mu.Unlock()
	for id, calls := range k.model.calls {
		r, ok := k.all[id]
		if !ok {
			if _, err := k.apis[0].client(k.http).Runs.Find(context.Background(), id); err != nil {
				k.faults.add("the model was asked for run %s, which is not there: %v", id, err)
			}
			continue
		}
		answers := 0
		for i, a := range calls {
			if a.key != calls[0].key {
				k.faults.add("run %s was asked for as %s and as %s", id, calls[0].key, a.key)
			}
			if i > 0 {
				k.repeated(id, calls[i-1], a)
			}
			if a.answered && r.GatewayResponseID != nil && *r.GatewayResponseID == a.response {
				answers++
			}
		}
		if r.Phase == rota.PhaseCompleted && answers != 1 {
			k.faults.add("run %s has completed with %d of the model's answers", id, answers)
		}
	}
	for id, r := range k.all {
		if r.Phase == rota.PhaseCompleted && len(k.model.calls[id]) == 0 {
			k.faults.add("run %s has completed, and the model was not asked", id)
		}
	}
}

// repeated looks why the model was asked again: the worker was killed, or, once,
// Temporal.
func (k *counting) repeated(id rota.RunID, before, after *asked) {
	killed := k.process(before.worker).killedAt(before.life)
	down := k.outages["temporal"]
	switch {
	case !killed.IsZero() && killed.Before(after.began):
		k.after["a worker was killed"]++
	case before.began.Before(down.to) && after.began.After(down.from):
		k.after["Temporal was killed"]++
	default:
		k.faults.add("run %s was asked for at %s by %s (life %d), and again at %s by %s (life %d), and nothing had been killed", id,
			before.began.UTC().Format("15:04:05.000"), before.worker, before.life,
			after.began.UTC().Format("15:04:05.000"), after.worker, after.life)
	}
}

// mirrored compares Temporal's schedules with those that there are.
func (k *counting) mirrored(t *testing.T) {
	var want, got []string
	for _, s := range k.going {
		want = append(want, string(s.ID))
	}
	for id, there := range k.churned {
		if there {
			want = append(want, string(id))
		}
	}
	slices.Sort(want)
	c := k.temporal.Client(t)
	require.Eventually(t, func() bool {
		list, err := c.ScheduleClient().List(t.Context(), client.ScheduleListOptions{PageSize: 1000})
		require.NoError(t, err)
		got = nil
		for list.HasNext() {
			s, err := list.Next()
			require.NoError(t, err)
			got = append(got, s.ID)
		}
		slices.Sort(got)
		return slices.Equal(want, got)
	}, time.Minute, 500*time.Millisecond, "Temporal's schedules")
	for id, there := range k.churned {
		s, err := k.apis[1].client(k.http).Schedules.Get(t.Context(), k.agent, id)
		switch {
		case there && (err != nil || s.TemporalScheduleID == nil || *s.TemporalScheduleID != string(id) || s.NextRunAt == nil ||
			!s.NextRunAt.Equal(s.CreatedAt.Add(seldom*time.Second))):
			k.faults.add("schedule %s: %v, in Temporal %v, next %s", id, err, s.TemporalScheduleID, s.NextRunAt)
		case !there && !errors.Is(err, rota.NotFound):
			k.faults.add("schedule %s was deleted, and is there: %v", id, err)
		}
	}
}
