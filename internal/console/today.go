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

// A matter is what needs somebody: times that did not run for one reason, runs that failed
// with one code, or pauses that nobody asked for, of however many schedules.
type matter struct {
	Kind       string // missed, blocked, failed, incomplete, paused
	Code, Text string
	Asked      bool // calls started runs of it
	Times      int64
	Last       time.Time
	Run        *rota.RunID // the last
	RunUser    *string     // whose that is
	Places     []place     // the first schedules
	More       int         // schedules besides
}

// shownPlaces bounds how many schedules of a matter are named.
const shownPlaces = 5

type todayData struct {
	Matters  []matter
	Waiting  rota.List[rota.Approval] // calls that wait for an approval
	More     bool                     // there are more than are shown
	From     time.Time
	Open     rota.List[rota.Run]
	Recent   rota.List[rota.Run]
	Names    map[rota.ScheduleID]string
	Day      lanesData
	Empty    bool // nobody has made a schedule
	Everyone bool
}

// today says whether everything ran, and what needs somebody.
func (c *console) today(v visit) (view, error) {
	d := todayData{From: v.now.Add(-lookBack), Everyone: v.owners() == control.Everybody}
	for _, read := range []func(visit, *todayData) error{c.unfired, c.failed, c.pausedByRota, c.waiting, c.lately, c.lanes} {
		if err := read(v, &d); err != nil {
			return view{}, err
		}
	}
	slices.SortFunc(d.Matters, func(a, b matter) int {
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Code, b.Code))
	})
	var named []place
	for i := range d.Matters {
		m := &d.Matters[i]
		m.More = max(len(m.Places)-shownPlaces, 0)
		m.Places = m.Places[:len(m.Places)-m.More]
		named = append(named, m.Places...)
	}
	names, err := c.names(v, append(named, ofRuns(slices.Concat(d.Open.Data, d.Recent.Data))...))
	if err != nil {
		return view{}, err
	}
	d.Names = names
	title := "Today"
	if n := len(d.Matters) + min(len(d.Waiting.Data), 1); n > 0 {
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
		l, err := c.Control.AllOccurrences(v.Context(), v.who, v.owners(), rota.OccurrenceFilter{Outcome: outcome, Unseen: true, From: d.From}, rota.Page{Limit: most})
		if err != nil {
			return err
		}
		d.More = d.More || l.HasMore
		for _, o := range l.Data {
			d.add(matter{
				Kind: string(outcome), Places: []place{{o.ScheduleID, o.AgentID, o.EndUser}}, Code: value(o.Reason).Code, Text: reasonWords(o),
				Times: o.Count, Last: cmp.Or(o.ScheduledUntil, &o.ScheduledFor).Time,
			})
		}
	}
	return nil
}

// failed adds the runs that failed or are incomplete.
func (c *console) failed(v visit, d *todayData) error {
	for _, phase := range []rota.Phase{rota.PhaseFailed, rota.PhaseIncomplete} {
		l, err := c.Control.AllRuns(v.Context(), v.who, v.owners(), rota.RunFilter{Phase: phase, Unseen: true, From: d.From}, rota.Page{Limit: most})
		if err != nil {
			return err
		}
		d.More = d.More || l.HasMore
		for _, r := range l.Data {
			why := value(r.Error)
			d.add(matter{
				Kind: string(phase), Places: ofRuns([]rota.Run{r}), Code: why.Code, Text: cmp.Or(why.Message, "A limit stopped the model."), Asked: r.ScheduleID == nil,
				Times: 1, Last: cmp.Or(r.CompletedAt, &r.CreatedAt).Time, Run: &r.ID, RunUser: r.EndUser,
			})
		}
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
				Kind: "paused", Places: []place{{s.ID, s.AgentID, s.EndUser}}, Code: string(why.Code),
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
	case rota.PausedByUnsharing:
		return "its agent is not shared any more"
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
	all, err := c.Control.AllSchedules(v.Context(), v.who, v.owners(), rota.ScheduleFilter{}, rota.Page{Limit: 1})
	d.Empty = len(all.Data) == 0
	return err
}

// add adds a matter, or counts it to one for the same reason.
func (d *todayData) add(m matter) {
	i := slices.IndexFunc(d.Matters, func(have matter) bool {
		return have.Kind == m.Kind && have.Code == m.Code
	})
	if i < 0 {
		d.Matters = append(d.Matters, m)
		return
	}
	have := &d.Matters[i]
	have.Times, have.Asked = have.Times+m.Times, have.Asked || m.Asked
	if m.Last.After(have.Last) {
		have.Last, have.Text, have.Run, have.RunUser = m.Last, m.Text, m.Run, m.RunUser
	}
	for _, p := range m.Places {
		if !slices.ContainsFunc(have.Places, func(known place) bool { return known.Schedule == p.Schedule }) {
			have.Places = append(have.Places, p)
		}
	}
}

// acknowledge does with a matter of the first page what its button says, as far as the page has
// shown it.
func (c *console) acknowledge(v visit) (string, error) {
	kind, code := v.PostForm.Get("kind"), v.PostForm.Get("code")
	asOf, err := v.nominal()
	if err != nil {
		return "", err
	}
	filter := rota.Opt[string]{}
	if code != "" {
		filter = rota.Some(code)
	}
	user := rota.Opt[string]{}
	if o := v.owners(); o != "" {
		user = rota.Some(o)
	}
	switch kind {
	case string(rota.MissedOutcome), string(rota.Blocked):
		_, err = c.Control.AcknowledgeOccurrences(v.Context(), v.who, rota.AcknowledgeOccurrences{
			Outcome: rota.Some(rota.Outcome(kind)), Reason: filter, AsOf: rota.Some(asOf), EndUser: user,
		}, v.write())
	case string(rota.PhaseFailed), string(rota.PhaseIncomplete):
		_, err = c.Control.AcknowledgeRuns(v.Context(), v.who, rota.AcknowledgeRuns{
			Phase: rota.Some(rota.Phase(kind)), ErrorCode: filter, AsOf: rota.Some(asOf), EndUser: user,
		}, v.write())
	default:
		err = rota.InvalidField("kind", "must be missed, blocked, failed or incomplete")
	}
	return "seen", err
}
