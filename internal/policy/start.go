package policy

import (
	"time"

	"github.com/rota-run/rota"
)

// MayStart says why a run that waits for its first attempt must not start; nil if it
// may. What somebody triggers runs also while the schedule is paused. So does what goes on
// because somebody has decided a call, and it does if the schedule was deleted as well.
func MayStart(w rota.Work) *rota.RunError {
	switch {
	case w.Run.Attempt > 0:
		return nil
	case w.AgentDeleted:
		return &rota.RunError{Code: rota.RunErrAgentDeleted, Message: "the agent was deleted before the run began"}
	case w.AgentUnshared:
		return &rota.RunError{Code: rota.RunErrAgentUnshared, Message: "the agent was made private before the run began"}
	case w.Run.Trigger == rota.TriggerAPI:
		return nil
	case w.Schedule == rota.ScheduleDeleted:
		return &rota.RunError{Code: rota.RunErrDeleted, Message: "the schedule was deleted before the run began"}
	case w.Schedule == rota.SchedulePaused && w.Run.Trigger != rota.TriggerManual:
		return &rota.RunError{Code: rota.RunErrPaused, Message: "the schedule was paused before the run began"}
	}
	return nil
}

// Lost says how a run ends that a dead process left running, and false if it is
// started again.
func Lost(c rota.CutOff, now time.Time) (rota.Result, bool) {
	if c.Policy.Retry.OnCrash != rota.OnCrashNever {
		return rota.Result{}, false
	}
	return rota.Result{Phase: rota.PhaseFailed, CompletedAt: now, Tokens: rota.TokensOf(c.Attempts...), Error: &rota.RunError{
		Code: rota.RunErrWorkerLost, Message: "the worker was lost during the run (it died, or could not be reached), and the policy's retry.on_crash is never",
	}}, true
}

// Continues returns the response that the next run of a schedule goes on from, whose
// first run goes on from first: that of the last run that completed. nil if the
// schedule continues none.
func Continues(first *string, t rota.Timer) *string {
	if first == nil || *first == "" || t.LastResponseID == "" {
		return first
	}
	return &t.LastResponseID
}
