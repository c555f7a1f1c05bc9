package httpapi

import (
	"context"
	"net/http"

	"github.com/rota-run/rota"
)

const systemPath = "/api/v1/system"

func (a *api) systemOperations() []*operation {
	return []*operation{
		answers(Route{http.MethodGet, systemPath, "", http.StatusOK, "get_system"}, a.getSystem).
			says("System", "Get the server", "Which version of Rota answers, what its clock shows, and which time zone data it goes by."),
	}
}

func (a *api) getSystem(context.Context, call) (rota.SystemInfo, error) {
	s := a.System
	s.Object, s.Time = "system", rota.InstantOf(a.Now())
	return s, nil
}
