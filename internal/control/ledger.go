package control

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/calendar"
	"github.com/rota-run/rota/internal/policy"
)

// Occurrences returns a page of what became of a schedule's nominal times, in
// their order, also of one that is deleted. While the schedule is paused, the
// times that the pause has kept from starting so far are in it as they will be on
// record when it ends. Scope read:agents.
func (c *Control) Occurrences(ctx context.Context, who auth.Caller, agent rota.AgentID, id rota.ScheduleID, f rota.OccurrenceFilter, p rota.Page) (rota.List[rota.Occurrence], error) {
	var none rota.List[rota.Occurrence]
	if err := c.enter(ctx, who, rota.ReadAgents, "occurrences", on("agent_id", agent), on("schedule_id", id)); err != nil {
		return none, err
	}
	s, err := c.Store.Schedule(ctx, who.Owner, agent, id, true)
	if err != nil {
		return none, err
	}
	l, err := c.occurrences(ctx, who, s, f, p)
	if err == nil && len(l.Data) == 0 && p.After == "" && p.Before == "" && f.Outcome == "" {
		l.Warnings, err = c.whyEmpty(ctx, who, s, f)
	}
	return l, err
}

// maxRecent is how many occurrences a schedule is answered with on request.
const maxRecent = 10

// Recent gives schedules that were answered to the caller their last ten occurrences.
// Scope read:agents.
func (c *Control) Recent(ctx context.Context, who auth.Caller, schedules []rota.Schedule) error {
	if err := c.enter(ctx, who, rota.ReadAgents, "recent"); err != nil {
		return err
	}
	for i, s := range schedules {
		owner := who
		owner.Owner = rota.Owner{Account: who.Owner.Account}
		if s.EndUser != nil {
			owner.Owner.EndUser = *s.EndUser
		}
		l, err := c.occurrences(ctx, owner, s, rota.OccurrenceFilter{}, rota.Page{Limit: maxRecent})
		if err != nil {
			return err
		}
		schedules[i].Recent = orEmpty(l.Data)
	}
	return nil
}

func (c *Control) occurrences(ctx context.Context, who auth.Caller, s rota.Schedule, f rota.OccurrenceFilter, p rota.Page) (rota.List[rota.Occurrence], error) {
	var none rota.List[rota.Occurrence]
	open, err := c.openSpans(ctx, who, s) // before the record is read: the pause may end meanwhile
	if err != nil {
		return none, err
	}
	l, err := c.Store.Occurrences(ctx, who.Owner, s.AgentID, s.ID, f, p)
	if err != nil {
		return none, err
	}
	return withSpans(l, slices.DeleteFunc(open, func(o rota.Occurrence) bool { return !f.Passes(o) }), p), nil
}

// openSpans returns what will be on record of a pause that has not ended.
func (c *Control) openSpans(ctx context.Context, who auth.Caller, s rota.Schedule) ([]rota.Occurrence, error) {
	if s.Status != rota.SchedulePaused {
		return nil, nil
	}
	t, err := c.Store.Timer(ctx, who.Owner, s.AgentID, s.ID)
	if err != nil {
		return nil, err
	}
	last, err := c.Store.LastOnRecord(ctx, s.ID)
	if err != nil {
		return nil, err
	}
	return policy.Open(t, s.DeletedAt != nil, last, rota.InstantOf(c.Now()).Time), nil
}

// withSpans puts the spans that belong on a page into it. Ids of occurrences
// sort by their nominal times.
func withSpans(l rota.List[rota.Occurrence], spans []rota.Occurrence, p rota.Page) rota.List[rota.Occurrence] {
	order := func(a, b string) int {
		if p.Ascending {
			return strings.Compare(a, b)
		}
		return strings.Compare(b, a)
	}
	data := slices.Clone(l.Data)
	for _, o := range spans {
		id := string(o.ID)
		switch {
		case p.After != "" && order(id, p.After) <= 0, p.Before != "" && order(id, p.Before) >= 0:
		case l.HasMore && p.Before == "" && order(id, *l.LastID) > 0, l.HasMore && p.Before != "" && order(id, *l.FirstID) < 0:
		case slices.ContainsFunc(l.Data, func(stored rota.Occurrence) bool { return stored.ID == o.ID }):
		default:
			data = append(data, o)
		}
	}
	slices.SortFunc(data, func(a, b rota.Occurrence) int { return order(string(a.ID), string(b.ID)) })
	more, cut := l.HasMore, false
	if over := len(data) - p.Limit; over > 0 {
		more, cut = true, true
		if p.Before != "" {
			data = data[over:]
		} else {
			data = data[:p.Limit]
		}
	}
	merged := rota.NewList(data, func(o rota.Occurrence) string { return string(o.ID) }, more)
	merged.Count, merged.CountIsMinimum = l.Count, l.CountIsMinimum
	if !cut && l.HasMore {
		merged.FirstID, merged.LastID = lookedTo(l, merged, p)
	}
	return merged
}

// lookedTo returns the ends of a page to which spans were added: those that it had, if it
// has looked further than its rows go.
func lookedTo(l, merged rota.List[rota.Occurrence], p rota.Page) (first, last *string) {
	n := len(l.Data)
	switch {
	case p.Before == "" && (n == 0 || *l.LastID != string(l.Data[n-1].ID)):
		return merged.FirstID, l.LastID
	case p.Before != "" && (n == 0 || *l.FirstID != string(l.Data[0].ID)):
		return l.FirstID, merged.LastID
	}
	return merged.FirstID, merged.LastID
}

// whyEmpty says why nothing is on record between the ends of a filter, if that
// follows from the schedule's times.
func (c *Control) whyEmpty(ctx context.Context, who auth.Caller, s rota.Schedule, f rota.OccurrenceFilter) ([]rota.Warning, error) {
	if s.DeletedAt != nil || s.Status == rota.ScheduleDeleted {
		return nil, nil
	}
	t, err := c.Store.Timer(ctx, who.Owner, s.AgentID, s.ID)
	if err != nil {
		return nil, err
	}
	cal, err := calendar.Parse(t.Spec, t.Anchor)
	if err != nil {
		return nil, err
	}
	from := f.From
	if from.IsZero() {
		from = s.CreatedAt.Time
	}
	shown := func(at time.Time) string { return at.In(cal.Location()).Format("Monday, 2006-01-02T15:04:05Z07:00") }
	next, ok := policy.First(t, cal, from)
	switch {
	case !f.To.IsZero() && f.To.Before(s.CreatedAt.Time):
		return warn("before_creation", "to", "the schedule was created after these times: on "+shown(s.CreatedAt.Time)), nil
	case !ok:
		return warn("no_such_time", "from", "the schedule has no time from "+shown(from)+" on"), nil
	case !f.To.IsZero() && next.After(f.To):
		return warn("no_such_time", "from", "the schedule has no time from "+shown(from)+" to "+shown(f.To)+"; the next one after that is "+shown(next)), nil
	case next.After(c.Now()):
		return warn("not_yet", "from", "no time has come yet: the first is "+shown(next)), nil
	}
	return nil, nil
}

func warn(code, param, message string) []rota.Warning {
	return []rota.Warning{{Code: code, Param: param, Message: message}}
}
