package httpapi

import (
	"context"
	"net/http"

	"github.com/rota-run/rota"
)

const (
	functionToolsPath = agentsPath + "/function-tools"
	functionToolPath  = functionToolsPath + "/{function_tool_id}"
)

func (a *api) functionToolOperations() []*operation {
	const tag = "FunctionTools"
	const example = `{"type": "function", "name": "get_weather", "description": "The weather of a place", "parameters": {"type": "object", "properties": {"place": {"type": "string"}}}}`
	return []*operation{
		lists(Route{http.MethodGet, functionToolsPath, rota.ReadAgents, http.StatusOK, "list_function_tools"}, a.listFunctionTools).
			says(tag, "List function tools", "Newest first."),
		accepts(Route{http.MethodPost, functionToolsPath, rota.WriteAgents, http.StatusCreated, "create_function_tool"}, a.createFunctionTool).
			says(tag, "Create a function tool", "Saves the definition of a function. Agents refer to it with a tool of the type function_reference.").
			like(example).
			with("idempotency_key"),
		answers(Route{http.MethodGet, functionToolPath, rota.ReadAgents, http.StatusOK, "get_function_tool"}, a.getFunctionTool).
			says(tag, "Get a function tool", "The function tool with its present definition."),
		accepts(Route{http.MethodPost, functionToolPath, rota.WriteAgents, http.StatusOK, "update_function_tool"}, a.updateFunctionTool).
			says(tag, "Update a function tool", "Replaces the definition, for the runs that are made from then on.").
			like(example).
			with("idempotency_key", "if_match"),
		answers(Route{http.MethodDelete, functionToolPath, rota.WriteAgents, http.StatusOK, "delete_function_tool"}, a.deleteFunctionTool).
			says(tag, "Delete a function tool", "Runs of agents that still refer to it fail as misconfigured, but for those that were made before.").
			with("idempotency_key", "if_match"),
	}
}

func (a *api) listFunctionTools(ctx context.Context, c call, p rota.Page) (rota.List[rota.FunctionTool], error) {
	return a.Control.FunctionTools(ctx, c.who, p)
}

func (a *api) createFunctionTool(ctx context.Context, c call, in rota.FunctionDefinition) (rota.FunctionTool, error) {
	return a.Control.CreateFunctionTool(ctx, c.who, in, c.write)
}

func (a *api) getFunctionTool(ctx context.Context, c call) (rota.FunctionTool, error) {
	return a.Control.FunctionTool(ctx, c.who, c.functionTool())
}

func (a *api) updateFunctionTool(ctx context.Context, c call, in rota.FunctionDefinition) (rota.FunctionTool, error) {
	return a.Control.UpdateFunctionTool(ctx, c.who, c.functionTool(), in, c.write)
}

func (a *api) deleteFunctionTool(ctx context.Context, c call) (rota.Deleted[rota.FunctionToolID], error) {
	return a.Control.DeleteFunctionTool(ctx, c.who, c.functionTool(), c.write)
}
