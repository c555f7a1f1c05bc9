package control

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/calendar"
	"github.com/rota-run/rota/internal/policy"
)

const (
	maxLanesLength = 31 * 24 * time.Hour
	maxCalm        = 1000 // schedules that are sorted by their next run to fill up lanes sorted by trouble
	maxLaneEntries = 2000 // of one lane, that are read of the record, and that are computed ahead
)

// LaneQuery says which lanes are wanted. What is zero is a day back, and a day ahead.
type LaneQuery struct {
	From, To time.Time
	Sort     rota.LaneSort
	Limit    int
	Slots    int // into how many parts the time is divided
}

// Lanes returns what became of the times of schedules, and which are to come: of the caller's,
// or those of an end user, see [Control.owners]. Scope read:agents.
func (c *Control) Lanes(ctx context.Context, who auth.Caller, endUser string, q LaneQuery) (rota.Lanes, error) {
	o, err := c.owners(ctx, who, "lanes", endUser)
	if err != nil {
		return rota.Lanes{}, err
	}
	now := rota.InstantOf(c.Now()).Time
	from, to := lanesSpan(now, q.From, q.To)
	switch {
	case !from.Before(to):
		return rota.Lanes{}, rota.InvalidField("to", "must be after from (%s)", rota.InstantOf(from))
	case to.Sub(from) > maxLanesLength:
		return rota.Lanes{}, rota.InvalidField("to", "must be at most 31 days after from")
	}
	slot := max(to.Sub(from)/time.Duration(q.Slots), time.Second).Truncate(time.Second)
	schedules, err := c.laneSchedules(ctx, o, q, from, to)
	l := rota.Lanes{
		Object: rota.ObjectLanes, From: rota.InstantOf(from), Now: rota.InstantOf(now), To: rota.InstantOf(to),
		SlotSeconds: int64(slot / time.Second), Data: []rota.Lane{},
	}
	for _, s := range schedules {
		if err != nil {
			break
		}
		var lane rota.Lane
		lane, err = c.lane(ctx, who, s, laneSpan{from, to, now, slot})
		l.Data = append(l.Data, lane)
	}
	if q.Sort == rota.LanesByTrouble {
		slices.SortStableFunc(l.Data, func(a, b rota.Lane) int { return cmp.Compare(b.Trouble, a.Trouble) })
	}
	return l, err
}

func lanesSpan(now, from, to time.Time) (time.Time, time.Time) {
	if from.IsZero() {
		from = now.Add(-24 * time.Hour)
	}
	if to.IsZero() {
		to = cmp.Or(from.Add(48*time.Hour), to)
	}
	return rota.InstantOf(from).Time, rota.InstantOf(to).Time
}

// laneSchedules returns the schedules of lanes, in their order.
func (c *Control) laneSchedules(ctx context.Context, o rota.Owners, q LaneQuery, from, to time.Time) ([]rota.TimedSchedule, error) {
	if q.Sort == rota.LanesByName {
		l, err := c.Store.AllSchedules(ctx, o, rota.ScheduleFilter{}, rota.Page{Limit: q.Limit, Sort: rota.SortName, Ascending: true})
		return l.Data, err
	}
	var all []rota.TimedSchedule
	if q.Sort == rota.LanesByTrouble {
		troubled, err := c.Store.Troubled(ctx, o, from, to, q.Limit)
		if err != nil {
			return nil, err
		}
		for _, t := range troubled {
			l, err := c.Store.AllSchedules(ctx, o, rota.ScheduleFilter{ID: t.ScheduleID}, rota.Page{Limit: 1})
			if err != nil {
				return nil, err
			}
			all = append(all, l.Data...)
		}
	}
	if len(all) >= q.Limit {
		return all, nil
	}
	calm := rota.Page{Limit: q.Limit, Sort: rota.SortNextRun, Ascending: true}
	if q.Sort == rota.LanesByTrouble {
		calm.Look = maxCalm
	}
	more, err := c.Store.AllSchedules(ctx, o, rota.ScheduleFilter{}, calm)
	if q.Sort == rota.LanesByTrouble && errors.Is(err, rota.Invalid) { // there are too many to sort them
		more, err = c.Store.AllSchedules(ctx, o, rota.ScheduleFilter{}, rota.Page{Limit: q.Limit})
	}
	for _, s := range more.Data {
		if len(all) < q.Limit && !slices.ContainsFunc(all, func(have rota.TimedSchedule) bool { return have.ID == s.ID }) {
			all = append(all, s)
		}
	}
	return all, err
}

// laneSpan is the time that lanes show.
type laneSpan struct {
	from, to, now time.Time
	slot          time.Duration
}

func (c *Control) lane(ctx context.Context, who auth.Caller, s rota.TimedSchedule, span laneSpan) (rota.Lane, error) {
	lane := rota.Lane{
		ScheduleID: s.ID, AgentID: s.AgentID, EndUser: s.EndUser, Name: s.Name, Status: s.Status, Timezone: s.Spec.Timezone, NextRunAt: s.NextRunAt,
		Past: []rota.LanePart{}, Ahead: []rota.LanePart{},
	}
	owner := who
	owner.Owner = s.Timer.Owner
	open, err := c.openSpans(ctx, owner, s.Schedule)
	if err != nil {
		return lane, err
	}
	entries, err := c.Store.Lane(ctx, s.Timer.Owner, s.ID, span.from, minTime(span.to, span.now), maxLaneEntries)
	if err != nil {
		return lane, err
	}
	if len(entries) == maxLaneEntries {
		lane.Since = rota.InstantOrNil(entries[len(entries)-1].From)
	}
	slices.Reverse(entries)
	for _, o := range open {
		last := *cmp.Or(o.ScheduledUntil, &o.ScheduledFor)
		if !last.Before(span.from) && o.ScheduledFor.Before(span.to) {
			entries = append(entries, rota.LaneEntry{From: o.ScheduledFor.Time, To: last.Time, Count: o.Count, Outcome: o.Outcome})
		}
	}
	for _, e := range entries {
		if troubles(e) {
			lane.Trouble += e.Count
		}
		lane.Past = span.join(lane.Past, e)
	}
	return lane, span.ahead(&lane, s.Timer)
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func troubles(e rota.LaneEntry) bool {
	return e.Outcome == rota.MissedOutcome || e.Outcome == rota.Blocked || e.Phase == rota.PhaseFailed || e.Phase == rota.PhaseIncomplete
}

// join appends an entry to parts, or adds it to the last one of its kind in the same slot.
func (span laneSpan) join(parts []rota.LanePart, e rota.LaneEntry) []rota.LanePart {
	p := rota.LanePart{From: rota.InstantOf(e.From), To: rota.InstantOf(e.To), Count: e.Count}
	if e.Outcome != "" {
		outcome := string(e.Outcome)
		p.Outcome = &outcome
	}
	if e.Phase != "" {
		p.Phase = &e.Phase
	}
	for i := len(parts) - 1; i >= 0 && span.slotOf(parts[i].To.Time) == span.slotOf(e.From); i-- {
		if have := &parts[i]; same(have.Outcome, p.Outcome) && same(have.Phase, p.Phase) {
			have.To, have.Count = p.To, have.Count+p.Count
			return parts
		}
	}
	return append(parts, p)
}

func (span laneSpan) slotOf(at time.Time) int64 { return int64(at.Sub(span.from) / span.slot) }

// ahead adds the times to come.
func (span laneSpan) ahead(lane *rota.Lane, t rota.Timer) error {
	if t.Status != rota.ScheduleActive || !span.to.After(span.now) {
		return nil
	}
	cal, err := calendar.Parse(t.Spec, t.Anchor)
	if err != nil {
		return err
	}
	after := span.now
	if span.from.After(after) {
		after = span.from.Add(-time.Millisecond)
	}
	times := policy.Upcoming(t, cal, after, maxLaneEntries, span.to)
	if len(times) == maxLaneEntries {
		lane.Until = rota.InstantOrNil(times[len(times)-1])
	}
	for _, at := range times {
		e := rota.LaneEntry{From: at, To: at, Count: 1}
		if slices.Contains(t.Skips, rota.InstantOf(at)) {
			e.Outcome = rota.SkippedRequested
		}
		lane.Ahead = span.join(lane.Ahead, e)
	}
	return nil
}
