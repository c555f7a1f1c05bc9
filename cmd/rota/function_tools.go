package main

import (
	"context"
	"encoding/json"

	"github.com/rota-run/rota"
)

type functionToolsCmd struct {
	Create functionToolsCreate `cmd:"" help:"Save a function." example:"rota function-tools create --name get_time --parameters '{\"type\": \"object\", \"properties\": {}}'"`
	List   functionToolsList   `cmd:"" help:"List the functions." example:"rota function-tools list"`
	Get    functionToolsGet    `cmd:"" help:"Show a function." example:"rota function-tools get --function-tool-id $TOOL"`
	Update functionToolsUpdate `cmd:"" help:"Replace a function." example:"rota function-tools update --function-tool-id $TOOL --name get_time --parameters '{\"type\": \"object\", \"properties\": {}}'"`
	Delete functionToolsDelete `cmd:"" help:"Delete a function." example:"rota function-tools delete --function-tool-id $TOOL"`
}

// functionToolID is the flag of verbs that are about one function tool.
type functionToolID struct {
	FunctionToolID rota.FunctionToolID `required:"" placeholder:"ID" help:"Id of the function tool."`
}

// functionFlags are the fields of a definition.
type functionFlags struct {
	Name        *string `placeholder:"TEXT" help:"Name that the model calls the function by."`
	Description *string `placeholder:"TEXT" help:"What the function does."`
	Parameters  *string `placeholder:"JSON" help:"JSON Schema of its parameters, an object."`
	WebhookURL  *string `name:"webhook-url" placeholder:"URL" help:"Where Rota calls the function."`
	Idempotent  *bool   `help:"Calling it twice does what calling it once does: a call that a crash has cut off is made again."`
}

func (f functionFlags) definition() (rota.FunctionDefinition, error) {
	d := rota.FunctionDefinition{Type: "function", Name: text(f.Name), Description: some(f.Description)}
	if f.Name == nil || f.Parameters == nil {
		return d, usagef("give --name and --parameters, or --body")
	}
	if !json.Valid([]byte(*f.Parameters)) {
		return d, usagef("--parameters is not JSON")
	}
	d.Parameters.RawMessage = json.RawMessage(*f.Parameters)
	d.WebhookURL, d.Idempotent = some(f.WebhookURL), some(f.Idempotent)
	return d, nil
}

type functionToolsCreate struct {
	Fields functionFlags `embed:""`
	Body   bodyFlag      `embed:""`
}

func (c *functionToolsCreate) Run(ctx context.Context, s *session) error {
	raw, err := c.Body.raw(s.in, c.Fields)
	if err != nil {
		return err
	}
	d, err := c.Fields.definition()
	if err != nil && raw == nil {
		return err
	}
	return show(s, functionCard)(s.FunctionTools.Create(ctx, d, append(s.call, raw...)...))
}

type functionToolsList struct {
	Part listFlags `embed:""`
}

func (c *functionToolsList) Run(ctx context.Context, s *session) error {
	columns := []column[rota.FunctionTool]{
		{"ID", func(f rota.FunctionTool) string { return string(f.ID) }},
		{"NAME", func(f rota.FunctionTool) string { return f.Definition.Name }},
		{"UPDATED", func(f rota.FunctionTool) string { return stamp(&f.UpdatedAt) }},
	}
	return many(s, c.Part, columns, func(p rota.Page) (rota.List[rota.FunctionTool], error) {
		return s.FunctionTools.List(ctx, p, s.call...)
	})
}

type functionToolsGet struct {
	functionToolID
}

func (c *functionToolsGet) Run(ctx context.Context, s *session) error {
	return show(s, functionCard)(s.FunctionTools.Get(ctx, c.FunctionToolID, s.call...))
}

type functionToolsUpdate struct {
	functionToolID
	Fields functionFlags `embed:""`
	Body   bodyFlag      `embed:""`
}

func (c *functionToolsUpdate) Run(ctx context.Context, s *session) error {
	raw, err := c.Body.raw(s.in, c.Fields)
	if err != nil {
		return err
	}
	d, err := c.Fields.definition()
	if err != nil && raw == nil {
		return err
	}
	return show(s, functionCard)(s.FunctionTools.Update(ctx, c.FunctionToolID, d, append(s.call, raw...)...))
}

type functionToolsDelete struct {
	functionToolID
}

func (c *functionToolsDelete) Run(ctx context.Context, s *session) error {
	return show(s, deleted[rota.FunctionToolID])(s.FunctionTools.Delete(ctx, c.FunctionToolID, s.call...))
}

func functionCard(f rota.FunctionTool) []line {
	return []line{
		{"id", string(f.ID)},
		{"definition", anyText(rota.AnyOf(f.Definition))},
		{"created", stamp(&f.CreatedAt)},
		{"updated", stamp(&f.UpdatedAt)},
	}
}
