package console

import (
	"cmp"
	"encoding/json"
	"strings"

	"github.com/rota-run/rota"
)

// A said is an item of a conversation as people read it: a message, or something that is
// folded, such as the call of a tool.
type said struct {
	Who      string // whose message it is; empty if it is none
	Title    string // of what is folded
	Text     string
	Result   string // of a call
	Response rota.ResponseID
	Run      rota.RunID // for which the response was made
	Begins   bool       // the first of its response on the page
}

// An item has what a page shows of an item, whatever its type.
type item struct {
	Type, Role, Name, Arguments     string
	CallID                          string          `json:"call_id"`
	ServerLabel                     string          `json:"server_label"`
	Content, Output, Summary, Error json.RawMessage // texts, or lists of parts
	Tools                           []struct{ Name string }
	Approve                         bool
}

// saidIn returns the items of a page in their order. The result of a call is shown with the
// call, if that is on the same page.
func saidIn(items []rota.ItemRecord, runs map[rota.ResponseID]rota.RunID) []said {
	var all []said
	calls := map[string]int{}
	for _, r := range items {
		var i item
		_ = json.Unmarshal(r.Raw, &i) // what is not as expected is shown as JSON
		if at, ok := calls[i.CallID]; ok && strings.HasSuffix(i.Type, "_output") {
			all[at].Result = brief(contentText(i.Output))
			continue
		}
		s := i.said()
		if s.Text == "" && s.Result == "" {
			s.Text = string(r.Raw)
		}
		s.Response, s.Text = value(r.Response), brief(s.Text)
		s.Run = runs[s.Response]
		s.Begins = s.Response != "" && (len(all) == 0 || all[len(all)-1].Response != s.Response)
		if strings.HasSuffix(i.Type, "_call") && i.CallID != "" {
			calls[i.CallID] = len(all)
		}
		all = append(all, s)
	}
	return all
}

// said returns an item in words; without a text if it has none that is known.
func (i item) said() said {
	switch i.Type {
	case "message", "":
		return said{Who: cmp.Or(i.Role, "somebody"), Text: contentText(i.Content)}
	case "function_call":
		return said{Title: "Call of " + i.Name, Text: i.Arguments}
	case "function_call_output":
		return said{Title: "Result of a call", Text: contentText(i.Output)}
	case "mcp_call":
		return said{Title: "Call of " + i.ServerLabel + "." + i.Name, Text: i.Arguments, Result: brief(cmp.Or(contentText(i.Output), contentText(i.Error)))}
	case "mcp_approval_request":
		return said{Title: "An approval was asked for: " + i.ServerLabel + "." + i.Name, Text: i.Arguments}
	case "mcp_approval_response":
		return said{Title: map[bool]string{true: "Approved", false: "Denied"}[i.Approve]}
	case "mcp_list_tools":
		return said{Title: "Tools of " + i.ServerLabel, Text: i.tools()}
	case "reasoning":
		return said{Title: "Reasoning", Text: contentText(i.Summary)}
	case "compaction":
		return said{Title: "What was said before, in short", Text: contentText(i.Summary)}
	}
	return said{Title: strings.ReplaceAll(i.Type, "_", " ")}
}

func (i item) tools() string {
	var names []string
	for _, t := range i.Tools {
		names = append(names, t.Name)
	}
	return strings.Join(names, ", ")
}

// maxSaid is how much of an item the page of a conversation shows.
const maxSaid = 8 << 10

// brief returns as much of a text as the page of a conversation shows of an item.
func brief(text string) string {
	if len(text) <= maxSaid {
		return text
	}
	return strings.ToValidUTF8(text[:maxSaid], "") + "\n… the API has the rest"
}
