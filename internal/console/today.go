package console

import (
	"cmp"
	"slices"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
)

const (
	lookBack = 24 * time.Hour
	most     = 100 // of each kind, on the first page
)

// A matter is what needs somebody: times of one schedule that did not run for one
// reason, runs of it that failed with one code, or a pause that nobody asked for.
type matter struct {
	place
	Kind       string // missed, blocked, failed, paused
	Name       string
	Code, Text string
	Times      int64
	Last       time.Time
	Run        *rota.RunID
}

type todayData struct {
	Matters  []matter
	More     bool // there are more than are shown
	From     time.Time
	Open     rota.List[rota.Run]
	Recent   rota.List[rota.Run]
	Names    map[rota.ScheduleID]string
	Empty    bool // nobody has made a schedule
	Everyone bool
}

// today says whether everything ran, and what needs somebody.
func (c *console) today(v visit) (view, error) {
	d := todayData{From: v.now.Add(-lookBack), Everyone: v.owners() == control.Everybody}
	for _, read := range []func(visit, *todayData) error{c.unfired, c.failed, c.pausedByRota, c.lately} {
		if err := read(v, &d); err != nil {
			return view{}, err
		}
	}
	slices.SortFunc(d.Matters, func(a, b matter) int { return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Schedule, b.Schedule)) })
	if err := c.nameSchedules(v, d.Matters); err != nil {
		return view{}, err
	}
	title := "Today"
	if n := len(d.Matters); n > 0 {
		title = count(n, "thing needs you", "things need you")
	}
	return view{Template: "today", Title: title, Here: "/", Data: d}, nil
}

// owners returns whose things a page lists: everybody's, if the key may see them, or
// those of the end user that the query names.
func (v visit) owners() string {
	if user := v.URL.Query().Get("end_user"); user != "" {
		return user
	}
	if v.who.Owner.EndUser == "" && v.who.Require(rota.ReadAccount) == nil {
		return control.Everybody
	}
	return ""
}

// unfired adds the times that were missed or blocked.
func (c *console) unfired(v visit, d *todayData) error {
	for _, outcome := range []rota.Outcome{rota.MissedOutcome, rota.Blocked} {
		l, err := c.Control.AllOccurrences(v.Context(), v.who, v.owners(), rota.OccurrenceFilter{Outcome: outcome, From: d.From}, rota.Page{Limit: most})
		if err != nil {
			return err
		}
		d.More = d.More || l.HasMore
		for _, o := range l.Data {
			d.add(matter{
				Kind: string(outcome), place: place{o.ScheduleID, o.AgentID, o.EndUser}, Code: value(o.Reason).Code, Text: reasonWords(o),
				Times: o.Count, Last: cmp.Or(o.ScheduledUntil, &o.ScheduledFor).Time,
			})
		}
	}
	return nil
}

// failed adds the runs of schedules that failed.
func (c *console) failed(v visit, d *todayData) error {
	l, err := c.Control.AllRuns(v.Context(), v.who, v.owners(), rota.RunFilter{Phase: rota.PhaseFailed, From: d.From}, rota.Page{Limit: most})
	if err != nil {
		return err
	}
	d.More = d.More || l.HasMore
	for _, r := range l.Data {
		why := value(r.Error)
		d.add(matter{
			Kind: "failed", place: place{value(r.ScheduleID), r.AgentID, r.EndUser}, Code: why.Code, Text: why.Message,
			Times: 1, Last: cmp.Or(r.CompletedAt, &r.CreatedAt).Time, Run: &r.ID,
		})
	}
	return nil
}

// pausedByRota adds the schedules that nobody asked to pause.
func (c *console) pausedByRota(v visit, d *todayData) error {
	l, err := c.Control.AllSchedules(v.Context(), v.who, v.owners(), rota.ScheduleFilter{Status: rota.SchedulePaused}, rota.Page{Limit: most})
	if err != nil {
		return err
	}
	for _, s := range l.Data {
		why := value(s.PauseReason)
		if why.Code == rota.PausedByFailures || why.Code == rota.PausedByKey {
			d.add(matter{
				Kind: "paused", place: place{s.ID, s.AgentID, s.EndUser}, Name: value(s.Name), Code: string(why.Code),
				Text: "Rota paused it: " + pauseWords(why.Code), Times: 1, Last: why.At.Time,
			})
		}
	}
	return nil
}

// pauseWords says why a schedule is paused.
func pauseWords(code rota.PauseCode) string {
	switch code {
	case rota.PausedByFailures:
		return "its runs failed too often in a row"
	case rota.PausedByKey:
		return "the key that made it was revoked"
	case rota.PausedByDeletion:
		return "its agent was deleted"
	default:
		return "somebody asked for it"
	}
}

// lately adds what is under way and what ended last.
func (c *console) lately(v visit, d *todayData) (err error) {
	if d.Open, err = c.Control.AllRuns(v.Context(), v.who, v.owners(), rota.RunFilter{Phase: rota.PhaseRunning}, rota.Page{Limit: 10}); err != nil {
		return err
	}
	if d.Recent, err = c.Control.AllRuns(v.Context(), v.who, v.owners(), rota.RunFilter{}, rota.Page{Limit: 10}); err != nil {
		return err
	}
	if d.Names, err = c.names(v, ofRuns(slices.Concat(d.Open.Data, d.Recent.Data))); err != nil {
		return err
	}
	all, err := c.Control.AllSchedules(v.Context(), v.who, v.owners(), rota.ScheduleFilter{}, rota.Page{Limit: 1})
	d.Empty = len(all.Data) == 0
	return err
}

// add adds a matter, or counts it to an equal one.
func (d *todayData) add(m matter) {
	for i := range d.Matters {
		if have := &d.Matters[i]; have.Kind == m.Kind && have.Schedule == m.Schedule && have.Agent == m.Agent && have.Code == m.Code {
			have.Times += m.Times
			if m.Last.After(have.Last) {
				have.Last, have.Run = m.Last, m.Run
			}
			return
		}
	}
	d.Matters = append(d.Matters, m)
}

// nameSchedules says what the schedules of matters are called.
func (c *console) nameSchedules(v visit, matters []matter) error {
	var unknown []place
	for _, m := range matters {
		if m.Name == "" && m.Schedule != "" {
			unknown = append(unknown, m.place)
		}
	}
	names, err := c.names(v, unknown)
	for i := range matters {
		matters[i].Name = cmp.Or(matters[i].Name, names[matters[i].Schedule])
	}
	return err
}
