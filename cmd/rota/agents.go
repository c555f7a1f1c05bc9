package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/rota-run/rota"
)

type agentsCmd struct {
	Create agentsCreate `cmd:"" help:"Save an agent." example:"rota agents create --name Reporter --model auto --instructions 'Sum up the news.'"`
	List   agentsList   `cmd:"" help:"List the agents." example:"rota agents list --limit 5"`
	Get    agentsGet    `cmd:"" help:"Show an agent." example:"rota agents get --agent-id $AGENT"`
	Put    agentsPut    `cmd:"" help:"Make the agent with a key what is said: create it, change it, or leave it as it is." example:"rota agents put --by-key reporter --name Reporter --model auto"`
	Update agentsUpdate `cmd:"" help:"Change an agent; what is not named stays." example:"rota agents update --agent-id $AGENT --description ''"`
	Delete agentsDelete `cmd:"" help:"Delete an agent, and pause its schedules." example:"rota agents delete --agent-id $AGENT"`

	Restore  agentsRestore  `cmd:"" help:"Take the deletion of an agent back; its schedules stay paused." example:"rota agents restore --agent-id $AGENT"`
	Versions agentsVersions `cmd:"" help:"List the versions of an agent." example:"rota agents versions --agent-id $AGENT"`
	Version  agentsVersion  `cmd:"" help:"Show a version of an agent." example:"rota agents version --agent-id $AGENT --version 1"`
	Rollback agentsRollback `cmd:"" help:"Give an agent the configuration of one of its versions again." example:"rota agents rollback --agent-id $AGENT --version 1"`
}

// agentID is the flag of verbs that are about one agent.
type agentID struct {
	AgentID rota.AgentID `required:"" placeholder:"ID" help:"Id of the agent."`
}

// agentFlags are the fields of an agent that have a flag. An empty text clears
// the field, where that is possible.
type agentFlags struct {
	Name         *string          `placeholder:"TEXT" help:"Name of the agent."`
	Model        *string          `placeholder:"MODEL" help:"PROVIDER/MODEL, a model of the default provider, or auto."`
	Description  *string          `placeholder:"TEXT" help:"What the agent is for."`
	Instructions *string          `placeholder:"TEXT" help:"What the agent is told before its input."`
	MaxToolCalls *int             `placeholder:"N" help:"The most tool calls in one run, 1 to 300."`
	Visibility   *rota.Visibility `enum:"private,workspace" placeholder:"WHO" help:"private, or workspace: the end users of the account can run it and not change it."`
	Metadata     metadataFlag     `embed:""`
}

type agentsCreate struct {
	Fields agentFlags `embed:""`
	Body   bodyFlag   `embed:""`
}

func (c *agentsCreate) Run(ctx context.Context, s *session) error {
	raw, err := c.Body.raw(s.in, c.Fields)
	if err != nil {
		return err
	}
	if raw == nil && (c.Fields.Name == nil || c.Fields.Model == nil) {
		return usagef("give --name and --model, or --body")
	}
	return show(s, agentCard)(s.Agents.Create(ctx, c.Fields.create(), append(s.call, raw...)...))
}

type agentsPut struct {
	ByKey  string     `required:"" placeholder:"KEY" help:"The key of the agent: a name of yours."`
	Fields agentFlags `embed:""`
	Body   bodyFlag   `embed:""`
}

func (c *agentsPut) Run(ctx context.Context, s *session) error {
	raw, err := c.Body.raw(s.in, c.Fields)
	if err != nil {
		return err
	}
	if raw == nil && (c.Fields.Name == nil || c.Fields.Model == nil) {
		return usagef("give --name and --model, or --body")
	}
	return show(s, agentCard)(s.Agents.Put(ctx, c.ByKey, c.Fields.create(), append(s.call, raw...)...))
}

func (f agentFlags) create() rota.AgentCreate {
	return rota.AgentCreate{
		Name:         text(f.Name),
		Model:        text(f.Model),
		Description:  clearable(f.Description),
		Instructions: clearable(f.Instructions),
		MaxToolCalls: some(f.MaxToolCalls),
		Visibility:   some(f.Visibility),
		Metadata:     f.Metadata.Metadata,
	}
}

type agentsList struct {
	endUserFlag
	Deleted bool   `help:"The deleted agents instead of the others."`
	Name    string `placeholder:"NAME" help:"Only agents with this name."`
	searchFlags
	totalFlag
	Part agentListFlags `embed:""`
}

func (c *agentsList) Run(ctx context.Context, s *session) error {
	f := rota.AgentFilter{Deleted: c.Deleted, Name: c.Name, Metadata: c.Metadata, Q: c.Search}
	columns := append(endUserColumn(c.endUserFlag, func(a rota.Agent) *string { return a.EndUser }), agentColumns()...)
	return many(s, c.of(c.Part.part()), columns, func(p rota.Page) (rota.List[rota.Agent], error) {
		return s.Agents.Find(ctx, f, p, c.options(s)...)
	})
}

type agentsGet struct {
	AgentID rota.AgentID `required:"" xor:"which" placeholder:"ID" help:"Id of the agent."`
	ByKey   string       `required:"" xor:"which" placeholder:"KEY" help:"The key of the agent, in place of its id."`
}

func (c *agentsGet) Run(ctx context.Context, s *session) error {
	if c.ByKey != "" {
		return show(s, agentCard)(s.Agents.GetByKey(ctx, c.ByKey, s.call...))
	}
	return show(s, agentCard)(s.Agents.Get(ctx, c.AgentID, s.call...))
}

type agentsUpdate struct {
	agentID
	Fields agentFlags `embed:""`
	Body   bodyFlag   `embed:""`
}

func (c *agentsUpdate) Run(ctx context.Context, s *session) error {
	raw, err := c.Body.raw(s.in, c.Fields)
	if err != nil {
		return err
	}
	return show(s, agentCard)(s.Agents.Update(ctx, c.AgentID, c.Fields.update(), append(s.call, raw...)...))
}

func (f agentFlags) update() rota.AgentUpdate {
	return rota.AgentUpdate{
		Name:         some(f.Name),
		Model:        some(f.Model),
		Description:  clearable(f.Description),
		Instructions: clearable(f.Instructions),
		MaxToolCalls: some(f.MaxToolCalls),
		Visibility:   some(f.Visibility),
		Metadata:     f.Metadata.update(),
	}
}

type agentsDelete struct {
	agentID
}

func (c *agentsDelete) Run(ctx context.Context, s *session) error {
	return show(s, deleted[rota.AgentID])(s.Agents.Delete(ctx, c.AgentID, s.call...))
}

type agentsRestore struct {
	agentID
}

func (c *agentsRestore) Run(ctx context.Context, s *session) error {
	return show(s, agentCard)(s.Agents.Restore(ctx, c.AgentID, s.call...))
}

type agentsVersions struct {
	agentID
	Part offsetFlags `embed:""`
}

func (c *agentsVersions) Run(ctx context.Context, s *session) error {
	return many(s, c.Part.part(), versionColumns(), func(p rota.Page) (rota.List[rota.AgentVersion], error) {
		return s.Agents.Versions(ctx, c.AgentID, p, s.call...)
	})
}

// agentVersion are the flags of verbs that are about one version.
type agentVersion struct {
	agentID
	Version int64 `required:"" placeholder:"N" help:"Number of the version."`
}

type agentsVersion struct {
	agentVersion
}

func (c *agentsVersion) Run(ctx context.Context, s *session) error {
	return show(s, versionCard)(s.Agents.Version(ctx, c.AgentID, c.Version, s.call...))
}

type agentsRollback struct {
	agentVersion
}

func (c *agentsRollback) Run(ctx context.Context, s *session) error {
	return show(s, agentCard)(s.Agents.Rollback(ctx, c.AgentID, c.Version, s.call...))
}

func versionColumns() []column[rota.AgentVersion] {
	return []column[rota.AgentVersion]{
		{"VERSION", func(v rota.AgentVersion) string { return strconv.FormatInt(v.Version, 10) }},
		{"CURRENT", func(v rota.AgentVersion) string { return yes(v.IsCurrent) }},
		{"MODEL", func(v rota.AgentVersion) string { return v.Model }},
		{"RESTORED FROM", func(v rota.AgentVersion) string { return number(v.RestoredFromVersion) }},
		{"CREATED", func(v rota.AgentVersion) string { return stamp(&v.CreatedAt) }},
	}
}

func versionCard(v rota.AgentVersion) []line {
	first := []line{
		{"id", string(v.ID)},
		{"agent", string(v.AgentID)},
		{"version", strconv.FormatInt(v.Version, 10)},
		{"current", yes(v.IsCurrent)},
		{"restored from", number(v.RestoredFromVersion)},
	}
	return append(append(first, configLines(v.AgentConfig)...), line{"created", stamp(&v.CreatedAt)})
}

// yes returns a word for true.
func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

func agentColumns() []column[rota.Agent] {
	return []column[rota.Agent]{
		{"ID", func(a rota.Agent) string { return string(a.ID) }},
		{"NAME", func(a rota.Agent) string { return a.Name }},
		{"MODEL", func(a rota.Agent) string { return a.Model }},
		{"UPDATED", func(a rota.Agent) string { return stamp(&a.UpdatedAt) }},
	}
}

func agentCard(a rota.Agent) []line {
	lines := append([]line{{"id", string(a.ID)}, {"key", text(a.Key)}, {"visibility", string(a.Visibility)}}, configLines(a.AgentConfig)...)
	return append(lines, []line{
		{"created", stamp(&a.CreatedAt)},
		{"updated", stamp(&a.UpdatedAt)},
		{"deleted", stamp(a.DeletedAt)},
		{"restorable until", stamp(a.RetentionExpiresAt)},
		{"version", strconv.FormatInt(a.Version, 10)},
	}...)
}

func configLines(c rota.AgentConfig) []line {
	return []line{
		{"name", c.Name},
		{"model", c.Model},
		{"description", text(c.Description)},
		{"instructions", text(c.Instructions)},
		{"tools", toolsText(c.Tools)},
		{"max tool calls", number(c.MaxToolCalls)},
		{"fallback models", strings.Join(c.FallbackModels, ", ")},
		{"metadata", metadataText(c.Metadata)},
	}
}

// toolsText returns one line per tool.
func toolsText(tools []rota.Object) string {
	all := ""
	for _, t := range tools {
		all += anyText(rota.Any(t)) + "\n"
	}
	return all
}

// number returns a number that may be null.
func number[N ~int | ~int64](n *N) string {
	if n == nil {
		return ""
	}
	return strconv.FormatInt(int64(*n), 10)
}
