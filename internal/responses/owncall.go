package responses

import (
	"encoding/json"

	"github.com/rota-run/rota/internal/rawjson"
)

// OwnServer is the server_label of the calls that Rota makes itself. They stand as
// mcp_call, so that no client takes them for calls that it has to make.
const OwnServer = "rota"

// Call writes a call that Rota makes, of a tool of the server with a label, as far as it is
// known before it is made.
func (w *Writer) Call(server, name, arguments string) *ItemWriter {
	null := json.RawMessage("null")
	i := w.Add(rawjson.Object{
		{Name: "type", Value: json.RawMessage(`"mcp_call"`)},
		{Name: "server_label", Value: rawjson.String(server)},
		{Name: "name", Value: rawjson.String(name)},
		{Name: "output", Value: null},
		{Name: "error", Value: null},
		{Name: "approval_request_id", Value: null},
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

// asCalls returns the items with the calls that Rota has made as models know them: as
// calls of functions, and their outputs.
func asCalls(items []Item) []Item {
	all := make([]Item, 0, len(items))
	for _, i := range items {
		if i.Type != "mcp_call" || rawjson.Text(rawjson.Get(i.raw, "server_label")) != OwnServer {
			all = append(all, i)
			continue
		}
		id := rawjson.String(or(i.ID, "call_"+rawjson.Text(rawjson.Get(i.raw, "name"))))
		result := rawjson.Get(i.raw, "output")
		if rawjson.Kind(result) != '"' {
			result = rawjson.Get(i.raw, "error")
		}
		if rawjson.Kind(result) != '"' {
			result = rawjson.String(CutOff)
		}
		all = append(all, readItem(rawjson.Object{
			{Name: "type", Value: json.RawMessage(`"function_call"`)},
			{Name: "call_id", Value: id},
			{Name: "name", Value: rawjson.Get(i.raw, "name")},
			{Name: "arguments", Value: rawjson.Get(i.raw, "arguments")},
		}.Encode()), readItem(rawjson.Object{
			{Name: "type", Value: json.RawMessage(`"function_call_output"`)}, {Name: "call_id", Value: id}, {Name: "output", Value: result},
		}.Encode()))
	}
	return all
}
