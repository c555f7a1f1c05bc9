package control

import (
	"context"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/calendar"
	"github.com/rota-run/rota/internal/policy"
)

// BackfillSchedule puts the nominal times of the past between two instants into
// the schedule's backlog, but for those that have started a run; unless the
// caller says otherwise it only says which. A schedule that is paused is a
// Conflict. Scope write:agents.
func (c *Control) BackfillSchedule(ctx context.Context, who auth.Caller, agent rota.AgentID, id rota.ScheduleID, in rota.BackfillCreate, w Write) (rota.Backfill, error) {
	if err := c.enter(ctx, who, rota.WriteAgents, "backfill_schedule", on("agent_id", agent), on("schedule_id", id)); err != nil {
		return rota.Backfill{}, err
	}
	dry := true
	in.DryRun.Apply(&dry)
	if !dry {
		w = w.growing()
	}
	return write(ctx, c, who, w, func(ctx context.Context, tx Tx, now time.Time) (rota.Backfill, error) {
		if _, err := live(ctx, tx, who, agent); err != nil {
			return rota.Backfill{}, err
		}
		t, err := tx.Timer(ctx, who.Owner, agent, id)
		if err != nil {
			return rota.Backfill{}, err
		}
		b, err := planBackfill(ctx, tx, t, in, now)
		if err == nil && !dry {
			err = c.startBackfill(ctx, tx, t, b, now)
		}
		if err != nil {
			return rota.Backfill{}, err
		}
		return backfillOf(t, b, dry)
	})
}

func planBackfill(ctx context.Context, tx Tx, t rota.Timer, in rota.BackfillCreate, now time.Time) (policy.Backfill, error) {
	switch {
	case t.Status == rota.SchedulePaused:
		return policy.Backfill{}, rota.Errorf(rota.Conflict, "the schedule is paused; resume it first")
	case in.To.After(now):
		return policy.Backfill{}, rota.InvalidField("to", "must not be in the future; the server's time is %s", rota.InstantOf(now))
	case in.To.Before(in.From.Time):
		return policy.Backfill{}, rota.InvalidField("to", "must not be before from (%s)", in.From)
	}
	ledger, err := ledgerBetween(ctx, tx, t, in.From.Time, in.To.Time)
	if err != nil {
		return policy.Backfill{}, err
	}
	lowWater, err := tx.LowWater(ctx, t.ScheduleID)
	if err != nil {
		return policy.Backfill{}, err
	}
	return policy.PlanBackfill(t, ledger, lowWater, in.From.Time, in.To.Time, now)
}

// maxLedger bounds what a backfill reads: each nominal time, and as many times
// that somebody asked to run in between.
const maxLedger = 2 * rota.MaxBackfill

// ledgerBetween returns all that is on record between two instants.
func ledgerBetween(ctx context.Context, tx Tx, t rota.Timer, from, to time.Time) ([]rota.Occurrence, error) {
	l, err := tx.Occurrences(ctx, t.Owner, t.AgentID, t.ScheduleID, rota.OccurrenceFilter{From: from, To: to}, rota.Page{Limit: maxLedger, Ascending: true})
	if err != nil {
		return nil, err
	}
	if l.HasMore {
		return nil, rota.InvalidField("to", "must be nearer to from: there are more than %d occurrences between them", maxLedger)
	}
	return l.Data, nil
}

func (c *Control) startBackfill(ctx context.Context, tx Tx, t rota.Timer, b policy.Backfill, now time.Time) error {
	for _, s := range b.Splits {
		if err := tx.SplitSpan(ctx, t.ScheduleID, s.At, s.Parts); err != nil {
			return err
		}
	}
	_, err := tx.Fire(ctx, now, t, b.Decision)
	return err
}

func backfillOf(t rota.Timer, b policy.Backfill, dry bool) (rota.Backfill, error) {
	cal, err := calendar.Parse(t.Spec, t.Anchor)
	return rota.Backfill{Object: rota.ObjectBackfill, DryRun: dry, Count: len(b.Times), Data: planned(t, cal, b.Times)}, err
}
