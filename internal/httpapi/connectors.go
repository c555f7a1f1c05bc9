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
		notOffered(http.MethodPost, connectorsPath, rota.WriteAgents, "create_agent_connector", "Create a connector"),
		notOffered(http.MethodPost, connectorsPath+"/whatsapp/setup", rota.WriteAgents, "setup_whats_app_app_webhook", "Set up a WhatsApp webhook"),
		notOffered(http.MethodGet, connectorPath, rota.ReadAgents, "get_agent_connector", "Get a connector"),
		notOffered(http.MethodDelete, connectorPath, rota.WriteAgents, "delete_agent_connector", "Delete a connector"),
		notOffered(http.MethodPost, connectorPath+"/activate", rota.WriteAgents, "activate_agent_connector", "Activate a connector"),
	}
}

// notOffered returns an operation that the published API has and Rota has not.
func notOffered(method, path string, scope rota.Scope, id, summary string) *operation {
	op := answers(Route{method, path, scope, http.StatusNotImplemented, id}, func(context.Context, call) (ErrorBody, error) {
		return ErrorBody{}, rota.Errorf(rota.NotImplemented, "connectors to Telegram and WhatsApp are not offered by this version; agents run on schedules and by the runs API")
	})
	return op.says("Connectors", summary, "Not offered by this version: it always answers 501.")
}

func (a *api) listConnectors(ctx context.Context, c call, _ rota.Page) (rota.List[rota.Object], error) {
	_, err := a.Control.Agent(ctx, c.who, c.agent())
	return rota.NewList([]rota.Object{}, func(rota.Object) string { return "" }, false), err
}
