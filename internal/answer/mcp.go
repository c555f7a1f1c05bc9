package answer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/rawjson"
	"github.com/rota-run/rota/internal/responses"
)

// The bounds of MCP servers.
const (
	MCPTimeout  = 120 * time.Second // of a call, and of a listing with the connection before it
	MaxListed   = 1 << 20           // bytes of the tools of one server that the model is told
	maxServers  = 16                // of a request
	maxToolName = 64                // characters, as models' servers have it
)

// A Server is an MCP server whose tools Rota calls.
type Server struct {
	Label         string
	URL           string
	Description   string
	Headers       map[string]string
	Authorization string               // a token, or a whole header
	Stored        rota.MCPServerID     // whose credential in the vault is shown; empty for none
	Credential    rota.MCPCredentialID // the one that is to be shown; empty for the newest
	Timeout       time.Duration        // of a call, and of a list of tools

	allowed  *filter // nil allows all
	approval approval
}

// A filter picks tools of a server.
type filter struct {
	names    []string // nil for all
	readOnly *bool    // nil for all
}

// An approval says which tools need one. Those that neither filter picks do, unless never
// is for all.
type approval struct {
	always, never filter
	word          string // always or never, for all tools; else empty
}

// Listed is a tool as its server lists it, with the members of an item mcp_list_tools.
type Listed struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	InputSchema json.RawMessage `json:"input_schema"`
	Annotations Annotations     `json:"annotations,omitzero"`
}

// Annotations are what a server says of a tool's effects.
type Annotations struct {
	Title       string `json:"title,omitempty"`
	ReadOnly    bool   `json:"readOnlyHint,omitempty"`
	Idempotent  bool   `json:"idempotentHint,omitempty"`
	Destructive *bool  `json:"destructiveHint,omitempty"`
	OpenWorld   *bool  `json:"openWorldHint,omitempty"`
}

// A ServerError says why the tools of a server cannot be had.
type ServerError struct {
	Label   string
	Text    string
	Lasting bool // asking again cannot help
}

// Error implements error.
func (e *ServerError) Error() string { return "the MCP server " + e.Label + ": " + e.Text }

// ReadServers returns the MCP servers among the tools of a request whose tools Rota calls:
// those with a URL. A server with a connector_id is the provider's. The error is
// [rota.Invalid], and names the member.
func ReadServers(tools []json.RawMessage) ([]Server, error) {
	var all []Server
	for n, raw := range tools {
		if rawjson.Text(rawjson.Get(raw, "type")) != "mcp" || theirs(raw) {
			continue
		}
		s, err := readServer("tools."+strconv.Itoa(n), raw)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(all, func(other Server) bool { return other.Label == s.Label }) {
			return nil, rota.InvalidField("tools."+strconv.Itoa(n)+".server_label", "must be another than that of the server before: %q", s.Label)
		}
		if all = append(all, s); len(all) > maxServers {
			return nil, rota.InvalidField("tools", "must have at most %d MCP servers", maxServers)
		}
	}
	return all, nil
}

// theirs reports whether an mcp tool is for the provider to call.
func theirs(tool json.RawMessage) bool {
	return rawjson.Kind(rawjson.Get(tool, "server_url")) == 'n' && rawjson.Kind(rawjson.Get(tool, "connector_id")) != 'n'
}

var labelShape = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_-]{0,63}$`)

// ReadStored returns a server of the vault as it is for a tool that names it. The error is
// [rota.Invalid], and names the member of the server.
func ReadStored(stored rota.MCPServer) (Server, error) {
	tool := rawjson.Object{{Name: "mcp_server_id", Value: rawjson.String(string(stored.ID))}}
	s, err := readServer("", withStored(tool.Encode(), stored.MCPServerConfig))
	var e *rota.Error
	if errors.As(err, &e) {
		e.Field = strings.TrimPrefix(e.Field, ".")
	}
	return s, err
}

// ReadCredentialHeaders reads the headers of a credential.
func ReadCredentialHeaders(raw json.RawMessage) (map[string]string, error) {
	return readHeaders("headers", raw)
}

// NameStored reports whether there are tools that name servers in the vault.
func NameStored(tools []json.RawMessage) bool {
	return slices.ContainsFunc(tools, func(t json.RawMessage) bool { return storedServer(t) != nil })
}

// storedServer returns the id of the server in the vault that a tool names; nil if it names
// none.
func storedServer(tool json.RawMessage) *rota.MCPServerID {
	id := rawjson.Get(tool, "mcp_server_id")
	if rawjson.Text(rawjson.Get(tool, "type")) != "mcp" || rawjson.Kind(id) == 'n' {
		return nil
	}
	return new(rota.MCPServerID(rawjson.Text(id)))
}

// FillStored puts into tools what the vault has of the servers that they name. find
// returns a server. The error is [rota.Invalid], and names the member, if a server is not
// there; or it is that of find.
func FillStored(tools []json.RawMessage, find func(rota.MCPServerID) (rota.MCPServer, error)) ([]json.RawMessage, error) {
	out := slices.Clone(tools)
	for n, tool := range tools {
		id := storedServer(tool)
		if id == nil {
			continue
		}
		at := "tools." + strconv.Itoa(n)
		s, err := find(*id)
		if errors.Is(err, rota.NotFound) {
			return nil, rota.InvalidField(at+".mcp_server_id", "is of no MCP server that is there: %q", *id)
		}
		if err != nil {
			return nil, err
		}
		if rawjson.Kind(rawjson.Get(tool, "server_url")) != 'n' {
			return nil, rota.InvalidField(at+".server_url", "does not go with mcp_server_id: the server's own is used, and what it is shown goes nowhere else")
		}
		out[n] = withStored(tool, s.MCPServerConfig)
	}
	return out, nil
}

// withStored adds to a tool what is stored of its server and is not said in the tool.
func withStored(tool json.RawMessage, c rota.MCPServerConfig) json.RawMessage {
	o := rawjson.ReadObject(tool)
	for _, m := range []struct {
		name  string
		value json.RawMessage
	}{
		{"server_label", rawjson.String(c.ServerLabel)},
		{"server_url", rawjson.String(c.ServerURL)},
		{"server_description", rota.AnyOf(c.ServerDescription).RawMessage},
		{"allowed_tools", c.AllowedTools.RawMessage},
		{"require_approval", rawjson.String(c.RequireApproval)},
	} {
		if rawjson.Kind(o.Get(m.name)) == 'n' && rawjson.Kind(m.value) != 'n' {
			o.Set(m.name, m.value)
		}
	}
	return o.Encode()
}

func readServer(at string, raw json.RawMessage) (Server, error) {
	text := func(name string) string { return rawjson.Text(rawjson.Get(raw, name)) }
	s := Server{
		Label: text("server_label"), URL: text("server_url"), Description: text("server_description"), Authorization: text("authorization"), Timeout: MCPTimeout,
		Stored: rota.MCPServerID(text("mcp_server_id")), Credential: rota.MCPCredentialID(text("mcp_credential_id")),
	}
	u, err := url.Parse(s.URL)
	switch {
	case s.Credential != "" && s.Stored == "":
		return s, rota.InvalidField(at+".mcp_credential_id", "goes with mcp_server_id")
	case s.URL == "" || err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return s, rota.InvalidField(at+".server_url", "must be the http or https URL of an MCP server")
	case u.User != nil:
		return s, rota.InvalidField(at+".server_url", "must have no user name and password: use authorization or headers")
	case !labelShape.MatchString(s.Label) || s.Label == responses.OwnServer:
		return s, rota.InvalidField(at+".server_label", "must begin with a letter, have at most 64 letters, digits, _ and -, and not be %s", responses.OwnServer)
	case strings.ContainsAny(s.Authorization, "\r\n"):
		return s, rota.InvalidField(at+".authorization", "must be one line")
	}
	if s.Headers, err = readHeaders(at+".headers", rawjson.Get(raw, "headers")); err != nil {
		return s, err
	}
	if allowed := rawjson.Get(raw, "allowed_tools"); rawjson.Kind(allowed) != 'n' {
		f, err := readFilter(at+".allowed_tools", allowed)
		if err != nil {
			return s, err
		}
		s.allowed = &f
	}
	s.approval, err = readApproval(at+".require_approval", rawjson.Get(raw, "require_approval"))
	return s, err
}

const maxHeaders = 32

var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// ownHeaders are those that the connection itself needs.
var ownHeaders = []string{"Host", "Content-Length", "Content-Type", "Accept", "Connection", "Transfer-Encoding", "Upgrade", "Te", "Trailer", "Mcp-Session-Id", "Mcp-Protocol-Version", "Last-Event-Id"}

func readHeaders(at string, v json.RawMessage) (map[string]string, error) {
	if kind := rawjson.Kind(v); kind != '{' && kind != 'n' {
		return nil, rota.InvalidField(at, "must be an object of strings")
	}
	all := map[string]string{}
	for _, m := range rawjson.ReadObject(v) {
		name, value := http.CanonicalHeaderKey(m.Name), rawjson.Text(m.Value)
		switch {
		case rawjson.Kind(m.Value) != '"':
			return nil, rota.InvalidField(at+"."+m.Name, "must be a string")
		case !headerName.MatchString(m.Name) || strings.ContainsAny(value, "\r\n\x00"):
			return nil, rota.InvalidField(at+"."+m.Name, "must be an HTTP header in one line")
		case slices.Contains(ownHeaders, name):
			return nil, rota.InvalidField(at+"."+m.Name, "must not be set: the connection needs it")
		}
		all[name] = value
	}
	if len(all) > maxHeaders {
		return nil, rota.InvalidField(at, "must be at most %d", maxHeaders)
	}
	return all, nil
}

// readFilter reads a list of names, or an object with tool_names and read_only.
func readFilter(at string, v json.RawMessage) (filter, error) {
	var f filter
	names := v
	if rawjson.Kind(v) == '{' {
		names = rawjson.Get(v, "tool_names")
		switch kind := rawjson.Kind(rawjson.Get(v, "read_only")); kind {
		case 't', 'f':
			f.readOnly = new(kind == 't')
		case 'n':
		default:
			return f, rota.InvalidField(at+".read_only", "must be true or false")
		}
	}
	switch {
	case rawjson.Kind(names) == 'n' && rawjson.Kind(v) == '{':
		return f, nil
	case rawjson.Kind(names) != '[':
		return f, rota.InvalidField(at, "must be a list of names of tools, or an object with tool_names and read_only")
	}
	f.names = []string{}
	for _, n := range rawjson.List(names) {
		if rawjson.Kind(n) != '"' {
			return f, rota.InvalidField(at, "must name tools as strings")
		}
		f.names = append(f.names, rawjson.Text(n))
	}
	return f, nil
}

func (f filter) picks(t Listed) bool {
	return (f.names == nil || slices.Contains(f.names, t.Name)) && (f.readOnly == nil || *f.readOnly == t.Annotations.ReadOnly)
}

// readApproval reads a word, or an object of two filters. Absent, every call needs one, as
// with OpenAI's API.
func readApproval(at string, v json.RawMessage) (approval, error) {
	word := rawjson.Text(v)
	switch {
	case rawjson.Kind(v) == 'n':
		return approval{word: "always"}, nil
	case word == "always" || word == "never":
		return approval{word: word}, nil
	case rawjson.Kind(v) != '{':
		return approval{}, rota.InvalidField(at, "must be always, never, or an object with filters of the names always and never")
	}
	nothing := filter{names: []string{}}
	a := approval{always: nothing, never: nothing}
	for name, f := range map[string]*filter{"always": &a.always, "never": &a.never} {
		v := rawjson.Get(v, name)
		if rawjson.Kind(v) == 'n' {
			continue
		}
		var err error
		if *f, err = readFilter(at+"."+name, v); err != nil {
			return a, err
		}
	}
	return a, nil
}

// needed reports whether a call of the tool needs an approval. What is in both filters does.
func (a approval) needed(t Listed) bool {
	if a.word != "" {
		return a.word == "always"
	}
	return a.always.picks(t) || !a.never.picks(t)
}

// Allows reports whether a tool of the server may be called.
func (s Server) Allows(t Listed) bool { return s.allowed == nil || s.allowed.picks(t) }

// ListedStep returns the step that puts the tools of a server on record, and with them the
// bytes that the model is told. The error is a [*ServerError] if they are too many bytes.
func (s Server) ListedStep(tools []Listed) (rota.ResponseStep, error) {
	tools = slices.DeleteFunc(slices.Clone(tools), func(t Listed) bool { return !s.Allows(t) })
	slices.SortStableFunc(tools, func(a, b Listed) int { return strings.Compare(a.Name, b.Name) })
	tools = slices.CompactFunc(tools, func(a, b Listed) bool { return a.Name == b.Name })
	list, err := json.Marshal(append([]Listed{}, tools...))
	if err != nil {
		return rota.ResponseStep{}, &ServerError{Label: s.Label, Text: "its list of tools cannot be read", Lasting: true}
	}
	if len(list) > MaxListed {
		return rota.ResponseStep{}, &ServerError{
			Label: s.Label, Text: "its tools have " + strconv.Itoa(len(list)) + " bytes, of which at most " + strconv.Itoa(MaxListed) + " are told to a model: pick some with allowed_tools", Lasting: true,
		}
	}
	return rota.ResponseStep{Kind: rota.StepListed, Tool: s.Label, Result: new(string(list))}, nil
}

// listed returns the tools that are on record, by the labels of their servers.
func (s State) listed() map[string][]Listed {
	all := map[string][]Listed{}
	for _, step := range s.Steps {
		if step.Kind != rota.StepListed {
			continue
		}
		var tools []Listed
		_ = json.Unmarshal([]byte(*step.Result), &tools) // ListedStep has made it
		all[step.Tool] = tools
	}
	return all
}

// unlisted returns the servers whose tools are not on record.
func (s State) unlisted() []Server {
	var all []Server
	for _, server := range s.Servers {
		if !slices.ContainsFunc(s.Steps, func(step rota.ResponseStep) bool { return step.Kind == rota.StepListed && step.Tool == server.Label }) {
			all = append(all, server)
		}
	}
	return all
}

// Learn makes the tools that servers have listed those of the loop, in place. It follows
// whenever such a list has come on record.
func (s *State) Learn() {
	if len(s.Servers) == 0 {
		return
	}
	lists, taken := s.listed(), map[string]int{}
	for _, name := range s.Functions {
		taken[name]++
	}
	for _, server := range s.Servers {
		for _, t := range lists[server.Label] {
			taken[responses.FunctionName(t.Name)]++
		}
	}
	s.functions = map[string][]json.RawMessage{}
	for _, server := range s.Servers {
		for _, t := range lists[server.Label] {
			name := responses.FunctionName(t.Name)
			if taken[name] > 1 {
				name = apart(server.Label, t.Name)
			}
			s.Tools[name] = Tool{
				Kind: MCP, Name: name, Server: server.Label, Title: t.Name, Timeout: server.Timeout, Repeatable: t.Annotations.ReadOnly || t.Annotations.Idempotent,
				MCP: server, Held: server.approval.needed(t),
			}
			s.functions[server.Label] = append(s.functions[server.Label], server.function(name, t))
		}
	}
}

// apart returns the name of a tool that shares its own with another one.
func apart(label, name string) string {
	sum := sha256.Sum256([]byte(label + "\x00" + name))
	whole := responses.FunctionName(label + "__" + name)
	suffix := "_" + hex.EncodeToString(sum[:4])
	return whole[:min(len(whole), maxToolName-len(suffix))] + suffix
}

// function returns a tool of a server as a model is told it.
func (s Server) function(name string, t Listed) json.RawMessage {
	about := t.Description
	if s.Description != "" {
		about = strings.TrimSpace(about + "\n\nThis tool is of " + s.Label + ": " + s.Description)
	}
	schema := t.InputSchema
	if rawjson.Kind(schema) != '{' {
		schema = json.RawMessage(`{"type":"object"}`)
	}
	return rawjson.Object{
		{Name: "type", Value: json.RawMessage(`"function"`)},
		{Name: "name", Value: rawjson.String(name)},
		{Name: "description", Value: rawjson.String(about)},
		{Name: "parameters", Value: schema},
		{Name: "strict", Value: json.RawMessage("false")},
	}.Encode()
}

// tell puts the tools of servers into a request, as functions, and what its tool_choice
// says of them.
func (s State) tell(o *rawjson.Object) {
	if len(s.Servers) == 0 {
		return
	}
	o.Set("tools", rawjson.EncodeList(s.asFunctions(rawjson.List(o.Get("tools")), nil)))
	choice := o.Get("tool_choice")
	switch rawjson.Text(rawjson.Get(choice, "type")) {
	case "allowed_tools":
		c := rawjson.ReadObject(choice)
		c.Set("tools", rawjson.EncodeList(s.asFunctions(rawjson.List(c.Get("tools")), named)))
		o.Set("tool_choice", c.Encode())
	case "mcp":
		tools := s.asFunctions([]json.RawMessage{choice}, named)
		if len(tools) == 1 && rawjson.Kind(rawjson.Get(choice, "name")) != 'n' {
			o.Set("tool_choice", tools[0])
			return
		}
		o.Set("tool_choice", rawjson.Object{
			{Name: "type", Value: json.RawMessage(`"allowed_tools"`)}, {Name: "mode", Value: json.RawMessage(`"required"`)}, {Name: "tools", Value: rawjson.EncodeList(tools)},
		}.Encode())
	}
}

// named returns a function as a tool_choice names it.
func named(function json.RawMessage) json.RawMessage {
	return rawjson.Object{{Name: "type", Value: json.RawMessage(`"function"`)}, {Name: "name", Value: rawjson.Get(function, "name")}}.Encode()
}

// asFunctions returns tools with those of servers as functions, each changed if change is
// not nil. A tool that names one of a server stands for that one alone.
func (s State) asFunctions(list []json.RawMessage, change func(json.RawMessage) json.RawMessage) []json.RawMessage {
	all := []json.RawMessage{}
	for _, t := range list {
		label := rawjson.Text(rawjson.Get(t, "server_label"))
		if rawjson.Text(rawjson.Get(t, "type")) != "mcp" || !s.runs(label) {
			all = append(all, t)
			continue
		}
		only := rawjson.Text(rawjson.Get(t, "name"))
		for _, f := range s.functions[label] {
			if only != "" && s.Tools[rawjson.Text(rawjson.Get(f, "name"))].Title != only {
				continue
			}
			if change != nil {
				f = change(f)
			}
			all = append(all, f)
		}
	}
	return all
}

// runs reports whether the server with a label is one whose tools Rota calls.
func (s State) runs(label string) bool {
	return slices.ContainsFunc(s.Servers, func(server Server) bool { return server.Label == label })
}

// allows reports whether the tool_choice of the request lets the tool be called.
func (s State) allows(t Tool) bool {
	if rawjson.Text(s.Choice) == "none" {
		return false
	}
	if rawjson.Text(rawjson.Get(s.Choice, "type")) != "allowed_tools" {
		return true
	}
	return slices.ContainsFunc(rawjson.List(rawjson.Get(s.Choice, "tools")), func(c json.RawMessage) bool {
		name := rawjson.Text(rawjson.Get(c, "name"))
		if t.Kind != MCP {
			return name == t.Name
		}
		return rawjson.Text(rawjson.Get(c, "server_label")) == t.Server && (name == "" || name == t.Title)
	})
}

// functionNames returns the names that the functions of a request have.
func functionNames(tools []json.RawMessage) (names []string) {
	for _, t := range tools {
		name := rawjson.Text(rawjson.Get(told(t), "name"))
		if name != "" && rawjson.Text(rawjson.Get(t, "type")) != "mcp" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// Theirs returns the labels of the MCP servers in the tools of a request whose items the
// provider knows, since it calls them itself.
func Theirs(tools []json.RawMessage) (labels []string) {
	for _, t := range tools {
		if rawjson.Text(rawjson.Get(t, "type")) == "mcp" && theirs(t) {
			labels = append(labels, rawjson.Text(rawjson.Get(t, "server_label")))
		}
	}
	return labels
}
