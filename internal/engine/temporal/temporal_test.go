package temporal_test

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/cluster"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/engine"
	"github.com/rota-run/rota/internal/engine/temporal"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// TestScheduleShows: Temporal has each schedule under its own id, with its next
// times, whether it is paused and why, for as long as it is there.
func TestScheduleShows(t *testing.T) {
	w := newWorld(t)
	w.start(w.engine)
	s := w.schedule(rota.Spec{Type: rota.Cron, CronExpression: "30 9 * * *", Timezone: "Europe/Madrid"}, rota.PolicyUpdate{})
	w.await("Temporal has it", func() bool { return w.exported(s.ID) != nil })
	up, err := w.control.Upcoming(t.Context(), caller, w.agent, s.ID, 5)
	require.NoError(t, err)
	next := w.exported(s.ID).Info.NextActionTimes
	for i, u := range up.Data {
		require.Equal(t, u.ScheduledFor.Time, next[i])
	}
	w.awaitExported(s.ID)

	_, err = w.control.PauseSchedule(t.Context(), caller, w.agent, s.ID, rota.SchedulePause{Note: rota.Some("holiday")}, control.Write{})
	require.NoError(t, err)
	w.await("it is paused", func() bool { return w.exported(s.ID).Schedule.State.Paused })
	require.Equal(t, "manual: holiday", w.exported(s.ID).Schedule.State.Note)
	_, err = w.control.ResumeSchedule(t.Context(), caller, w.agent, s.ID, rota.SchedulePause{}, control.Write{})
	require.NoError(t, err)
	w.await("it goes on", func() bool { return !w.exported(s.ID).Schedule.State.Paused })
	require.Empty(t, w.exported(s.ID).Schedule.State.Note)

	renamed := rota.ScheduleUpdate{Spec: rota.Some(every(7200)), Name: rota.Some("digest")}
	_, err = w.control.UpdateSchedule(t.Context(), caller, w.agent, s.ID, renamed, control.Write{})
	require.NoError(t, err)
	w.await("it has other times", func() bool { return len(w.exported(s.ID).Schedule.Spec.Intervals) == 1 })
	require.Equal(t, "digest", w.action(s.ID).StaticSummary)
	require.Equal(t, 10*time.Minute, w.action(s.ID).WorkflowRunTimeout)
	_, err = w.control.DeleteSchedule(t.Context(), caller, w.agent, s.ID, control.Write{})
	require.NoError(t, err)
	w.await("it is gone", func() bool { return w.exported(s.ID) == nil })

	once := w.schedule(rota.Spec{Type: rota.Once, RunAt: time.Now().Add(2 * time.Second).Format(time.RFC3339)}, rota.PolicyUpdate{})
	w.await("once has passed", func() bool {
		got, err := w.control.Schedule(t.Context(), caller, w.agent, once.ID, false)
		require.NoError(t, err)
		return got.Status == rota.ScheduleCompleted && got.TemporalScheduleID == nil
	})
	require.Nil(t, w.exported(once.ID))
}

// TestDifferencesAreRepaired: whoever changes Temporal's schedules by hand is
// overruled.
func TestDifferencesAreRepaired(t *testing.T) {
	w := newWorld(t)
	stop := w.start(w.engine)
	lost, paused := w.schedule(every(3600), rota.PolicyUpdate{}), w.schedule(every(3600), rota.PolicyUpdate{})
	for _, s := range []rota.Schedule{lost, paused} {
		w.awaitExported(s.ID)
	}
	stop()
	schedules := w.client.ScheduleClient()
	require.NoError(t, schedules.GetHandle(t.Context(), string(lost.ID)).Delete(t.Context()))
	require.NoError(t, schedules.GetHandle(t.Context(), string(paused.ID)).Pause(t.Context(), client.SchedulePauseOptions{Note: "by hand"}))
	for _, orphan := range []struct{ id, of string }{{"asch_orphan", t.Name()}, {"asch_foreign", "others"}} {
		_, err := schedules.Create(t.Context(), client.ScheduleOptions{
			ID: orphan.id, Action: &client.ScheduleWorkflowAction{Workflow: "rota.Fire", TaskQueue: "rota"}, Memo: map[string]any{"rota_installation": orphan.of},
		})
		require.NoError(t, err)
	}
	w.await("Temporal lists them all", func() bool {
		n := 0
		list, err := schedules.List(t.Context(), client.ScheduleListOptions{})
		require.NoError(t, err)
		for list.HasNext() {
			s, err := list.Next()
			require.NoError(t, err)
			if s.ID != string(paused.ID) || s.Paused {
				n++
			}
		}
		return n == 3
	})

	w.start(w.newEngine(w.db))
	w.await("what was deleted is back", func() bool { return w.exported(lost.ID) != nil })
	w.await("what was paused goes on", func() bool { return !w.exported(paused.ID).Schedule.State.Paused })
	w.await("what belongs to no schedule is gone", func() bool { return w.exported("asch_orphan") == nil })
	require.NotNil(t, w.exported("asch_foreign"), "it is another installation's")
}

// TestAnotherTaskQueue: no two installations share one, and if the settings name
// another one, schedules go there.
func TestAnotherTaskQueue(t *testing.T) {
	w := newWorld(t)
	stop := w.start(w.engine)
	s := w.schedule(every(3600), rota.PolicyUpdate{})
	w.await("Temporal has it", func() bool { return w.exported(s.ID) != nil })
	require.Equal(t, "rota-testanothertaskqueue", w.action(s.ID).TaskQueue)
	w.await("Temporal lists it", func() bool {
		list, err := w.client.ScheduleClient().List(t.Context(), client.ScheduleListOptions{})
		require.NoError(t, err)
		return list.HasNext()
	})
	stop()
	w.start(w.engineOf(w.db, w.client, client.DefaultNamespace, "moved"))
	w.await("it has moved", func() bool { return w.action(s.ID).TaskQueue == "moved-testanothertaskqueue" })
}

// TestANamespaceThatIsNotThere is as good as no Temporal: nothing is claimed until
// it is there.
func TestANamespaceThatIsNotThere(t *testing.T) {
	w := newWorld(t)
	o := client.Options{HostPort: w.server.Address, Namespace: "late", Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))}
	c, err := client.NewLazyClient(o)
	require.NoError(t, err)
	defer c.Close()
	e := w.engineOf(w.db, c, "late", "rota")
	defer w.start(e)()
	w.await("it is noticed", e.Unreachable)
	r := w.run()
	e.Changed()
	w.server.Register(t, "late")
	w.awaitEnd(r.ID)
	require.EqualValues(t, 1, w.claims.Load())
}

// TestLeaving: Temporal keeps no schedule, not even one that it does not list as
// the installation's.
func TestLeaving(t *testing.T) {
	w := newWorld(t)
	stop := w.start(w.engine)
	s := w.schedule(every(3600), rota.PolicyUpdate{})
	w.awaitExported(s.ID)
	stop()
	schedules := w.client.ScheduleClient()
	require.NoError(t, schedules.GetHandle(t.Context(), string(s.ID)).Delete(t.Context()))
	_, err := schedules.Create(t.Context(), client.ScheduleOptions{ // without the memo
		ID: string(s.ID), Action: &client.ScheduleWorkflowAction{Workflow: "rota.Fire", TaskQueue: "rota"},
	})
	require.NoError(t, err)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.SaveLeadership(ctx, rota.EngineTemporal, cluster.Leadership{Kind: rota.EngineEmbedded, Installation: t.Name()})
	})
	require.NoError(t, temporal.Leaving{Store: storeOf(w.db, func(q engine.Queue) engine.Queue { return q }), Client: w.client, Now: time.Now}.Leave(t.Context()))
	require.Nil(t, w.exported(s.ID))
	got, err := w.control.Schedule(t.Context(), caller, w.agent, s.ID, false)
	require.NoError(t, err)
	require.Nil(t, got.TemporalScheduleID)
}

// TestTemporalRestarts: while Temporal is down callers are served, and when it
// is back all that they asked for happens.
func TestTemporalRestarts(t *testing.T) {
	w := newWorld(t)
	w.start(w.engine)
	w.awaitEnd(w.run().ID)
	w.server.Kill()
	r := w.run()
	s := w.schedule(every(1), rota.PolicyUpdate{})
	require.NoError(t, w.server.Start())
	w.awaitEnd(r.ID)
	w.await("it fires", func() bool {
		got, err := w.control.Schedule(t.Context(), caller, w.agent, s.ID, false)
		require.NoError(t, err)
		return got.RunCount > 0
	})
}

// TestWorkerStops: what a worker that stops has not finished goes on in another.
func TestWorkerStops(t *testing.T) {
	w := newWorld(t)
	begun := make(chan rota.Work)
	w.will(func(ctx context.Context, work rota.Work) {
		begun <- work
		<-ctx.Done()
	})
	stop := w.start(w.engine)
	r := w.run()
	require.Equal(t, 1, (<-begun).Run.Attempt)
	w.will(nil)
	other := w.newEngine(w.open())
	w.start(other)
	stop()
	w.awaitEnd(r.ID)
	require.Len(t, w.read(r.ID).Attempts, 2)
}

// TestStrandedRunsStart: a process that dies between a claim and Temporal leaves
// nothing behind.
func TestStrandedRunsStart(t *testing.T) {
	w := newWorld(t)
	stop := w.start(w.engine)
	w.awaitEnd(w.run().ID)
	stop()
	r := w.run()
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		work, err := tx.ClaimRuns(ctx, time.Now(), rota.Claim{Provider: "mock", Limit: 1})
		require.Len(t, work, 1)
		return err
	})
	w.start(w.newEngine(w.db))
	w.awaitEnd(r.ID)
}

// TestRunsOfProvidersThatAreGone: a leader with other providers than the one
// before, of which the runs that wait must hear.
func TestRunsOfProvidersThatAreGone(t *testing.T) {
	w := newWorld(t)
	stop := w.start(w.engine)
	w.awaitEnd(w.run().ID)
	stop()
	r := w.run()
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.Rehome(ctx, []string{"gone"}) })
	w.start(w.newEngine(w.db))
	w.awaitEnd(r.ID)
}

// A stuck client never gets an answer about the first run that it starts.
type stuck struct {
	interceptor.ClientInterceptorBase
	interceptor.ClientOutboundInterceptorBase
	mu    sync.Mutex
	first string
}

func (s *stuck) InterceptClient(next interceptor.ClientOutboundInterceptor) interceptor.ClientOutboundInterceptor {
	s.Next = next
	return s
}

func (s *stuck) ExecuteWorkflow(ctx context.Context, in *interceptor.ClientExecuteWorkflowInput) (client.WorkflowRun, error) {
	s.mu.Lock()
	s.first = cmp.Or(s.first, in.Options.ID)
	hangs := s.first == in.Options.ID
	s.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return s.Next.ExecuteWorkflow(ctx, in)
}

// TestOneStartHoldsUpNoOther: of two runs that a dead process has left, one
// starts, although Temporal does not answer about the other.
func TestOneStartHoldsUpNoOther(t *testing.T) {
	w := newWorld(t)
	stop := w.start(w.engine)
	w.awaitEnd(w.run().ID)
	stop()
	a, b := w.run(), w.run()
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		work, err := tx.ClaimRuns(ctx, time.Now(), rota.Claim{Provider: "mock", Limit: 2})
		require.Len(t, work, 2)
		return err
	})
	var err error
	w.client, err = client.DialContext(t.Context(), client.Options{
		HostPort: w.server.Address, Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
		Interceptors: []interceptor.ClientInterceptor{new(stuck)},
	})
	require.NoError(t, err)
	defer w.client.Close()
	stop = w.start(w.newEngine(w.db))
	w.await("one ends", func() bool {
		for _, r := range []rota.Run{a, b} {
			if w.read(r.ID).CompletedAt != nil {
				return true
			}
		}
		return false
	})
	stop()
	open, err := w.db.OpenRuns(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[rota.Phase]int{rota.PhaseQueued: 1}, open, "the other is put back when the process stops")
}

// TestBoundsHoldAcrossProcesses: of two processes that each could do ten, both
// together do no more.
func TestBoundsHoldAcrossProcesses(t *testing.T) {
	w := newWorld(t)
	var atWork, most atomic.Int64
	w.will(func(_ context.Context, work rota.Work) {
		n := atWork.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(50 * time.Millisecond)
		atWork.Add(-1)
		w.finish(work)
	})
	w.start(w.engine)
	w.start(w.newEngine(w.open()))
	var last rota.Run
	for range 60 {
		last = w.run()
	}
	w.awaitEnd(last.ID)
	w.await("all end", func() bool {
		open, err := w.db.OpenRuns(t.Context())
		require.NoError(t, err)
		return len(open) == 0
	})
	require.LessOrEqual(t, most.Load(), int64(10))
}

// TestAttemptsThatComeToNothing: an attempt that ends without an end of its run
// on record is made again.
func TestAttemptsThatComeToNothing(t *testing.T) {
	w := newWorld(t)
	w.will(func(context.Context, rota.Work) { w.will(nil) })
	w.start(w.engine)
	r := w.run()
	w.awaitEnd(r.ID)
	require.Len(t, w.read(r.ID).Attempts, 2)

	begun := make(chan rota.Work)
	w.will(func(ctx context.Context, work rota.Work) {
		w.will(nil)
		begun <- work
		<-ctx.Done()
	})
	r = w.run()
	<-begun
	require.NoError(t, w.client.TerminateWorkflow(t.Context(), string(r.ID)+"/1", "", "by hand"))
	w.awaitEnd(r.ID)
}

// TestALeaderAloneResigns: one that Temporal does not answer gives way to one
// that it does.
func TestALeaderAloneResigns(t *testing.T) {
	w := newWorld(t)
	alone, err := client.Dial(client.Options{HostPort: w.server.Address, Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	require.NoError(t, err)
	defer alone.Close()
	w.start(w.newEngineOver(w.db, alone))
	w.awaitEnd(w.run().ID)
	w.start(w.engine)
	alone.Close()
	for range 3 { // in which nobody might have led
		w.awaitEnd(w.run().ID)
		before := w.seen()
		w.await("there is a leader", func() bool { return w.seen().Sub(before) > 10*time.Second })
	}
}

// seen returns when somebody last looked at what is due.
func (w *world) seen() time.Time {
	w.Helper()
	k, err := w.db.Leadership(w.Context())
	require.NoError(w, err)
	return k.SeenAt
}

// TestAnAttemptIsNotTakenFromItsWorkflow: however long it lasts, and whatever
// becomes of its policy meanwhile.
func TestAnAttemptIsNotTakenFromItsWorkflow(t *testing.T) {
	w := newWorld(t)
	begun, free := make(chan rota.Work, 2), make(chan struct{})
	w.will(func(ctx context.Context, work rota.Work) {
		begun <- work
		<-free
		w.finish(work)
	})
	w.start(w.engine)
	r := w.run()
	<-begun
	postgrestest.Exec(t, w.url, "UPDATE open_runs SET worker_since = worker_since - 86400000")
	require.NoError(t, w.engine.RequeueAbandoned(t.Context()))
	d, err := w.client.DescribeWorkflowExecution(t.Context(), string(r.ID)+"/1", "")
	require.NoError(t, err)
	limit := time.Duration(rota.DefaultPolicy().TimeoutSeconds)*time.Second + 20*time.Minute
	require.Equal(t, limit, d.ExecutionConfig.WorkflowRunTimeout.AsDuration(), "but not for ever")
	close(free)
	w.awaitEnd(r.ID)
	require.Len(t, w.read(r.ID).Attempts, 1)
}

// TestWhoLeavesClaimsNothing: what is queued while a process drains waits for
// another one.
func TestWhoLeavesClaimsNothing(t *testing.T) {
	w := newWorld(t)
	begun, free := make(chan rota.Work, 2), make(chan struct{})
	w.will(func(ctx context.Context, work rota.Work) {
		begun <- work
		<-free
		w.finish(work)
	})
	stop := w.start(w.engine)
	first := w.run()
	<-begun
	var stopped sync.WaitGroup
	stopped.Go(stop)
	w.await("it leaves", w.engine.Leaving)
	second := w.run()
	close(free)
	stopped.Wait()
	require.Equal(t, rota.PhaseCompleted, w.read(first.ID).Phase)
	require.Equal(t, rota.PhaseQueued, w.read(second.ID).Phase)
}
