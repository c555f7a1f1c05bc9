package httpapi_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

func TestLanes(t *testing.T) {
	s := newAPI(t)
	c := s.operator("acme")
	lanes := func(who caller, query string) rota.Lanes {
		return read[rota.Lanes](who.send(http.MethodGet, "/api/v1/lanes"+query, "").is(http.StatusOK))
	}
	require.Empty(t, lanes(c, "").Data)
	quiet := c.newSchedule(c.newAgent("a")) // each hour
	blocked := c.as("ana").blocked()
	c.send(http.MethodPost, quiet+"/trigger", "").is(http.StatusOK)
	id := func(path string) rota.ScheduleID { return rota.ScheduleID(path[len(path)-len("asch_")-32:]) }

	l := lanes(c, "?end_user=*")
	require.Len(t, l.Data, 2)
	require.Equal(t, id(blocked), l.Data[0].ScheduleID, "trouble comes first")
	require.Equal(t, "ana", *l.Data[0].EndUser)
	require.EqualValues(t, 2, l.Data[0].Trouble)
	require.Len(t, l.Data[0].Past, 1)
	require.EqualValues(t, 2, l.Data[0].Past[0].Count)
	require.Equal(t, "blocked", *l.Data[0].Past[0].Outcome)
	require.Len(t, l.Data[0].Ahead, 24)
	require.Nil(t, l.Data[0].Ahead[0].Outcome)
	require.Equal(t, 48*time.Hour, l.To.Sub(l.From.Time))
	require.EqualValues(t, 1800, l.SlotSeconds)
	require.Equal(t, "fired", *l.Data[1].Past[len(l.Data[1].Past)-1].Outcome)
	require.Equal(t, rota.PhaseQueued, *l.Data[1].Past[len(l.Data[1].Past)-1].Phase)

	joined := lanes(c, "?end_user=ana&slots=2")
	require.Len(t, joined.Data, 1)
	require.Len(t, joined.Data[0].Ahead, 1)
	require.EqualValues(t, 24, joined.Data[0].Ahead[0].Count)
	require.Equal(t, id(quiet), lanes(c, "").Data[0].ScheduleID, "that of the account itself")
	require.Len(t, lanes(c, "").Data, 1)
	require.Len(t, lanes(c, "?end_user=*&sort=name&limit=1").Data, 1)
	require.Len(t, lanes(c, "?end_user=*&sort=next").Data, 2)
	require.Empty(t, lanes(s.operator("globex"), "?end_user=*").Data)

	next := lanes(c, "").Data[0].Ahead[0].From.String()
	c.send(http.MethodPost, quiet+"/skip", `{"scheduled_for":"`+next+`"}`).is(http.StatusOK)
	skipped := lanes(c, "").Data[0]
	require.Equal(t, "skipped_requested", *skipped.Ahead[0].Outcome)
	c.send(http.MethodPost, quiet+"/pause", "").is(http.StatusOK)
	s.clock.advance(2 * time.Hour)
	paused := lanes(c, "").Data[0]
	require.Empty(t, paused.Ahead)
	require.Equal(t, "blocked", *paused.Past[len(paused.Past)-1].Outcome, "what the pause has kept from starting so far")

	for query, param := range map[string]string{
		"?sort=x": "sort", "?limit=51": "limit", "?slots=0": "slots", "?from=x": "from", "?end_user=": "end_user",
		"?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z": "to", "?from=2026-01-01T00:00:00Z&to=2026-03-01T00:00:00Z": "to",
	} {
		require.Equal(t, param, c.send(http.MethodGet, "/api/v1/lanes"+query, "").is(http.StatusBadRequest).param(), query)
	}
	require.Equal(t, "end_user", s.acme().send(http.MethodGet, "/api/v1/lanes?end_user=*", "").is(http.StatusForbidden).param())
}

// TestLanesOfManySchedules: without trouble, lanes are of the schedules that run next; of
// more than a thousand they are the newest, since so many are not sorted for one look.
func TestLanesOfManySchedules(t *testing.T) {
	c := newAPI(t).acme()
	agent := c.newAgent("a")
	add := func(seconds int) string {
		return c.send(http.MethodPost, agent+"/schedules", fmt.Sprintf(`{"input":"x","schedule":{"type":"interval","interval_seconds":%d}}`, seconds)).is(http.StatusCreated).id()
	}
	first := func() rota.ScheduleID {
		return read[rota.Lanes](c.send(http.MethodGet, "/api/v1/lanes?limit=1", "").is(http.StatusOK)).Data[0].ScheduleID
	}
	soonest := add(60)
	for range 999 {
		add(3600)
	}
	require.EqualValues(t, soonest, first())
	require.EqualValues(t, add(3600), first())
}
