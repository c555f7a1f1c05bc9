package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
)

var laneSorts = []string{string(rota.LanesByTrouble), string(rota.LanesByNext), string(rota.LanesByName)}

const (
	maxLanes     = 50
	defaultLanes = 20
	maxSlots     = 500
	defaultSlots = 96
)

func (a *api) lanesOperation() *operation {
	return answers(Route{http.MethodGet, "/api/v1/lanes", rota.ReadAgents, http.StatusOK, "get_lanes"}, a.lanes).
		says("Occurrences", "See the times of schedules side by side", "For each of some schedules, what became of its times, and which are to come: by default a day back and a day ahead, and those first that had trouble. Times of one kind that are close together are one part with a count. With the scope read:account, end_user names one end user, or everybody.").
		with("lanes_from", "lanes_to", "lane_sort", "lane_limit", "slots", "end_user_filter")
}

func laneParams() map[string]*huma.Param {
	one, lanes, slots := 1.0, float64(maxLanes), float64(maxSlots)
	moment := &huma.Schema{Type: huma.TypeString, Format: "date-time"}
	return map[string]*huma.Param{
		"lanes_from": query("from", "Where the lanes begin. Default: a day ago.", moment),
		"lanes_to":   query("to", "Where they end, at most 31 days after from. Default: two days after from.", moment),
		"lane_sort":  query("sort", "Which schedules come first: those with the most trouble, those that run next, or by name.", &huma.Schema{Type: huma.TypeString, Enum: anys(laneSorts), Default: laneSorts[0]}),
		"lane_limit": query("limit", "How many schedules.", &huma.Schema{Type: huma.TypeInteger, Minimum: &one, Maximum: &lanes, Default: defaultLanes}),
		"slots":      query("slots", "Into how many parts the time is divided, within which times of one kind are joined.", &huma.Schema{Type: huma.TypeInteger, Minimum: &one, Maximum: &slots, Default: defaultSlots}),
	}
}

func (a *api) lanes(ctx context.Context, c call) (rota.Lanes, error) {
	q := c.URL.Query()
	var want control.LaneQuery
	var err error
	if want.From, want.To, err = between(q); err != nil {
		return rota.Lanes{}, err
	}
	sort, err := wordParam(q, "sort", laneSorts)
	if err != nil {
		return rota.Lanes{}, err
	}
	if want.Sort = rota.LaneSort(sort); sort == "" {
		want.Sort = rota.LanesByTrouble
	}
	if want.Limit, err = numberParam(q, "limit", 1, maxLanes, defaultLanes); err != nil {
		return rota.Lanes{}, err
	}
	if want.Slots, err = numberParam(q, "slots", 1, maxSlots, defaultSlots); err != nil {
		return rota.Lanes{}, err
	}
	user, err := endUserParam(q)
	if err != nil {
		return rota.Lanes{}, err
	}
	return a.Control.Lanes(ctx, c.who, user, want)
}
