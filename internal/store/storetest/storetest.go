// Package storetest states what every [store.Store] must do, as tests that run
// against any of them. There are no switches: a store does all of it. What an
// engine outside of the process needs is a second suite: see [RunExternal].
package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// Run runs the suite. open returns a store that is empty and that nobody else
// uses; the suite closes it.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	run(t, open, roundTrips, owners, shared, deletions, pages, filters, across, narrowed, acknowledged, lanes, versions, updates, answers, fires, backlogs, replans, claims, ends, recoveries, keys, responses, sleeps, plans, continuity, continuations, limits, clusters, vault, memory)
}

func run(t *testing.T, open func(t *testing.T) store.Store, groups ...[]testCase) {
	for _, c := range slices.Concat(groups...) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			c.run(newWorld(t, s))
		})
	}
}

type testCase struct {
	name string
	run  func(*world)
}

// start is when every test begins.
var start = time.Date(2026, 11, 23, 5, 31, 56, 123_000_000, time.UTC)

const provider = "mock"

// A world is a store and what a test has put into it.
type world struct {
	*testing.T
	store database
	owner rota.Owner
	now   time.Time // the time of what happens next
	made  int       // how many things have been made
}

// A database is a store with what can be read outside of a transaction.
type database struct {
	store.Store
	sqlstore.Queries
}

func newWorld(t *testing.T, s store.Store) *world {
	return &world{T: t, store: database{s, s.Reader()}, owner: rota.Owner{Account: "acme", EndUser: "u-1"}, now: start}
}

// at sets the time to so much after the start.
func (w *world) at(after time.Duration) time.Time {
	w.now = start.Add(after)
	return w.now
}

// next returns a time at which nothing else was made.
func (w *world) next() time.Time {
	w.made++
	return start.Add(time.Duration(w.made) * time.Millisecond)
}

// update makes a change that must succeed.
func (w *world) update(fn func(context.Context, sqlstore.Queries) error) {
	w.Helper()
	require.NoError(w, w.try(fn))
}

// try makes a change and returns its error. fn has a goroutine of its own, so
// that a test that gives up in it does not take one of the store's along.
func (w *world) try(fn func(context.Context, sqlstore.Queries) error) error {
	return w.store.Update(w.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
		err := errors.New("the test gave up")
		done := make(chan struct{})
		go func() {
			defer close(done)
			err = fn(ctx, tx)
		}()
		<-done
		return err
	})
}

func (w *world) newAgent() rota.Agent {
	at := w.next()
	return rota.Agent{
		Object: rota.ObjectAgent, ID: rota.NewAgentID(at), EndUser: w.owner.User(), CreatedAt: rota.InstantOf(at), UpdatedAt: rota.InstantOf(at), Version: 1,
		Visibility: rota.Private,
		AgentConfig: rota.AgentConfig{
			Name: "agent " + strconv.Itoa(w.made), Model: "mock/small", Tools: []rota.Object{}, ToolChoice: rota.AnyOf("auto"),
			ParallelToolCalls: true, FallbackModels: []string{}, Metadata: map[string]string{},
		},
	}
}

func (w *world) addAgent() rota.Agent {
	w.Helper()
	a := w.newAgent()
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddAgent(ctx, w.owner, a) })
	return a
}

// newSchedule returns a schedule every minute, the first time after a minute.
func (w *world) newSchedule(a rota.AgentID) (rota.Schedule, rota.Timer) {
	at := w.next()
	id := rota.NewScheduleID(at)
	t := rota.Timer{
		ScheduleID: id, AgentID: a, Owner: w.owner, Status: rota.ScheduleActive, Policy: rota.DefaultPolicy(), Anchor: start, ScheduleVersion: 1,
		Spec:      rota.Spec{Type: rota.Interval, IntervalSeconds: 60, Timezone: "UTC"},
		NextRunAt: start.Add(time.Minute), DueAt: start.Add(time.Minute),
	}
	s := rota.Schedule{
		Object: rota.ObjectSchedule, ID: id, AgentID: a, Input: rota.InputText("go"), Metadata: map[string]string{"k": "v"},
		CreatedAt: rota.InstantOf(at), UpdatedAt: rota.InstantOf(at), Version: 1, VersionedAt: rota.InstantOf(at),
	}
	return s.WithTimer(t), t
}

// addSchedule adds a schedule, changed by those who want to.
func (w *world) addSchedule(a rota.AgentID, change ...func(*rota.Schedule, *rota.Timer)) rota.Schedule {
	w.Helper()
	s, t := w.newSchedule(a)
	for _, c := range change {
		c(&s, &t)
	}
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.AddSchedule(ctx, rota.TimedSchedule{Schedule: s, Timer: t})
	})
	return s.WithTimer(t)
}

// absent is why the schedules of an agent rest that is deleted now.
func (w *world) absent() rota.PauseReason {
	return rota.PauseReason{Code: rota.PausedByDeletion, At: rota.InstantOf(w.now)}
}

func (w *world) newRun(a rota.AgentID) rota.Run {
	at := w.next()
	return rota.Run{
		Object: rota.ObjectRun, ID: rota.NewRunID(at), AgentID: a, EndUser: w.owner.User(), AgentVersion: 1, Status: rota.RunQueued, Phase: rota.PhaseQueued,
		Input: rota.InputText("go"), Metadata: map[string]string{}, Trigger: rota.TriggerAPI, CreatedAt: rota.InstantOf(at), Attempts: []rota.RunAttempt{},
	}
}

func (w *world) addRun(a rota.AgentID) rota.Run {
	w.Helper()
	r := w.newRun(a)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddRun(ctx, w.owner, r, provider) })
	return r
}

func (w *world) timer(s rota.Schedule) rota.Timer {
	w.Helper()
	var t rota.Timer
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		var err error
		t, err = tx.Timer(ctx, w.owner, s.AgentID, s.ID)
		return err
	})
	return t
}

// schedule reads a schedule, also a deleted one.
func (w *world) schedule(s rota.Schedule) rota.Schedule {
	w.Helper()
	got, err := w.store.Schedule(w.Context(), w.owner, s.AgentID, s.ID, true)
	require.NoError(w, err)
	return got
}

func (w *world) run(id rota.RunID) rota.Run {
	w.Helper()
	r, err := w.store.RunByID(w.Context(), w.owner, id)
	require.NoError(w, err)
	return r
}

// occurrences returns the ledger of a schedule, oldest first.
func (w *world) occurrences(s rota.Schedule) []rota.Occurrence {
	w.Helper()
	l, err := w.store.Occurrences(w.Context(), w.owner, s.AgentID, s.ID, rota.OccurrenceFilter{}, rota.Page{Limit: 100, Ascending: true})
	require.NoError(w, err)
	return l.Data
}

func outcomes(list []rota.Occurrence) []rota.Outcome {
	var out []rota.Outcome
	for _, o := range list {
		out = append(out, o.Outcome)
	}
	return out
}

// fire fires what is due, as decide says.
func (w *world) fire(limit int, decide rota.Decide) []rota.Fire {
	w.Helper()
	var fires []rota.Fire
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		var err error
		fires, err = tx.FireDue(ctx, w.now, limit, nil, decide)
		return err
	})
	return fires
}

// once fires a timer's nominal time and moves it on by a minute.
func (w *world) once(t rota.Timer) rota.Decision {
	o := w.occurrence(t, rota.Fired)
	t.OpenRuns++
	t.RunCount++
	t.LastRunAt = w.now
	t.NextRunAt = t.NextRunAt.Add(time.Minute)
	t.DueAt = t.NextRunAt
	return rota.Decision{Timer: t, Records: []rota.Occurrence{o}, Provider: provider}
}

func (w *world) occurrence(t rota.Timer, what rota.Outcome) rota.Occurrence {
	late := w.now.Sub(t.NextRunAt).Milliseconds()
	return rota.Occurrence{
		Object: rota.ObjectOccurrence, AgentID: t.AgentID, Account: t.Owner.Account, EndUser: t.Owner.User(), ScheduleID: t.ScheduleID, ScheduleVersion: t.ScheduleVersion, ScheduledFor: rota.InstantOf(t.NextRunAt), Count: 1,
		Outcome: what, Trigger: rota.TriggerSchedule, LatenessMS: &late, RecordedAt: rota.InstantOf(w.now),
	}
}

// fired adds a schedule and fires it a minute after the start.
func (w *world) fired(change ...func(*rota.Schedule, *rota.Timer)) (rota.Schedule, rota.RunID) {
	w.Helper()
	s := w.addSchedule(w.addAgent().ID, change...)
	w.at(time.Minute)
	fires := w.fire(1, w.once)
	require.Len(w, fires, 1)
	return s, fires[0].Run
}

func (w *world) claim(limit int) []rota.Work {
	w.Helper()
	return w.claimFrom(provider, limit)
}

func (w *world) claimFrom(provider string, limit int) []rota.Work {
	w.Helper()
	var work []rota.Work
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		var err error
		work, err = tx.ClaimRuns(ctx, w.now, rota.Claim{Provider: provider, Limit: limit, MayStart: mayStart})
		return err
	})
	return work
}

// mayStart keeps runs from starting that have lost their reason.
func mayStart(w rota.Work) *rota.RunError {
	code := ""
	switch {
	case w.Run.Attempt > 0:
	case w.AgentDeleted:
		code = rota.RunErrAgentDeleted
	case w.Schedule == rota.ScheduleDeleted:
		code = rota.RunErrDeleted
	case w.Schedule == rota.SchedulePaused:
		code = rota.RunErrPaused
	}
	if code == "" {
		return nil
	}
	return &rota.RunError{Code: code, Message: "it must not start"}
}

func (w *world) claimOne() rota.Work {
	w.Helper()
	work := w.claim(10)
	require.Len(w, work, 1)
	return work[0]
}

func (w *world) finish(id rota.RunID, r rota.Result) rota.Finish {
	w.Helper()
	var f rota.Finish
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		var err error
		f, err = tx.FinishRun(ctx, id, r, settle)
		return err
	})
	return f
}

func (w *world) completed() rota.Result {
	return rota.Result{
		Phase: rota.PhaseCompleted, ResponseID: "resp_1", Response: rota.AnyOf(map[string]any{"id": "resp_1", "text": "née <&>"}),
		Usage:  rota.AnyOf(map[string]int{"total_tokens": 7}),
		Tokens: &rota.Tokens{Input: 1, Cached: 2, Output: 3, Reasoning: 4, Total: 7}, CompletedAt: w.now,
	}
}

func (w *world) failed(code string) rota.Result {
	return rota.Result{Phase: rota.PhaseFailed, Error: &rota.RunError{Code: code, Message: "it failed"}, CompletedAt: w.now}
}

// settle counts, and makes a timer due at once whose occurrence waits.
func settle(t rota.Timer, r rota.Result) rota.Decision {
	t.OpenRuns--
	if r.Phase == rota.PhaseCompleted {
		t.ConsecutiveFailures, t.LastResponseID = 0, r.ResponseID
	} else {
		t.ConsecutiveFailures++
	}
	if !t.Buffered.IsZero() {
		t.DueAt = r.CompletedAt
	}
	d := rota.Decision{Timer: t}
	if r.Blocked && r.Occurrence != nil {
		o := *r.Occurrence
		why := rota.Reason(*r.Error)
		o.Was, o.Outcome, o.Reason = o.Outcome, rota.Blocked, &why
		d.Records = append(d.Records, o)
	}
	return d
}

func (w *world) wake() time.Time {
	w.Helper()
	var at time.Time
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		var err error
		at, err = tx.NextWake(ctx, w.now)
		return err
	})
	return at
}

func (w *world) open() map[rota.Phase]int {
	w.Helper()
	n, err := w.store.OpenRuns(w.Context())
	require.NoError(w, err)
	return n
}

func object(s string) rota.Object { return rota.Object{RawMessage: json.RawMessage(s)} }

func anyJSON(s string) rota.Any { return rota.Any{RawMessage: json.RawMessage(s)} }
