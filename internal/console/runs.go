package console

import (
	"errors"

	"github.com/rota-run/rota"
)

type runsData struct {
	Names     map[rota.ScheduleID]string
	List      rota.List[rota.Run]
	Phase     string
	ErrorCode string
}

func (c *console) runs(v visit) (view, error) {
	q := v.URL.Query()
	f := rota.RunFilter{
		Phase: rota.Phase(q.Get("phase")), ErrorCode: q.Get("error_code"),
		AgentID: rota.AgentID(q.Get("agent_id")), ScheduleID: rota.ScheduleID(q.Get("schedule_id")),
	}
	l, err := c.Control.AllRuns(v.Context(), v.who, v.owners(), f, v.list())
	if err != nil {
		return view{}, err
	}
	d := runsData{List: l, Phase: string(f.Phase), ErrorCode: f.ErrorCode}
	d.Names, err = c.names(v, ofRuns(l.Data))
	return view{Template: "runs", Title: "Runs", Here: "/runs", Data: d}, err
}

// A place is where a schedule is found.
type place struct {
	Schedule rota.ScheduleID
	Agent    rota.AgentID
	EndUser  *string
}

// ofRuns returns the places of the schedules that have started runs.
func ofRuns(runs []rota.Run) (places []place) {
	for _, r := range runs {
		if r.ScheduleID != nil {
			places = append(places, place{*r.ScheduleID, r.AgentID, r.EndUser})
		}
	}
	return places
}

// names returns what schedules are called, as far as they are there.
func (c *console) names(v visit, places []place) (map[rota.ScheduleID]string, error) {
	names := map[rota.ScheduleID]string{}
	for _, p := range places {
		if names[p.Schedule] != "" {
			continue
		}
		s, err := c.Control.Schedule(v.Context(), v.forOwner(p.EndUser), p.Agent, p.Schedule, true)
		switch {
		case err == nil:
			names[s.ID] = nameOf(s)
		case !errors.Is(err, rota.NotFound):
			return nil, err
		}
	}
	return names, nil
}

type runData struct {
	Run   rota.Run
	Open  bool
	Zone  string // of its schedule
	Name  string // of its schedule
	Query string // of forms: for whom they act
}

func (c *console) run(v visit) (view, error) {
	r, err := c.Control.RunByID(v.Context(), v.who, v.runID())
	if err != nil {
		return view{}, err
	}
	d := runData{Run: r, Open: r.CompletedAt == nil, Query: forUser(r.EndUser)}
	if r.ScheduleID != nil {
		s, err := c.Control.Schedule(v.Context(), v.who, r.AgentID, *r.ScheduleID, true)
		if err != nil && !errors.Is(err, rota.NotFound) {
			return view{}, err
		}
		d.Zone, d.Name = s.Spec.Timezone, nameOf(s)
	}
	return view{Template: "run", About: string(r.ID), Title: "Run " + string(r.ID), Here: "/runs", Data: d}, nil
}
