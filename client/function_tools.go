package client

import (
	"context"
	"net/http"

	"github.com/rota-run/rota"
)

// FunctionTools are the function tools of the client's owner.
type FunctionTools struct{ s *sender }

// Create saves a function tool.
func (f FunctionTools) Create(ctx context.Context, body rota.FunctionDefinition, opts ...CallOption) (rota.FunctionTool, error) {
	return call[rota.FunctionTool](ctx, f.s, http.MethodPost, functionToolPath(), body, opts)
}

// List returns one page of the function tools.
func (f FunctionTools) List(ctx context.Context, p rota.Page, opts ...CallOption) (rota.List[rota.FunctionTool], error) {
	return list[rota.FunctionTool](ctx, f.s, functionToolPath(), p, opts)
}

// Get returns a function tool.
func (f FunctionTools) Get(ctx context.Context, id rota.FunctionToolID, opts ...CallOption) (rota.FunctionTool, error) {
	return call[rota.FunctionTool](ctx, f.s, http.MethodGet, functionToolPath(string(id)), nil, opts)
}

// Update replaces the definition of a function tool.
func (f FunctionTools) Update(ctx context.Context, id rota.FunctionToolID, body rota.FunctionDefinition, opts ...CallOption) (rota.FunctionTool, error) {
	return call[rota.FunctionTool](ctx, f.s, http.MethodPost, functionToolPath(string(id)), body, opts)
}

// Delete deletes a function tool.
func (f FunctionTools) Delete(ctx context.Context, id rota.FunctionToolID, opts ...CallOption) (rota.Deleted[rota.FunctionToolID], error) {
	return call[rota.Deleted[rota.FunctionToolID]](ctx, f.s, http.MethodDelete, functionToolPath(string(id)), nil, opts)
}

func functionToolPath(id ...string) []string {
	return append([]string{"agents", "function-tools"}, id...)
}
