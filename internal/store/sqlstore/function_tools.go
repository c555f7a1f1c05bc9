package sqlstore

import (
	"context"

	"github.com/rota-run/rota"
)

const functionColumns = `f.id, f.definition, f.version, f.created_at, f.updated_at`

func scanFunction(row Scanner) (rota.FunctionTool, error) {
	f := rota.FunctionTool{Object: rota.ObjectFunctionTool}
	var created, updated msTime
	err := row.Scan(&f.ID, jsonText{&f.Definition}, &f.Version, &created, &updated)
	f.CreatedAt, f.UpdatedAt = created.instant(), updated.instant()
	return f, err
}

// FunctionTool returns a function tool.
func (q Queries) FunctionTool(ctx context.Context, o rota.Owner, id rota.FunctionToolID) (rota.FunctionTool, error) {
	return one(ctx, q.db, "function tool", scanFunction, `SELECT `+functionColumns+` FROM function_tools f
		WHERE f.id = ? AND f.account = ? AND f.end_user = ?`+q.lockShared("f"), id, o.Account, o.EndUser)
}

// FunctionTools returns a page of the function tools.
func (q Queries) FunctionTools(ctx context.Context, o rota.Owner, p rota.Page) (rota.List[rota.FunctionTool], error) {
	return listing[rota.FunctionTool]{
		query: `SELECT ` + functionColumns + ` FROM function_tools f WHERE f.account = ? AND f.end_user = ?`,
		key:   "f.id",
		args:  []any{o.Account, o.EndUser},
		scan:  scanFunction,
		id:    func(f rota.FunctionTool) string { return string(f.ID) },
	}.page(ctx, q.db, p)
}

// AddFunctionTool adds a function tool.
func (q Queries) AddFunctionTool(ctx context.Context, o rota.Owner, f rota.FunctionTool) error {
	return q.write(ctx, `INSERT INTO function_tools (id, account, end_user, definition, version, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?)`, f.ID, o.Account, o.EndUser, js(f.Definition), f.Version, f.CreatedAt.UnixMilli(), f.UpdatedAt.UnixMilli())
}

// SaveFunctionTool writes a function tool back.
func (q Queries) SaveFunctionTool(ctx context.Context, o rota.Owner, f rota.FunctionTool) error {
	n, err := q.exec(ctx, `UPDATE function_tools SET definition = ?, version = ?, updated_at = ?
		WHERE id = ? AND account = ? AND end_user = ?`, js(f.Definition), f.Version, f.UpdatedAt.UnixMilli(), f.ID, o.Account, o.EndUser)
	return must("function tool", n, err)
}

// DeleteFunctionTool deletes a function tool.
func (q Queries) DeleteFunctionTool(ctx context.Context, o rota.Owner, id rota.FunctionToolID) error {
	n, err := q.exec(ctx, `DELETE FROM function_tools WHERE id = ? AND account = ? AND end_user = ?`, id, o.Account, o.EndUser)
	return must("function tool", n, err)
}

// functionsOf selects the definitions that the references of a version of an agent
// stand for, as a JSON object by their ids; NULL if there are none. The agent is
// aliased a, and the version follows. What refers to the function tool of another
// owner stands for nothing.
const functionsOf = `SELECT '{' || string_agg('"' || f.id || '":' || f.definition, ',') || '}' FROM agent_references e
	JOIN function_tools f ON f.id = e.target AND f.account = a.account AND f.end_user = a.end_user WHERE e.agent_id = a.id AND e.version = `
