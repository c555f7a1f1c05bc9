package control

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/calendar"
	"github.com/rota-run/rota/internal/policy"
)

// AllSchedules returns a page of schedules, whatever their agent: the caller's, or
// those of an end user, see [Control.owners]. Scope read:agents.
func (c *Control) AllSchedules(ctx context.Context, who auth.Caller, endUser string, f rota.ScheduleFilter, p rota.Page) (rota.List[rota.Schedule], error) {
	o, err := c.owners(ctx, who, "all_schedules", endUser)
	if err != nil {
		return rota.List[rota.Schedule]{}, err
	}
	l, err := c.Store.AllSchedules(ctx, o, f, p)
	out := rota.List[rota.Schedule]{Object: l.Object, Data: make([]rota.Schedule, len(l.Data)), FirstID: l.FirstID, LastID: l.LastID, HasMore: l.HasMore, Cut: l.Cut, Size: l.Size, Count: l.Count, CountIsMinimum: l.CountIsMinimum}
	for i, s := range l.Data {
		out.Data[i] = s.Schedule
	}
	return out, err
}

// Upcoming returns the next nominal times of a schedule; of one that is
// paused, those that it would have if it were resumed now. Scope
// read:agents.
func (c *Control) Upcoming(ctx context.Context, who auth.Caller, agent rota.AgentID, id rota.ScheduleID, count int) (rota.Preview, error) {
	if err := c.enter(ctx, who, rota.ReadAgents, "upcoming", on("agent_id", agent), on("schedule_id", id)); err != nil {
		return rota.Preview{}, err
	}
	t, err := c.Store.Timer(ctx, who.Owner, agent, id)
	if err != nil {
		return rota.Preview{}, err
	}
	cal, err := calendar.Parse(t.Spec, t.Anchor)
	if err != nil {
		return rota.Preview{}, err
	}
	p := preview(t, cal, c.Now(), count)
	p.Object = rota.ObjectUpcoming
	if t.Status == rota.SchedulePaused {
		p.Warnings = append(p.Warnings, rota.Warning{
			Code: "paused", Param: "status",
			Message: policy.WhilePaused(*t.PauseReason).Message + " at " + t.PauseReason.At.String() + ": none of these times will run unless it is resumed before",
		})
	}
	return p, nil
}

// PreviewSchedule says what a schedule would do, and writes nothing. Scope
// read:agents.
func (c *Control) PreviewSchedule(ctx context.Context, who auth.Caller, in rota.PreviewCreate) (rota.Preview, error) {
	if err := c.enter(ctx, who, rota.ReadAgents, "preview_schedule"); err != nil {
		return rota.Preview{}, err
	}
	now := c.Now().UTC()
	t := rota.Timer{Policy: in.Policy.Apply(rota.DefaultPolicy())}
	if err := policy.CheckSpan(t.Policy); err != nil {
		return rota.Preview{}, err
	}
	t, cal, err := policy.SetSpec(t, in.Spec, c.MinInterval, now)
	if err != nil {
		return rota.Preview{}, err
	}
	after, count := rota.InstantOf(now), defaultPreview
	in.After.Apply(&after)
	in.Count.Apply(&count)
	return preview(t, cal, after.Time, count), nil
}

const defaultPreview = 10

// preview describes the times of a timer strictly after an instant.
func preview(t rota.Timer, cal calendar.Calendar, after time.Time, count int) rota.Preview {
	p := rota.Preview{
		Object: rota.ObjectPreview, Description: cal.Describe(), Warnings: []rota.Warning{},
		Data: planned(t, cal, policy.Upcoming(t, cal, after, count, time.Time{})),
	}
	for i, at := range p.Data {
		if t.ScheduleID != "" || t.Policy.JitterSeconds == 0 {
			p.Data[i].StartsAt = rota.InstantOrNil(policy.Due(t.ScheduleID, t.Policy, at.ScheduledFor.Time))
		}
	}
	for _, w := range cal.Warnings(after) {
		p.Warnings = append(p.Warnings, rota.Warning{Code: string(w.Code), Message: w.Message, Param: "schedule.cron_expression"})
	}
	if len(p.Data) == 0 {
		p.Warnings = append(p.Warnings, rota.Warning{Code: "never", Message: "it has no time left: it will not run again", Param: "schedule"})
	}
	return p
}

func planned(t rota.Timer, cal calendar.Calendar, times []time.Time) []rota.PlannedTime {
	out := make([]rota.PlannedTime, len(times))
	for i, at := range times {
		out[i] = rota.PlannedTime{
			ScheduledFor: rota.InstantOf(at),
			Local:        at.In(cal.Location()).Format(time.RFC3339),
			Skipped:      slices.Contains(t.Skips, rota.InstantOf(at)),
		}
	}
	return out
}

// TriggerSchedule lets a schedule run now, also one that is paused or
// completed, under its overlap policy. The answer is the occurrence, whose
// nominal time is now: it has fired, is buffered, or was skipped. Scope
// write:agents.
func (c *Control) TriggerSchedule(ctx context.Context, who auth.Caller, agent rota.AgentID, id rota.ScheduleID, w Write) (rota.Occurrence, error) {
	if err := c.enter(ctx, who, rota.WriteAgents, "trigger_schedule", on("agent_id", agent), on("schedule_id", id)); err != nil {
		return rota.Occurrence{}, err
	}
	use, err := c.limitReached(ctx, who.Owner)
	if err != nil {
		return rota.Occurrence{}, err
	}
	return write(ctx, c, who, w.growing(), func(ctx context.Context, tx Tx, now time.Time) (rota.Occurrence, error) {
		a, err := live(ctx, tx, who, agent)
		if err != nil {
			return rota.Occurrence{}, err
		}
		t, err := tx.Timer(ctx, who.Owner, agent, id)
		if err != nil {
			return rota.Occurrence{}, err
		}
		at, err := unused(ctx, tx, t, rota.InstantOf(now).Time)
		if err != nil {
			return rota.Occurrence{}, err
		}
		d := policy.Trigger(t, at, rota.InstantOf(now).Time)
		if use != nil && d.Timer.OpenRuns > t.OpenRuns {
			return rota.Occurrence{}, use.Err()
		}
		d.Provider, _, _ = c.Models.Resolve(cmp.Or(t.PinnedModel, a.Model))
		if _, err := tx.Fire(ctx, now, t, d); err != nil {
			return rota.Occurrence{}, err
		}
		return occurrenceAt(ctx, tx, t, at)
	})
}

// unused returns the first millisecond from now on that is no nominal time, and
// not on record.
func unused(ctx context.Context, tx Tx, t rota.Timer, at time.Time) (time.Time, error) {
	for ; ; at = at.Add(time.Millisecond) {
		rows, err := tx.OccurrencesAt(ctx, t.Owner, t.ScheduleID, at)
		if err != nil || len(rows) == 0 && !policy.IsNominal(t, at) {
			return at, err
		}
	}
}

// occurrenceAt returns what is on record for a nominal time.
func occurrenceAt(ctx context.Context, tx Tx, t rota.Timer, at time.Time) (rota.Occurrence, error) {
	rows, err := tx.OccurrencesAt(ctx, t.Owner, t.ScheduleID, at)
	if err != nil {
		return rota.Occurrence{}, err
	}
	i := slices.IndexFunc(rows, func(o rota.Occurrence) bool { return o.ScheduledFor.Equal(at) })
	if i < 0 {
		return rota.Occurrence{}, rota.Errorf(rota.NotFound, "no such occurrence")
	}
	return rows[i], nil
}

// SkipOccurrence marks one nominal time ahead to be skipped. Scope
// write:agents.
func (c *Control) SkipOccurrence(ctx context.Context, who auth.Caller, agent rota.AgentID, id rota.ScheduleID, in rota.OccurrenceSkip, w Write) (rota.Schedule, error) {
	return c.change(ctx, who, "skip_occurrence", agent, id, w, func(_ context.Context, _ Tx, s rota.TimedSchedule, now time.Time) (_ rota.TimedSchedule, err error) {
		s.Timer, err = policy.Skip(s.Timer, in.ScheduledFor, now)
		return s, err
	})
}

// UnskipOccurrence takes the mark away. Scope write:agents.
func (c *Control) UnskipOccurrence(ctx context.Context, who auth.Caller, agent rota.AgentID, id rota.ScheduleID, in rota.OccurrenceSkip, w Write) (rota.Schedule, error) {
	return c.change(ctx, who, "unskip_occurrence", agent, id, w, func(_ context.Context, _ Tx, s rota.TimedSchedule, _ time.Time) (rota.TimedSchedule, error) {
		s.Timer = policy.Unskip(s.Timer, in.ScheduledFor)
		return s, nil
	})
}
