package httpapi

import (
	"context"
	"net/http"

	"github.com/rota-run/rota"
)

// ModelList is all that can be asked. It has no pages.
type ModelList struct {
	Object string       `json:"object" enum:"list"`
	Data   []rota.Model `json:"data" nullable:"false"`
}

func (a *api) modelOperations() []*operation {
	const tag = "Models"
	list := answers(Route{http.MethodGet, llmPath + "/models", rota.ReadResponses, http.StatusOK, "list_models"}, a.listModels).
		says(tag, "List models", "The default model of each provider, and those that the provider itself lists. Any other model that a provider has can be named too.")
	get := answers(Route{http.MethodGet, llmPath + "/models/{model_id}", rota.ReadResponses, http.StatusOK, "get_model"}, a.getModel).
		says(tag, "Get a model", "One of those that are listed. A slash in its name is written %2F.")
	list.open, get.open = true, true
	return []*operation{list, get}
}

func (a *api) listModels(ctx context.Context, c call) (ModelList, error) {
	all, err := a.Control.ModelList(ctx, c.who)
	if all == nil {
		all = []rota.Model{}
	}
	return ModelList{Object: "list", Data: all}, err
}

func (a *api) getModel(ctx context.Context, c call) (rota.Model, error) {
	return a.Control.Model(ctx, c.who, c.PathValue("model_id"))
}
