package temporal

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/cluster"
	"github.com/rota-run/rota/internal/engine"
)

// leaderLapse is how long there may be no leader before that counts as downtime:
// what fell due in it was missed.
const leaderLapse = engine.Outage

// afterFailure is the pause after the store has failed.
const afterFailure = time.Second

const (
	// startTimeout bounds the request that starts a workflow, with its repetitions
	// while Temporal does not answer. It is long, because Temporal may still grant a
	// request that was given up: when Temporal is slow, giving up makes it slower.
	startTimeout = 30 * time.Second

	// taskTimeout is how long a worker may take for a step of a workflow before
	// another worker gets it. The steps take milliseconds.
	taskTimeout = 5 * time.Second
)

// A stepResult is the result of a step.
type stepResult struct {
	batch engine.Batch
	err   error
}

// wake asks for a step and does not wait for it.
func (e *Engine) wake() {
	select {
	case e.stepWanted <- struct{}{}:
	default:
	}
}

// step takes a step that begins after this moment and waits for its end.
// Concurrent callers share one.
func (e *Engine) step(ctx context.Context) (engine.Batch, error) {
	done := make(chan stepResult, 1)
	e.mu.Lock()
	e.waiting = append(e.waiting, done)
	e.mu.Unlock()
	e.wake()
	select {
	case t := <-done:
		return t.batch, t.err
	case <-ctx.Done():
		return engine.Batch{}, context.Cause(ctx)
	}
}

// stepLoop runs the steps that are asked for, one at a time, until ctx ends. After
// a failure it pauses for a second.
func (e *Engine) stepLoop(ctx context.Context) {
	for {
		select {
		case <-e.stepWanted:
		case <-ctx.Done():
			return
		}
		e.mu.Lock()
		waiting := e.waiting
		e.waiting = nil
		e.mu.Unlock()
		batch, err := e.runStep(ctx)
		for _, done := range waiting {
			done <- stepResult{batch, err}
		}
		if err != nil && !errors.Is(err, errNoLeader) && ctx.Err() == nil {
			e.cfg.Log.Error("a step of the engine failed; it is repeated", "err", err)
			engine.Pause(ctx, afterFailure)
		}
	}
}

// runStep runs one step and starts the claimed runs.
func (e *Engine) runStep(ctx context.Context) (engine.Batch, error) {
	if e.unreachable.Load() || e.leaving.Load() {
		return engine.Batch{}, errNoLeader
	}
	now := rota.InstantOf(e.cfg.Now()).Time
	var got engine.Batch
	err := e.update(ctx, func(ctx context.Context, tx Tx) error {
		since, err := leadSince(ctx, tx, now)
		if err != nil {
			return err
		}
		busy := func(ctx context.Context) (map[rota.OwnerAt]int, error) {
			busy, err := tx.Busy(ctx)
			if err == nil { // the lock of Busy keeps others from switching until this transaction ends
				_, err = leadSince(ctx, tx, now)
			}
			return busy, err
		}
		got, err = e.cfg.Step.Run(ctx, tx, engine.Moment{Now: now, Since: since, Busy: busy, CatchUp: e.catchUpAllowed(now)})
		return err
	})
	if err != nil {
		return engine.Batch{}, err
	}
	e.throttle.Started(now, got.CaughtUp)
	got.Announce(e.cfg.OnDecide, e.cfg.OnEnd, e.cfg.OnPause)
	for _, w := range got.Work {
		if e.cfg.OnStart != nil {
			e.cfg.OnStart(w)
		}
		e.start(cluster.Claim{At: w.At(), Provider: w.Provider, Policy: w.Policy})
	}
	if got.Freed || got.Fired == engine.BatchSize {
		e.wake()
	}
	return got, nil
}

// leadSince returns since when there has been a leader, or errNoLeader.
func leadSince(ctx context.Context, tx Tx, now time.Time) (since time.Time, err error) {
	k, err := tx.Leadership(ctx)
	if err == nil && (k.Kind != rota.EngineTemporal || now.Sub(k.SeenAt) >= leaderLapse) {
		err = errNoLeader
	}
	return k.Since, err
}

// catchUpAllowed returns how many runs may start from backlogs now. Only the leader
// does that, so that one throttle counts them all.
func (e *Engine) catchUpAllowed(now time.Time) int {
	if !e.leading.Load() {
		return -1
	}
	return e.throttle.Allowed(now)
}

// start starts the workflow of a claimed attempt, concurrently with steps, unless
// this process is already starting it. If that fails, the run goes back to the
// queue as if it had not been claimed.
func (e *Engine) start(c cluster.Claim) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.startingAttempts[c.At] {
		return
	}
	e.startingAttempts[c.At] = true
	e.starting.Go(func() {
		e.startSlots <- struct{}{}
		e.startOrRequeue(c)
		<-e.startSlots
		e.mu.Lock()
		delete(e.startingAttempts, c.At)
		e.mu.Unlock()
	})
}

// startOrRequeue starts the workflow of a claimed attempt, or requeues the run.
func (e *Engine) startOrRequeue(c cluster.Claim) {
	ctx, cancel := context.WithTimeout(e.startCtx, startTimeout)
	defer cancel()
	err := e.startAttempt(ctx, c)
	if err == nil {
		return
	}
	e.cfg.Log.Error("Temporal did not take a run; it is queued again", "run_id", c.At.Run, "err", err)
	e.unreachable.Store(true) // until it answers again
	err = e.update(context.Background(), func(ctx context.Context, tx Tx) error {
		return tx.RequeueRun(ctx, c.At, c.Provider)
	})
	if err != nil {
		e.cfg.Log.Error("the run could not be queued again; the leader will find it", "run_id", c.At.Run, "err", err)
	}
}

// startAttempt starts the workflow of an attempt, unless it is under way.
func (e *Engine) startAttempt(ctx context.Context, c cluster.Claim) error {
	_, err := e.cfg.Client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       workflowID(c.At),
		TaskQueue:                e.queue,
		WorkflowTaskTimeout:      taskTimeout,
		WorkflowRunTimeout:       longestRun(c.Policy),
		EnableEagerStart:         true,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	}, runWorkflow, runInput{Attempt: c.At, TimeoutSeconds: c.Policy.TimeoutSeconds, Silence: e.silence()})
	var already *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &already) {
		return nil
	}
	return err
}
