package temporal

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/rota-run/rota"
)

// The names by which Temporal knows workflows and activities. Histories hold
// them: a name that has been used keeps its meaning.
const (
	fireWorkflow  = "rota.Fire"
	runWorkflow   = "rota.Run"
	fireActivity  = "rota.fire"
	carryActivity = "rota.carry"
	giveActivity  = "rota.return"
)

// A runInput is the input of a Run: an attempt, and nothing of what it says.
type runInput struct {
	rota.Attempt
	TimeoutSeconds int64         // the longest that the attempt may take
	Silence        time.Duration // of its worker, after which that counts as dead
}

func workflowID(a rota.Attempt) string { return fmt.Sprintf("%s/%d", a.Run, a.Attempt) }

const (
	fireTimeout    = 20 * time.Second // of one look at what is due
	heartbeatEvery = 2 * time.Second
	heartbeatLimit = 30 * time.Second // longer than a restart of Temporal, which must not end attempts
	overtime       = 5 * time.Minute  // for writing down how an attempt ended
)

// longestFire is how long a Fire may be open. One that no worker takes, for
// instance because the task queue has changed, would block later ones for ever.
func longestFire(p rota.Policy) time.Duration {
	return time.Duration(p.JitterSeconds)*time.Second + 2*overtime
}

// longestRun is the same for a Run: while it is open, its attempt is not requeued.
func longestRun(p rota.Policy) time.Duration {
	return time.Duration(p.TimeoutSeconds)*time.Second + 4*overtime
}

// Fire is the workflow that a Temporal Schedule starts when a nominal time of
// the schedule has come. It ends when that has an outcome.
func Fire(ctx workflow.Context, id rota.ScheduleID) error {
	look := workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout: fireTimeout,
		// After that, the leader's poll does the rest.
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: 100 * time.Millisecond, MaximumAttempts: 5},
	})
	for {
		var wait time.Duration
		if err := workflow.ExecuteLocalActivity(look, fireActivity, id).Get(ctx, &wait); err != nil {
			workflow.GetLogger(ctx).Warn("the schedule could not be looked at", "schedule_id", id, "err", err)
			return nil
		}
		if wait <= 0 {
			return nil
		}
		if err := workflow.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// Run is the workflow of one attempt of a run.
func Run(ctx workflow.Context, c runInput) error {
	carry := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Duration(c.TimeoutSeconds)*time.Second + overtime,
		HeartbeatTimeout:    c.Silence,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 1},
	})
	err := workflow.ExecuteActivity(carry, carryActivity, c.Attempt).Get(ctx, nil)
	if err == nil {
		return nil
	}
	workflow.GetLogger(ctx).Warn("a worker was lost", "run_id", c.Run, "attempt", c.Attempt.Attempt, "err", err)
	ctx, cancel := workflow.NewDisconnectedContext(ctx) // also if somebody cancels the workflow
	defer cancel()
	give := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: fireTimeout,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, MaximumInterval: 10 * time.Second},
	})
	return workflow.ExecuteActivity(give, giveActivity, c.Attempt).Get(ctx, nil)
}
