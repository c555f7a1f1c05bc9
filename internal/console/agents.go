package console

import (
	"github.com/rota-run/rota"
)

func (c *console) agents(v visit) (view, error) {
	l, err := c.Control.Agents(v.Context(), v.who, v.owners(), rota.AgentFilter{Q: v.URL.Query().Get("q")}, v.list())
	return view{Template: "agents", Title: "Agents", Here: "/agents", Data: l}, err
}

type agentData struct {
	Agent     rota.Agent
	Own       bool // whose agent it is may change it
	Schedules rota.List[rota.Schedule]
}

func (c *console) agent(v visit) (view, error) {
	a, err := c.Control.Agent(v.Context(), v.who, v.agentID())
	if err != nil {
		return view{}, err
	}
	l, err := c.Control.Schedules(v.Context(), v.who, a.ID, v.list())
	return view{Template: "agent", About: string(a.ID), Title: a.Name, Here: "/agents", Data: agentData{Agent: a, Own: a.EndUser == nil == (v.who.Owner.EndUser == ""), Schedules: l}}, err
}
