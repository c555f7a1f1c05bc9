package temporal

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/engine"
	"github.com/rota-run/rota/internal/policy"
)

// Pollers is how many requests for tasks of each kind a worker keeps open.
const Pollers = 8

const (
	maxFires    = 4096            // Fire activities in one process at one time
	healthEvery = 2 * time.Second // between two health checks of Temporal
	earliest    = 1500 * time.Millisecond
	lockedRetry = 20 * time.Millisecond // while another transaction has locked what is due
)

// work runs a Temporal worker until ctx ends, and drains it. When the SDK gives up
// on a worker, for instance because the namespace is gone, it starts another.
func (e *Engine) work(ctx context.Context) error {
	for ctx.Err() == nil {
		fatal := make(chan error, 1)
		var w worker.Worker
		engine.Retry(ctx, e.cfg.Log, "this process could not become a worker of Temporal", func() error {
			for e.unreachable.Load() && ctx.Err() == nil { // checkHealth sets it
				engine.Pause(ctx, healthEvery)
			}
			started := e.newWorker(fatal)
			err := started.Start()
			if err == nil {
				w = started
			}
			return err
		})
		if w == nil {
			return nil
		}
		select {
		case <-ctx.Done():
		case err := <-fatal:
			e.cfg.Log.Error("the worker has ended; another one starts", "err", err)
		}
		e.drain(ctx, w)
		engine.Pause(ctx, time.Second)
	}
	return nil
}

// drain stops a worker when its activities have ended or take too long.
func (e *Engine) drain(ctx context.Context, w worker.Worker) {
	if ctx.Err() != nil {
		defer time.AfterFunc(e.cfg.DrainTimeout, func() { close(e.drainOver) }).Stop()
	}
	w.Stop()
}

func (e *Engine) newWorker(fatal chan<- error) worker.Worker {
	w := worker.New(e.cfg.Client, e.queue, worker.Options{
		MaxConcurrentActivityExecutionSize:      e.cfg.Step.MaxConcurrentRuns,
		MaxConcurrentLocalActivityExecutionSize: maxFires,
		MaxConcurrentActivityTaskPollers:        Pollers,
		MaxConcurrentWorkflowTaskPollers:        Pollers,
		WorkerStopTimeout:                       e.cfg.DrainTimeout + fireTimeout,
		MaxHeartbeatThrottleInterval:            e.silence() * 2 / 5, // and as long for each to get through, before an attempt is interrupted
		OnFatalError: func(err error) {
			select {
			case fatal <- err:
			default:
			}
		},
	})
	w.RegisterWorkflowWithOptions(Fire, workflow.RegisterOptions{Name: fireWorkflow})
	w.RegisterWorkflowWithOptions(Run, workflow.RegisterOptions{Name: runWorkflow})
	w.RegisterActivityWithOptions(e.fire, activity.RegisterOptions{Name: fireActivity})
	w.RegisterActivityWithOptions(e.carry, activity.RegisterOptions{Name: carryActivity})
	w.RegisterActivityWithOptions(e.requeueAttempt, activity.RegisterOptions{Name: giveActivity})
	return w
}

// checkHealth checks every few seconds, until ctx ends, that Temporal answers and
// has the namespace. While it does not, no steps are taken, and what falls due is
// missed, as when the whole server is down.
func (e *Engine) checkHealth(ctx context.Context) {
	for ; ctx.Err() == nil; engine.Pause(ctx, healthEvery) {
		asking, cancel := context.WithTimeout(ctx, 2*healthEvery)
		_, err := NamespaceID(asking, e.cfg.Client, e.cfg.Namespace)
		cancel()
		if ctx.Err() != nil {
			return
		}
		was := e.unreachable.Swap(err != nil)
		switch {
		case err != nil && !was:
			e.cfg.Log.Error("Temporal cannot be used; no runs start until it can", "address", e.cfg.Address, "namespace", e.cfg.Namespace, "err", err)
		case err == nil && was:
			e.cfg.Log.Info("Temporal can be used again")
			e.wake()
		}
	}
}

// NamespaceID asks Temporal for the id of a namespace. No two have the same id, even
// on different servers.
func NamespaceID(ctx context.Context, c client.Client, name string) (string, error) {
	d, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: name})
	return d.GetNamespaceInfo().GetId(), err
}

// fire is the activity of Fire. It takes steps until nothing of the schedule is
// due. It returns how long to wait if the jitter of a nominal time delays its
// start; zero otherwise.
func (e *Engine) fire(ctx context.Context, id rota.ScheduleID) (time.Duration, error) {
	for ctx.Err() == nil {
		nominal, due, err := e.cfg.Store.Due(ctx, id)
		if err != nil {
			return 0, err
		}
		now := e.cfg.Now()
		wait := due.Sub(now)
		switch {
		case due.IsZero(), nominal.Sub(now) > earliest:
			return 0, nil // the next nominal time wakes another
		case wait > earliest:
			return wait, nil
		case wait > 0:
			// Temporal wakes at whole seconds. If another step has decided what was
			// due meanwhile, ours finds nothing.
			engine.Pause(ctx, wait)
		}
		batch, err := e.step(ctx)
		if errors.Is(err, errNoLeader) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		if batch.Fired == 0 {
			engine.Pause(ctx, lockedRetry)
		}
	}
	return 0, context.Cause(ctx)
}

// carry is the activity of Run. It works on the attempt unless another worker has
// it.
func (e *Engine) carry(ctx context.Context, a rota.Attempt) error {
	var w rota.Work
	err := e.update(ctx, func(ctx context.Context, tx Tx) (err error) {
		w, err = tx.TakeRun(ctx, a, rota.InstantOf(e.cfg.Now()).Time)
		return err
	})
	if errors.Is(err, rota.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	defer beat(ctx)()
	e.attempt(ctx, w)
	ctx = context.WithoutCancel(ctx)
	if over, err := e.over(ctx, w); over || err != nil {
		return err
	}
	return e.requeueAttempt(ctx, a)
}

// over reports whether the attempt has ended in the store. If not, it was
// interrupted, or its result could not be stored.
func (e *Engine) over(ctx context.Context, w rota.Work) (bool, error) {
	r, err := e.cfg.Store.RunByID(ctx, w.Owner, w.Run.ID)
	return r.Phase != rota.PhaseRunning || r.Attempt != w.Run.Attempt, err
}

// beat sends heartbeats until stop is called.
func beat(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for engine.Pause(ctx, heartbeatEvery); ctx.Err() == nil; engine.Pause(ctx, heartbeatEvery) {
			activity.RecordHeartbeat(ctx)
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// attempt makes the attempt.
func (e *Engine) attempt(ctx context.Context, w rota.Work) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	e.mu.Lock()
	e.cancels[w.At()] = cancel
	e.mu.Unlock()
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-e.drainOver:
			cancel()
		case <-ended:
		}
	}()
	e.cfg.Attempt(ctx, w)
	e.mu.Lock()
	delete(e.cancels, w.At())
	e.mu.Unlock()
	e.wake() // there is room for another
}

// lost announces a run that ended because its worker is lost.
func (e *Engine) lost(id rota.RunID) {
	if e.cfg.OnEnd != nil {
		e.cfg.OnEnd(engine.Lost(id))
	}
}

// requeueAttempt requeues an attempt whose worker is lost or shutting down.
func (e *Engine) requeueAttempt(ctx context.Context, a rota.Attempt) error {
	var done rota.Finish
	err := e.update(ctx, func(ctx context.Context, tx Tx) (err error) {
		done, err = tx.ReturnRun(ctx, a, rota.InstantOf(e.cfg.Now()).Time, policy.Lost, policy.Settle)
		return err
	})
	if err != nil {
		return err
	}
	if done.Ended {
		e.lost(a.Run)
	}
	if done.Paused != nil {
		e.cfg.paused(*done.Paused)
	}
	e.wake()
	e.cfg.NotifyPeers()
	return nil
}
