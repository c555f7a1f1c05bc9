package answer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/rawjson"
	"github.com/rota-run/rota/internal/responses"
)

// An Approval is an approved call. It is that of the request: of its server, its tool and
// its arguments.
type Approval struct {
	ID        string // of the request
	Server    string // its label
	Name      string // of the tool there
	Arguments string
}

const (
	approvalRequest  = "mcp_approval_request"
	approvalResponse = "mcp_approval_response"
)

// Approvals returns the calls that an input approves, of those for which what came before,
// or the input itself, has requests. Decisions on the calls of the provider, whose servers
// have the labels in theirs, are left out.
func Approvals(before []rota.Turn, input []responses.Item, theirs []string) (all []Approval) {
	requests := map[string]Approval{}
	for _, t := range before {
		for _, i := range slices.Concat(t.Input, t.Output) {
			note(requests, i.Raw)
		}
	}
	for _, i := range input {
		note(requests, i.Raw())
	}
	for _, i := range input {
		if i.Type != approvalResponse || rawjson.Kind(rawjson.Get(i.Raw(), "approve")) != 't' {
			continue
		}
		id := rawjson.Text(rawjson.Get(i.Raw(), "approval_request_id"))
		if a, ok := requests[id]; ok && !slices.Contains(theirs, a.Server) {
			all = append(all, a)
			delete(requests, id)
		}
	}
	return all
}

func note(requests map[string]Approval, item json.RawMessage) {
	text := func(name string) string { return rawjson.Text(rawjson.Get(item, name)) }
	if text("type") == approvalRequest {
		requests[text("id")] = Approval{ID: text("id"), Server: text("server_label"), Name: text("name"), Arguments: text("arguments")}
	}
}

// Requests returns the requests for approvals among the items of an output that has ended,
// as they go on record: those of servers whose tools Rota calls.
func (s State) Requests(output []json.RawMessage, from rota.Approval, now time.Time) (all []rota.Approval) {
	found := map[string]Approval{}
	for _, i := range output {
		note(found, i)
	}
	for _, a := range found {
		at := slices.IndexFunc(s.Servers, func(server Server) bool { return server.Label == a.Server })
		if at < 0 {
			continue
		}
		r := from
		r.ID, r.ServerLabel, r.ServerURL, r.Name, r.Arguments = a.ID, a.Server, s.Servers[at].URL, a.Name, a.Arguments
		r.CreatedAt, r.ExpiresAt = rota.InstantOf(now), rota.InstantOf(now.Add(rota.ApprovalLife))
		all = append(all, r)
	}
	return all
}

// Decision returns the item that decides a request. reason may be empty.
func Decision(id string, approve bool, reason string) json.RawMessage {
	o := rawjson.Object{
		{Name: "type", Value: json.RawMessage(`"` + approvalResponse + `"`)},
		{Name: "approval_request_id", Value: rawjson.String(id)},
		{Name: "approve", Value: json.RawMessage(strconv.FormatBool(approve))},
	}
	if reason != "" {
		o.Set("reason", rawjson.String(reason))
	}
	return o.Encode()
}

// Continued returns the input of a run that goes on from one that has kept nothing: what
// went in, what came out but for other requests, and the decision on one.
func Continued(input json.RawMessage, output []json.RawMessage, id string, decision json.RawMessage) rota.Input {
	var items []json.RawMessage
	switch rawjson.Kind(input) {
	case '"':
		items = append(items, userMessage(input))
	case '[':
		items = append(items, rawjson.List(input)...)
	}
	for _, i := range output {
		switch kind := rawjson.Text(rawjson.Get(i, "type")); {
		case kind == "mcp_list_tools", kind == approvalRequest && rawjson.Text(rawjson.Get(i, "id")) != id:
		default:
			items = append(items, i)
		}
	}
	return rota.Input{Any: rota.Any{RawMessage: rawjson.EncodeList(append(items, decision))}}
}

// ApprovalID names the request to approve the call, the same each time. of is the id of the
// run or response, whose time it has.
func (c Call) ApprovalID(of string) string {
	const hexDigits, clock = 32, 12
	_, stamp, _ := strings.Cut(of, "_")
	sum := sha256.Sum256([]byte(c.ID(of)))
	return "mcpr_" + (stamp[:min(len(stamp), clock)] + hex.EncodeToString(sum[:]))[:hexDigits]
}

// approvedStep returns the step that stands for an answer that asks for the approved calls.
func (s State) approvedStep() rota.ResponseStep {
	step := rota.ResponseStep{Kind: rota.StepApproved}
	for _, a := range s.Approved {
		name := responses.FunctionName(a.Name)
		for _, t := range s.Tools {
			if t.Kind == MCP && t.Server == a.Server && t.Title == a.Name {
				name = t.Name
			}
		}
		step.Output = append(step.Output, rawjson.Object{
			{Name: "type", Value: json.RawMessage(`"function_call"`)},
			{Name: "call_id", Value: rawjson.String(a.ID)},
			{Name: "name", Value: rawjson.String(name)},
			{Name: "arguments", Value: rawjson.String(a.Arguments)},
			{Name: "server_label", Value: rawjson.String(a.Server)},
			{Name: "title", Value: rawjson.String(a.Name)},
		}.Encode())
	}
	return step
}

// approvedCalls returns the calls of an approvedStep. A tool that is not there any more, or
// not allowed, cannot be called.
func (t Tools) approvedCalls(turn int, output []json.RawMessage) (calls []Call) {
	for n, raw := range output {
		text := func(name string) string { return rawjson.Text(rawjson.Get(raw, name)) }
		tool, ok := t[text("name")]
		if !ok || tool.Server != text("server_label") || tool.Title != text("title") {
			tool = Tool{Kind: Gone, Name: text("name"), Server: text("server_label"), Title: text("title"), Timeout: DefaultTimeout, Repeatable: true}
		}
		tool.Held = false
		calls = append(calls, Call{Turn: turn, Number: n + 1, Tool: tool, Approval: text("call_id"), CallID: text("call_id"), Arguments: text("arguments")})
	}
	return calls
}

// asAsked returns the items of an approvedStep as a model is told them.
func asAsked(output []json.RawMessage) []json.RawMessage {
	all := make([]json.RawMessage, len(output))
	for n, raw := range output {
		o := rawjson.ReadObject(raw)
		o.Delete("server_label")
		o.Delete("title")
		all[n] = o.Encode()
	}
	return all
}

// Origin is the scheme and the host of the address of an MCP server.
func Origin(server string) string {
	u, err := url.Parse(server)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
