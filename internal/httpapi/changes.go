package httpapi

import (
	"context"
	"net/http"

	"github.com/rota-run/rota"
)

func (a *api) changesOperation() *operation {
	op := answers(Route{http.MethodGet, "/api/v1/changes", rota.ReadAgents, http.StatusOK, "stream_changes"}, a.changes).
		says("Occurrences", "Follow what changes", "Server-sent events: each data line names agents, schedules, occurrences and runs that are new, gone or not as they were, by their ids; read them to see what they are. Its type is started for the first message, changes, many if there are more than 100 (read again what you show), or reset if changes may have been missed (the same). There are at most four messages a second. After a cut, send the last id. With the scope read:account, end_user names one end user, or everybody.").
		with("last_event_id", "starting_after", "end_user_filter")
	op.output, op.endless = nil, true
	return op
}

func (a *api) changes(ctx context.Context, c call) (stream, error) {
	after, err := startingAfter(c.Request)
	if err != nil {
		return stream{}, err
	}
	user, err := endUserParam(c.URL.Query())
	if err != nil {
		return stream{}, err
	}
	events, err := a.Control.Changes(ctx, c.who, user, after)
	return stream{EventReader: events}, err
}
