package control

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/rawjson"
)

// CreateFunctionTool saves a function tool. Scope write:agents.
func (c *Control) CreateFunctionTool(ctx context.Context, who auth.Caller, in rota.FunctionDefinition, w Write) (rota.FunctionTool, error) {
	if err := c.enter(ctx, who, rota.WriteAgents, "create_function_tool"); err != nil {
		return rota.FunctionTool{}, err
	}
	if err := c.checkWebhook(in); err != nil {
		return rota.FunctionTool{}, err
	}
	f, err := write(ctx, c, who, w.growing(), func(ctx context.Context, tx Tx, now time.Time) (rota.FunctionTool, error) {
		f := rota.FunctionTool{
			Object:     rota.ObjectFunctionTool,
			ID:         rota.NewFunctionToolID(now),
			Definition: withoutNulls(in),
			CreatedAt:  rota.InstantOf(now),
			UpdatedAt:  rota.InstantOf(now),
			Version:    1,
		}
		return f, tx.AddFunctionTool(ctx, who.Owner, f)
	})
	return c.withSecret(who, f), err
}

// checkWebhook refuses a webhook that cannot be called.
func (c *Control) checkWebhook(d rota.FunctionDefinition) error {
	text, set := d.WebhookURL.Get()
	_, timeout := d.WebhookTimeout.Get()
	_, idempotent := d.Idempotent.Get()
	switch {
	case !set && timeout:
		return rota.InvalidField("webhook_timeout_seconds", "goes with webhook_url")
	case !set && idempotent:
		return rota.InvalidField("idempotent", "goes with webhook_url")
	case !set:
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return rota.InvalidField("webhook_url", "must be like https://tools.example.com/weather, without a user and a fragment")
	}
	if c.Tokens.Secret.Empty() {
		return &rota.Error{Code: rota.NotImplemented, Field: "webhook_url", Msg: "this server has no secret key to sign calls with. Start it with --secret-key or --secret-key-file, the same for all processes"}
	}
	return nil
}

// withSecret returns a function tool that was created or updated, with what its calls
// are signed with.
func (c *Control) withSecret(who auth.Caller, f rota.FunctionTool) rota.FunctionTool {
	if _, calls := f.Definition.WebhookURL.Get(); f.ID != "" && calls && !c.Tokens.Secret.Empty() {
		secret := c.Tokens.Secret.Derive(rota.WebhookPurpose(who.Owner, f.ID))[0]
		f.WebhookSecret = "whsec_" + base64.StdEncoding.EncodeToString(secret)
	}
	return f
}

// withoutNulls returns the definition as models get it: null means absent.
func withoutNulls(d rota.FunctionDefinition) rota.FunctionDefinition {
	d.Description, d.Strict, d.DeferLoading = valueOnly(d.Description), valueOnly(d.Strict), valueOnly(d.DeferLoading)
	d.WebhookURL, d.WebhookTimeout, d.Idempotent = valueOnly(d.WebhookURL), valueOnly(d.WebhookTimeout), valueOnly(d.Idempotent)
	return d
}

func valueOnly[T any](o rota.Opt[T]) rota.Opt[T] {
	if o.IsNull() {
		return rota.Opt[T]{}
	}
	return o
}

// FunctionTool returns a function tool. Scope read:agents.
func (c *Control) FunctionTool(ctx context.Context, who auth.Caller, id rota.FunctionToolID) (rota.FunctionTool, error) {
	if err := c.enter(ctx, who, rota.ReadAgents, "function_tool", on("function_tool_id", id)); err != nil {
		return rota.FunctionTool{}, err
	}
	return c.Store.FunctionTool(ctx, who.Owner, id)
}

// FunctionTools returns a page of the caller's function tools. Scope read:agents.
func (c *Control) FunctionTools(ctx context.Context, who auth.Caller, p rota.Page) (rota.List[rota.FunctionTool], error) {
	if err := c.enter(ctx, who, rota.ReadAgents, "function_tools"); err != nil {
		return rota.List[rota.FunctionTool]{}, err
	}
	return c.Store.FunctionTools(ctx, who.Owner, p)
}

// UpdateFunctionTool replaces the definition of a function tool, for the runs that
// are made from then on. Scope write:agents.
func (c *Control) UpdateFunctionTool(ctx context.Context, who auth.Caller, id rota.FunctionToolID, in rota.FunctionDefinition, w Write) (rota.FunctionTool, error) {
	if err := c.enter(ctx, who, rota.WriteAgents, "update_function_tool", on("function_tool_id", id)); err != nil {
		return rota.FunctionTool{}, err
	}
	if err := c.checkWebhook(in); err != nil {
		return rota.FunctionTool{}, err
	}
	f, err := write(ctx, c, who, w.growing(), func(ctx context.Context, tx Tx, now time.Time) (rota.FunctionTool, error) {
		f, err := tx.FunctionTool(ctx, who.Owner, id)
		if err != nil {
			return f, err
		}
		if err := match(w, f.Version); err != nil {
			return f, err
		}
		after := withoutNulls(in)
		if same(f.Definition, after) {
			return f, nil
		}
		f.Definition, f.UpdatedAt = after, rota.InstantOf(now)
		f.Version++
		return f, tx.SaveFunctionTool(ctx, who.Owner, f)
	})
	return c.withSecret(who, f), err
}

// DeleteFunctionTool deletes a function tool. Runs that are made with a reference
// to it from then on fail; those that were made before have its definition. Scope
// write:agents.
func (c *Control) DeleteFunctionTool(ctx context.Context, who auth.Caller, id rota.FunctionToolID, w Write) (rota.Deleted[rota.FunctionToolID], error) {
	gone := rota.Deleted[rota.FunctionToolID]{Object: rota.ObjectFunctionDeleted, ID: id, Deleted: true}
	if err := c.enter(ctx, who, rota.WriteAgents, "delete_function_tool", on("function_tool_id", id)); err != nil {
		return gone, err
	}
	return write(ctx, c, who, w, func(ctx context.Context, tx Tx, _ time.Time) (rota.Deleted[rota.FunctionToolID], error) {
		f, err := tx.FunctionTool(ctx, who.Owner, id)
		if err != nil {
			return gone, err
		}
		if err := match(w, f.Version); err != nil {
			return gone, err
		}
		return gone, tx.DeleteFunctionTool(ctx, who.Owner, id)
	})
}

// checkFunctions refuses a reference to a function tool, MCP server or memory store that is not
// there, and a webhook of a function that is none of these: calls are signed with a secret of the tool.
func checkFunctions(ctx context.Context, tx Tx, o rota.Owner, a rota.AgentConfig) error {
	for n, t := range a.Tools {
		if rawjson.Text(rawjson.Get(t.RawMessage, "type")) == "function" && rawjson.Kind(rawjson.Get(t.RawMessage, "webhook_url")) != 'n' {
			return rota.InvalidField(fmt.Sprintf("tools.%d.webhook_url", n), "must be that of a function tool: create one, and refer to it with the type %s", rota.ToolFunctionReference)
		}
	}
	if _, err := withStored(ctx, tx, o, a.RawTools()); err != nil {
		return err
	}
	if err := checkMemory(ctx, tx, o, a.RawTools()); err != nil {
		return err
	}
	for _, id := range a.FunctionReferences() {
		_, err := tx.FunctionTool(ctx, o, id)
		if errors.Is(err, rota.NotFound) {
			return rota.InvalidField("tools", "refer to a function tool that is not there: %q", id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
