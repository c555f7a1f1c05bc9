package control

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/rawjson"
)

// An agent that is shared is its owner's: the account's. Its end users are guests of it. They
// see it and run it, with function tools, MCP servers and credentials of the account; their
// runs and schedules are theirs.

// agentOwner returns whose an agent is that the caller sees.
func agentOwner(who auth.Caller, a rota.Agent) rota.Owner {
	o := rota.Owner{Account: who.Owner.Account}
	if a.EndUser != nil {
		o.EndUser = *a.EndUser
	}
	return o
}

// ownAgent returns an agent that is the caller's. It is Denied for one that is shared with
// it, which only its owner changes.
func ownAgent(ctx context.Context, tx agentGetter, who auth.Caller, id rota.AgentID) (rota.Agent, error) {
	a, err := tx.VisibleAgent(ctx, who.Owner, id)
	if err == nil && agentOwner(who, a) != who.Owner {
		err = rota.Errorf(rota.Denied, "the agent is shared with the end users of the account: only the account itself, without X-On-Behalf-Of, can change, delete or restore it")
	}
	return a, err
}

// errUnshared is inside of the error about an agent that is not shared any more.
var errUnshared = errors.New("the agent is private")

// unshared returns why a caller cannot go on with schedules on an agent that it does not see:
// that is a Conflict if it has any, and else the error that is given.
func unshared(ctx context.Context, tx agentGetter, who auth.Caller, id rota.AgentID, err error) error {
	if !errors.Is(err, rota.NotFound) || who.Owner.EndUser == "" {
		return err
	}
	l, failed := tx.Schedules(ctx, who.Owner, id, rota.Page{Limit: 1})
	if failed != nil || len(l.Data) == 0 {
		return cmp.Or(failed, err)
	}
	return &rota.Error{Code: rota.Conflict, Err: errUnshared, Msg: "the agent is not shared with you any more; its schedules can be read and deleted"}
}

// mayBe refuses a visibility that what the caller has cannot have: an end user shares
// nothing.
func mayBe(who auth.Caller, v rota.Visibility) error {
	if v == rota.Workspace && who.Owner.EndUser != "" {
		return rota.InvalidField("visibility", "must be private: only what the account has itself, made without X-On-Behalf-Of, can be shared with end users")
	}
	return nil
}

// share gives an agent the visibility that is asked for, if any, and reports whether that
// makes a shared one private.
func share(ctx context.Context, tx Tx, who auth.Caller, a *rota.Agent, in rota.Opt[rota.Visibility], now time.Time) (bool, error) {
	v := a.Visibility
	in.Apply(&v)
	if err := mayBe(who, v); err != nil || v == a.Visibility {
		return false, err
	}
	a.Visibility, a.UpdatedAt = v, rota.InstantOf(now)
	return v == rota.Private, tx.SetVisibility(ctx, who.Owner, a.ID, v, now)
}

// stopGuests pauses a page of the schedules of others on an agent that is private, and
// returns the last of the page; nil if none are left.
func stopGuests(ctx context.Context, tx Tx, who auth.Caller, id rota.AgentID, after rota.ScheduleID, now time.Time) (*rota.ScheduleID, error) {
	actor := string(who.Key)
	page, err := tx.LiveTimers(ctx, who.Owner, id, after, absencePage)
	if err != nil {
		return nil, err
	}
	next := lastOf(page)
	page = slices.DeleteFunc(page, func(t rota.Timer) bool { return t.Owner == who.Owner })
	return next, leave(ctx, tx, page, rota.PauseReason{Code: rota.PausedByUnsharing, Actor: &actor, At: rota.InstantOf(now)})
}

// guestTool are the members of a tool that everybody may see who may run its agent. Others
// can be secret, or lead to what is: headers, credentials, addresses.
var guestTool = []string{
	"type", "name", "description", "parameters", "strict", "server_label", "server_description", "allowed_tools", "require_approval",
	"agent_id", "function_tool_id",
}

// forGuest returns a configuration as those see it with whom its agent is shared.
func forGuest(c rota.AgentConfig) rota.AgentConfig {
	tools := make([]rota.Object, len(c.Tools))
	for i, t := range c.Tools {
		tools[i].RawMessage = reduced(t.RawMessage)
	}
	c.Tools = tools
	if rawjson.Kind(c.ToolChoice.RawMessage) == '{' {
		c.ToolChoice.RawMessage = reduced(c.ToolChoice.RawMessage)
	}
	return c
}

func reduced(tool json.RawMessage) json.RawMessage {
	return slices.DeleteFunc(rawjson.ReadObject(tool), func(m rawjson.Member) bool { return !slices.Contains(guestTool, m.Name) }).Encode()
}
