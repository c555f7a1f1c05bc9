package responses

import (
	"encoding/json"
	"slices"

	"github.com/rota-run/rota/internal/rawjson"
)

// OwnServer is the server_label of the calls that Rota makes itself. They stand as
// mcp_call, so that no client takes them for calls that it has to make.
const OwnServer = "rota"

// ListTools writes that the tools of an MCP server are listed.
func (w *Writer) ListTools(server string) *ItemWriter {
	i := w.Add(rawjson.Object{
		{Name: "type", Value: json.RawMessage(`"mcp_list_tools"`)},
		{Name: "server_label", Value: rawjson.String(server)},
		{Name: "tools", Value: json.RawMessage("[]")},
		{Name: "error", Value: json.RawMessage("null")},
	}.Encode())
	i.Progress("response.mcp_list_tools.in_progress", []byte(`{}`))
	return i
}

// Listed ends a list of tools, each with its name and input_schema.
func (i *ItemWriter) Listed(tools json.RawMessage) {
	i.Set("tools", tools)
	i.Progress("response.mcp_list_tools.completed", []byte(`{}`))
	i.End(Completed)
}

// Unlisted ends a list of tools that there is not, and says why.
func (i *ItemWriter) Unlisted(why string) {
	i.Set("error", rawjson.String(why))
	i.Progress("response.mcp_list_tools.failed", []byte(`{}`))
	i.End(Failed)
}

// AskApproval writes that a call needs an approval before it is made.
func (w *Writer) AskApproval(id, server, name, arguments string) {
	w.Whole(rawjson.Object{
		{Name: "type", Value: json.RawMessage(`"mcp_approval_request"`)},
		{Name: "id", Value: rawjson.String(id)},
		{Name: "server_label", Value: rawjson.String(server)},
		{Name: "name", Value: rawjson.String(name)},
		{Name: "arguments", Value: rawjson.String(arguments)},
	}.Encode())
}

// Call writes a call that Rota makes, of a tool of the server with a label, as far as it is
// known before it is made. approval is the id of the request by which it was approved; it
// may be empty.
func (w *Writer) Call(server, name, arguments, approval string) *ItemWriter {
	null := json.RawMessage("null")
	request := null
	if approval != "" {
		request = rawjson.String(approval)
	}
	i := w.Add(rawjson.Object{
		{Name: "type", Value: json.RawMessage(`"mcp_call"`)},
		{Name: "server_label", Value: rawjson.String(server)},
		{Name: "name", Value: rawjson.String(name)},
		{Name: "output", Value: null},
		{Name: "error", Value: null},
		{Name: "approval_request_id", Value: request},
	}.Encode())
	i.Say(MCPArguments, arguments)
	i.Progress("response.mcp_call.in_progress", []byte(`{}`))
	return i
}

// Answer ends a call that Rota has made, or was to make. failed says that the result is
// what went wrong.
func (i *ItemWriter) Answer(result string, failed bool) {
	member, event, status := "output", "response.mcp_call.completed", Completed
	if failed {
		member, event, status = "error", "response.mcp_call.failed", Failed
	}
	i.Set(member, rawjson.String(result))
	i.Progress(event, []byte(`{}`))
	i.End(status)
}

const maxName = 64 // characters of a function, as models' servers have it

// FunctionName returns the name of a tool as that of a function: letters, digits, _ and -.
func FunctionName(name string) string {
	b := make([]byte, 0, min(len(name), maxName))
	for _, c := range name {
		if len(b) == maxName {
			break
		}
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' {
			b = append(b, byte(c))
		} else {
			b = append(b, '_')
		}
	}
	return or(string(b), "_")
}

// asCalls returns the items with the calls that Rota has made as models know them: as
// calls of functions, and their outputs. Those of the servers with the labels in theirs
// stay: the provider calls them.
func asCalls(items []Item, theirs []string) []Item {
	all := make([]Item, 0, len(items))
	decisions := decided(items)
	for _, i := range items {
		label := rawjson.Text(rawjson.Get(i.raw, "server_label"))
		switch {
		case label != "" && slices.Contains(theirs, label):
			all = append(all, i)
		case i.Type == "mcp_list_tools", i.Type == "mcp_approval_response" && decisions[i.approvalID()].ours(theirs):
		case i.Type == "mcp_call":
			all = append(all, i.pair(i.result())...)
		case i.Type == "mcp_approval_request":
			if d := decisions[i.ID]; !d.approved {
				all = append(all, i.pair(d.told())...)
			}
		default:
			all = append(all, i)
		}
	}
	return all
}

// A decision is one about a call that needed an approval.
type decision struct {
	label    string // of the server
	decided  bool
	approved bool
	reason   string
}

func (d decision) ours(theirs []string) bool { return !slices.Contains(theirs, d.label) }

func (d decision) told() json.RawMessage {
	text := "The call was not made: nobody approved it."
	if d.decided {
		text = "The call was not made: it was denied."
	}
	if d.reason != "" {
		text += " The reason: " + d.reason
	}
	return rawjson.String(text)
}

func (i Item) approvalID() string { return rawjson.Text(rawjson.Get(i.raw, "approval_request_id")) }

// decided returns what became of the requests for approvals among the items, by their ids.
func decided(items []Item) map[string]decision {
	all := map[string]decision{}
	for _, i := range items {
		switch i.Type {
		case "mcp_approval_request":
			all[i.ID] = decision{label: rawjson.Text(rawjson.Get(i.raw, "server_label"))}
		case "mcp_approval_response":
			d := all[i.approvalID()]
			d.decided, d.approved, d.reason = true, rawjson.Kind(rawjson.Get(i.raw, "approve")) == 't', rawjson.Text(rawjson.Get(i.raw, "reason"))
			all[i.approvalID()] = d
		}
	}
	return all
}

// result returns what a model is told of a call.
func (i Item) result() json.RawMessage {
	for _, name := range []string{"output", "error"} {
		if v := rawjson.Get(i.raw, name); rawjson.Kind(v) == '"' {
			return v
		}
	}
	return rawjson.String(CutOff)
}

// pair returns a call as one of a function, with its output.
func (i Item) pair(output json.RawMessage) []Item {
	name := FunctionName(rawjson.Text(rawjson.Get(i.raw, "name")))
	id := rawjson.String(or(i.ID, "call_"+name))
	return []Item{
		readItem(rawjson.Object{
			{Name: "type", Value: json.RawMessage(`"function_call"`)},
			{Name: "call_id", Value: id},
			{Name: "name", Value: rawjson.String(name)},
			{Name: "arguments", Value: rawjson.Get(i.raw, "arguments")},
		}.Encode()),
		readItem(rawjson.Object{
			{Name: "type", Value: json.RawMessage(`"function_call_output"`)}, {Name: "call_id", Value: id}, {Name: "output", Value: output},
		}.Encode()),
	}
}
