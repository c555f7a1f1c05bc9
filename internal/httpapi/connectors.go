package httpapi

import (
	"context"
	"net/http"
	"reflect"

	"github.com/rota-run/rota"
)

const (
	connectorsPath = agentPath + "/connectors"
	connectorPath  = connectorsPath + "/{connector_id}"
)

// NoConnectors is the list of an agent's connectors.
type NoConnectors struct {
	Object  string        `json:"object" enum:"list"`
	Data    []rota.Object `json:"data" maxItems:"0"`
	FirstID *string       `json:"first_id"`
	LastID  *string       `json:"last_id"`
	HasMore bool          `json:"has_more"`
}

// connectorOperations are those of the published API that let an agent speak on
// Telegram and WhatsApp. Rota has none: the list is empty.
func (a *api) connectorOperations() []*operation {
	list := lists(Route{http.MethodGet, connectorsPath, rota.ReadAgents, http.StatusOK, "list_agent_connectors"}, a.listConnectors).
		says("Connectors", "List the connectors of an agent", "Always empty: this version offers none.")
	list.output = reflect.TypeFor[NoConnectors]()
	return []*operation{
		list,
		noConnectors(http.MethodPost, connectorsPath, rota.WriteAgents, "create_agent_connector", "Create a connector"),
		noConnectors(http.MethodPost, connectorsPath+"/whatsapp/setup", rota.WriteAgents, "setup_whats_app_app_webhook", "Set up a WhatsApp webhook"),
		noConnectors(http.MethodGet, connectorPath, rota.ReadAgents, "get_agent_connector", "Get a connector"),
		noConnectors(http.MethodDelete, connectorPath, rota.WriteAgents, "delete_agent_connector", "Delete a connector"),
		noConnectors(http.MethodPost, connectorPath+"/activate", rota.WriteAgents, "activate_agent_connector", "Activate a connector"),
	}
}

// noConnectors returns an operation of connectors, which are not offered.
func noConnectors(method, path string, scope rota.Scope, id, summary string) *operation {
	return notOffered(Route{method, path, scope, http.StatusNotImplemented, id}, "Connectors", summary,
		"connectors to Telegram and WhatsApp are not offered by this version; agents run on schedules and by the runs API")
}

func (a *api) listConnectors(ctx context.Context, c call, _ rota.Page) (rota.List[rota.Object], error) {
	_, err := a.Control.Agent(ctx, c.who, c.agent())
	return rota.NewList([]rota.Object{}, func(rota.Object) string { return "" }, false), err
}
