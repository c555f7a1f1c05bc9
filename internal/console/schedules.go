package console

import (
	"errors"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
)

const perPage = 50

// list returns the page of a list that the query asks for.
func (v visit) list() rota.Page {
	q := v.URL.Query()
	return rota.Page{Limit: perPage, After: q.Get("after"), Before: q.Get("before")}
}

// forOwner returns the caller as one who acts for the owner of a row.
func (v visit) forOwner(user *string) auth.Caller {
	who := v.who
	if user != nil && *user != "" {
		who.Owner.EndUser = *user
	}
	return who
}

type schedulesData struct {
	List   rota.List[rota.Schedule]
	Agents map[rota.AgentID]string // their names
	Status string
	Q      string
	Sort   string
}

func (c *console) schedules(v visit) (view, error) {
	q := v.URL.Query()
	f := rota.ScheduleFilter{Status: rota.ScheduleStatus(q.Get("status")), Q: q.Get("q")}
	p := v.list()
	if p.Sort = rota.Sort(q.Get("sort")); p.Sort == rota.SortName || p.Sort == rota.SortNextRun {
		p.Ascending = true
	}
	l, err := c.Control.AllSchedules(v.Context(), v.who, v.owners(), f, p)
	if err != nil {
		return view{}, err
	}
	if err := c.Control.Recent(v.Context(), v.who, l.Data); err != nil {
		return view{}, err
	}
	d := schedulesData{List: l, Status: string(f.Status), Q: f.Q, Sort: string(p.Sort)}
	var places []place
	for _, s := range l.Data {
		places = append(places, place{s.ID, s.AgentID, s.EndUser})
	}
	d.Agents, err = c.agentNames(v, places)
	return view{Template: "schedules", Title: "Schedules", Here: "/schedules", Data: d}, err
}

type scheduleData struct {
	Schedule rota.Schedule
	Agent    rota.Agent
	Upcoming rota.Preview
	Ledger   rota.List[rota.Occurrence]
	Outcome  string
	At       string // the time that somebody asks about
	Query    string // of forms: for whom they act
}

// upcoming is how many times to come a page shows.
const upcoming = 10

func (c *console) schedule(v visit) (view, error) {
	s, err := c.Control.Schedule(v.Context(), v.who, v.agentID(), v.scheduleID(), true)
	if err != nil {
		return view{}, err
	}
	d := scheduleData{Schedule: s, Outcome: v.URL.Query().Get("outcome"), At: v.URL.Query().Get("at"), Query: forUser(s.EndUser)}
	if d.Agent, err = c.Control.Agent(v.Context(), v.who, s.AgentID); err != nil && !errors.Is(err, rota.NotFound) {
		return view{}, err
	}
	if s.Status == rota.ScheduleActive || s.Status == rota.SchedulePaused {
		if d.Upcoming, err = c.Control.Upcoming(v.Context(), v.who, s.AgentID, s.ID, upcoming); err != nil {
			return view{}, err
		}
	}
	f, err := d.filter()
	if err != nil {
		return view{}, err
	}
	d.Ledger, err = c.Control.Occurrences(v.Context(), v.who, s.AgentID, s.ID, f, v.list())
	return view{Template: "schedule", About: string(s.ID), Title: nameOf(s), Here: "/schedules", Data: d}, err
}

// filter returns what of the ledger is shown: what is around the time that somebody asks
// about, on the clock of the schedule.
func (d *scheduleData) filter() (rota.OccurrenceFilter, error) {
	f := rota.OccurrenceFilter{Outcome: rota.Outcome(d.Outcome)}
	if d.At == "" {
		return f, nil
	}
	at, err := wallTime(d.Schedule.Spec.Timezone, d.At)
	if err != nil {
		return f, rota.InvalidField("at", "must be a time such as 2026-12-01T09:00")
	}
	f.From, f.To = at.Add(-time.Minute), at.Add(time.Minute)
	return f, nil
}

// nameOf returns what a schedule is called.
func nameOf(s rota.Schedule) string {
	if s.Name != nil {
		return *s.Name
	}
	return inWords(s.Spec)
}
