package console

import (
	"net/url"

	"github.com/rota-run/rota"
)

// backfillEditor runs times of the past again, or for the first time. It is asked what
// would run before.
func (c *console) backfillEditor() editor {
	return editor{
		template: "backfill", here: "/schedules",
		fields: []string{"from", "to"}, required: []string{"from", "to"},
		begin: c.beginBackfill, save: c.saveBackfill, preview: c.previewBackfill,
	}
}

func (c *console) beginBackfill(v visit) (any, url.Values, error) {
	s, err := c.Control.Schedule(v.Context(), v.who, v.agentID(), v.scheduleID(), false)
	return s, url.Values{}, err
}

func (c *console) saveBackfill(v visit, f form) (at, did string, err error) {
	_, err = c.backfill(v, f, false)
	return "/agents/" + string(v.agentID()) + "/schedules/" + string(v.scheduleID()) + v.acting(), "backfilled", err
}

// previewBackfill says which times would run.
func (c *console) previewBackfill(v visit, f form) (rota.Preview, error) {
	b, err := c.backfill(v, f, true)
	return rota.Preview{Data: b.Data}, err
}

// backfill asks for the times between two that the schedule's clock shows.
func (c *console) backfill(v visit, f form, dry bool) (rota.Backfill, error) {
	s, err := c.Control.Schedule(v.Context(), v.who, v.agentID(), v.scheduleID(), false)
	if err != nil {
		return rota.Backfill{}, err
	}
	in := rota.BackfillCreate{DryRun: rota.Some(dry)}
	for name, at := range map[string]*rota.Instant{"from": &in.From, "to": &in.To} {
		t, err := wallTime(s.Spec.Timezone, f.Get(name))
		if err != nil {
			return rota.Backfill{}, rota.InvalidField(name, "must be a time such as 2026-12-01T09:00")
		}
		*at = rota.InstantOf(t)
	}
	w := v.write()
	if dry {
		w.IdempotencyKey = ""
	}
	return c.Control.BackfillSchedule(v.Context(), v.who, s.AgentID, s.ID, in, w)
}
