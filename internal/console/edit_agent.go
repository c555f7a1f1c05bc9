package console

import (
	"net/url"
	"strconv"

	"github.com/rota-run/rota"
)

func (c *console) agentEditor() editor {
	return editor{
		template: "edit-agent", here: "/agents",
		fields: []string{"name", "model", "description", "instructions", "visibility"}, required: []string{"name", "model", "visibility"},
		begin: c.beginAgent, save: c.saveAgent,
	}
}

// beginAgent returns the agent of the path, or none for a new one.
func (c *console) beginAgent(v visit) (any, url.Values, error) {
	if v.agentID() == "" {
		return rota.Agent{}, url.Values{"visibility": {string(rota.Private)}}, nil
	}
	a, err := c.Control.Agent(v.Context(), v.who, v.agentID())
	return a, url.Values{
		"name": {a.Name}, "model": {a.Model}, "description": {value(a.Description)}, "instructions": {value(a.Instructions)},
		"visibility": {string(a.Visibility)}, "version": {strconv.FormatInt(a.Version, 10)},
	}, err
}

func (c *console) saveAgent(v visit, f form) (at, did string, err error) {
	if v.agentID() == "" {
		return c.createAgent(v, f)
	}
	var in rota.AgentUpdate
	if err := c.decode(agentBody(f), &in); err != nil {
		return "", "", err
	}
	w, err := v.edits(f)
	if err != nil {
		return "", "", err
	}
	a, err := c.Control.UpdateAgent(v.Context(), v.who, v.agentID(), in, w)
	return "/agents/" + string(a.ID) + v.acting(), "changed", err
}

func (c *console) createAgent(v visit, f form) (at, did string, err error) {
	var in rota.AgentCreate
	if err := c.decode(agentBody(f), &in); err != nil {
		return "", "", err
	}
	a, err := c.Control.CreateAgent(v.Context(), v.who, in, v.write())
	return "/agents/" + string(a.ID) + v.acting(), "made", err
}

// agentBody returns the body of a form, which has no visibility where none can be chosen.
func agentBody(f form) map[string]any {
	body := f.body()
	if !f.Has("visibility") {
		delete(body, "visibility")
	}
	return body
}

// acting returns the query that keeps the caller acting for the same end user.
func (v visit) acting() string {
	user := v.URL.Query().Get("for")
	return forUser(&user)
}
