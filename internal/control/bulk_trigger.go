package control

import (
	"cmp"
	"context"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/policy"
)

// TriggerSchedules lets every active schedule run now that matches: the caller's, or those
// of an end user, see [Control.owners]. Overlap policies apply. Where a limit keeps a run
// from starting, that is on record as blocked. Scope write:agents.
func (c *Control) TriggerSchedules(ctx context.Context, who auth.Caller, in rota.BulkTrigger, w Write) (rota.BulkResult, error) {
	b := bulk{who: who, operation: "trigger_schedules", write: w, filter: rota.ScheduleFilter{Status: rota.ScheduleActive, Metadata: in.Metadata}}
	b.match(in.AgentID, in.Name, in.Q, in.EndUser, in.DryRun)
	b.page = c.triggerPage
	if !b.dry {
		full, err := c.full(ctx, who.Owner, w.growing())
		if err != nil {
			return rota.BulkResult{}, err
		}
		if full != nil {
			return rota.BulkResult{}, full.Err()
		}
	}
	return c.changeAll(ctx, b)
}

// triggerPage triggers the schedules on a page.
func (c *Control) triggerPage(ctx context.Context, tx Tx, page []rota.TimedSchedule, now time.Time) error {
	var owners []rota.Owner
	for _, s := range page {
		owners = append(owners, s.Timer.Owner)
	}
	open, err := c.openRunsOf(ctx, tx, owners...)
	if err != nil {
		return err
	}
	models := make(map[rota.AgentID]string)
	for _, s := range page {
		t := s.Timer
		if _, known := models[s.AgentID]; !known && t.PinnedModel == "" {
			a, err := tx.Agent(ctx, t.Owner, s.AgentID)
			if err != nil {
				return err
			}
			models[s.AgentID] = a.Model
		}
		if use := c.Limits.Of(t.Owner.Account).Reached(t.Owner, open); use != nil {
			t.Refused = use.Reason()
		}
		at, err := unused(ctx, tx, t, rota.InstantOf(now).Time)
		if err != nil {
			return err
		}
		d := policy.Trigger(t, at, rota.InstantOf(now).Time)
		open.Add(t.Owner, d.Timer.OpenRuns-t.OpenRuns)
		d.Provider, _, _ = c.Models.Resolve(cmp.Or(t.PinnedModel, models[s.AgentID]))
		if _, err := tx.Fire(ctx, now, s.Timer, d); err != nil {
			return err
		}
	}
	return nil
}
