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
	if dry && w.IdempotencyKey == "" {
		t, b, err := readBackfill(ctx, c.Store, who, agent, id, in, c.Now().UTC())
		if err != nil {
			return rota.Backfill{}, err
		}
		return backfillOf(t, b, dry)
	}
	if !dry {
		w = w.growing()
	}
	return write(ctx, c, who, w, func(ctx context.Context, tx Tx, now time.Time) (rota.Backfill, error) {
		t, b, err := readBackfill(ctx, tx, who, agent, id, in, now)
		if err == nil && !dry {
			err = c.startBackfill(ctx, tx, t, b, now)
		}
		if err != nil {
			return rota.Backfill{}, err
		}
		return backfillOf(t, b, dry)
	})
}

// A backfillReader reads what a backfill is planned by, in a transaction or not.
type backfillReader interface {
	agentGetter
	Timer(ctx context.Context, o rota.Owner, a rota.AgentID, id rota.ScheduleID) (rota.Timer, error)
	Ledger(ctx context.Context, o rota.Owner, id rota.ScheduleID, from, to time.Time, limit int) ([]rota.Occurrence, error)
	LowWater(ctx context.Context, id rota.ScheduleID) (time.Time, error)
}

// readBackfill returns the timer of a schedule, and what becomes of it.
func readBackfill(ctx context.Context, r backfillReader, who auth.Caller, agent rota.AgentID, id rota.ScheduleID, in rota.BackfillCreate, now time.Time) (rota.Timer, policy.Backfill, error) {
	if _, err := live(ctx, r, who, agent); err != nil {
		return rota.Timer{}, policy.Backfill{}, err
	}
	t, err := r.Timer(ctx, who.Owner, agent, id)
	if err != nil {
		return t, policy.Backfill{}, err
	}
	b, err := planBackfill(ctx, r, t, in, now)
	return t, b, err
}

func planBackfill(ctx context.Context, r backfillReader, t rota.Timer, in rota.BackfillCreate, now time.Time) (policy.Backfill, error) {
	switch {
	case t.Status == rota.SchedulePaused:
		return policy.Backfill{}, rota.Errorf(rota.Conflict, "the schedule is paused; resume it first")
	case in.To.After(now):
		return policy.Backfill{}, rota.InvalidField("to", "must not be in the future; the server's time is %s", rota.InstantOf(now))
	case in.To.Before(in.From.Time):
		return policy.Backfill{}, rota.InvalidField("to", "must not be before from (%s)", in.From)
	}
	ledger, err := ledgerBetween(ctx, r, t, in.From.Time, in.To.Time)
	if err != nil {
		return policy.Backfill{}, err
	}
	lowWater, err := r.LowWater(ctx, t.ScheduleID)
	if err != nil {
		return policy.Backfill{}, err
	}
	return policy.PlanBackfill(t, ledger, lowWater, in.From.Time, in.To.Time, now)
}

// maxLedger bounds what a backfill reads: each nominal time, and as many times
// that somebody asked to run in between.
const maxLedger = 2 * rota.MaxBackfill

// ledgerBetween returns all that is on record between two instants.
func ledgerBetween(ctx context.Context, r backfillReader, t rota.Timer, from, to time.Time) ([]rota.Occurrence, error) {
	rows, err := r.Ledger(ctx, t.Owner, t.ScheduleID, from, to, maxLedger+1)
	if err != nil {
		return nil, err
	}
	if len(rows) > maxLedger {
		return nil, rota.InvalidField("to", "must be nearer to from: there are more than %d occurrences between them", maxLedger)
	}
	return rows, nil
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
