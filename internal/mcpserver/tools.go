package mcpserver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// An offer is an operation of the API that is a tool, and what a client may want to know
// before it calls it.
type offer struct {
	id string // operationId
	mcp.ToolAnnotations
}

var (
	yes, no = new(true), new(false)

	reads   = mcp.ToolAnnotations{ReadOnlyHint: true, IdempotentHint: true, DestructiveHint: no, OpenWorldHint: no}
	adds    = mcp.ToolAnnotations{DestructiveHint: no, OpenWorldHint: no}
	sets    = mcp.ToolAnnotations{IdempotentHint: true, DestructiveHint: no, OpenWorldHint: no}
	replace = mcp.ToolAnnotations{IdempotentHint: true, DestructiveHint: yes, OpenWorldHint: no}
	starts  = mcp.ToolAnnotations{DestructiveHint: no, OpenWorldHint: yes}
	decides = mcp.ToolAnnotations{IdempotentHint: true, DestructiveHint: yes, OpenWorldHint: yes}
)

var offers = []offer{
	{"list_agents", reads},
	{"get_agent", reads},
	{"list_schedules", reads},
	{"get_agent_schedule", reads},
	{"create_agent_schedule", adds},
	{"update_agent_schedule", replace},
	{"pause_agent_schedule", replace}, // what waited does not run
	{"resume_agent_schedule", sets},
	{"trigger_agent_schedule", starts},
	{"skip_schedule_occurrence", replace},
	{"unskip_schedule_occurrence", sets},
	{"preview_schedule", reads},
	{"list_upcoming_occurrences", reads},
	{"list_schedule_occurrences", reads},
	{"list_occurrences", reads},
	{"list_runs", reads},
	{"get_run", reads},
	{"get_summary", reads},
	{"list_approvals", reads},
	{"create_agent_run_mcp_approval", decides},
}

// leftOut are arguments of operations that tools do not have: they are for programs, and
// their descriptions would take the room of what models need.
var leftOut = []string{"context_management", "previous_response_id", "If-None-Match", "X-On-Behalf-Of"}

// inputText is in place of a schema of all items that the Responses API knows.
var inputText = schema{"type": "string", "minLength": 1, "maxLength": 20_000, "description": "What the model is told at each run."}

// A schema is a JSON schema.
type schema = map[string]any

// An openAPI is what is read of an OpenAPI document.
type openAPI struct {
	Info       struct{ Version string }
	Paths      map[string]map[string]operation
	Components struct {
		Schemas    map[string]schema
		Parameters map[string]parameter
	}
}

type operation struct {
	OperationID          string
	Summary, Description string
	Parameters           []parameter
	RequestBody          *struct {
		Required bool
		Content  map[string]struct{ Schema schema }
	}
	Security []map[string][]string
}

type parameter struct {
	Ref         string `json:"$ref"`
	Name, In    string
	Description string
	Required    bool
	Schema      schema
}

// A tool is how the arguments of a tool become a request.
type tool struct {
	mcp.Tool
	method, path string
	places       map[string]parameter // of the arguments; those of the body have no In
	hasBody      bool
}

// tool makes a tool of an operation.
func (d openAPI) tool(o offer) (tool, error) {
	for path, methods := range d.Paths {
		for method, op := range methods {
			if op.OperationID == o.id {
				t := tool{method: strings.ToUpper(method), path: path, places: map[string]parameter{}, hasBody: op.RequestBody != nil}
				t.Name, t.Title, t.Annotations = op.OperationID, op.Summary, &o.ToolAnnotations
				t.Description = op.Summary + ". " + op.Description + scopeOf(op)
				t.InputSchema = d.arguments(op, t.places)
				return t, nil
			}
		}
	}
	return tool{}, fmt.Errorf("the API has no operation %s", o.id)
}

// scopeOf says which scope a key needs.
func scopeOf(op operation) string {
	for _, s := range op.Security {
		for _, scopes := range s {
			if len(scopes) > 0 {
				return " Needs a key with the scope " + strings.Join(scopes, " and ") + "."
			}
		}
	}
	return ""
}

// arguments returns the schema of all that an operation takes, and notes where each goes.
func (d openAPI) arguments(op operation, places map[string]parameter) schema {
	properties, required := schema{}, []string{}
	for _, p := range op.Parameters {
		p = d.Components.Parameters[strings.TrimPrefix(p.Ref, "#/components/parameters/")]
		if slices.Contains(leftOut, p.Name) {
			continue
		}
		name, described := strings.ReplaceAll(strings.ToLower(p.Name), "-", "_"), maps.Clone(d.whole(p.Schema).(schema))
		if p.Description != "" {
			described["description"] = p.Description
		}
		if p.Required {
			required = append(required, name)
		}
		properties[name], places[name] = described, p
	}
	if op.RequestBody != nil {
		body := d.whole(op.RequestBody.Content["application/json"].Schema).(schema)
		for name, s := range body["properties"].(schema) {
			if slices.Contains(leftOut, name) {
				continue
			}
			if name == "input" {
				s = inputText
			}
			properties[name], places[name] = s, parameter{Name: name}
		}
		if must, ok := body["required"].([]any); ok && op.RequestBody.Required {
			for _, name := range must {
				required = append(required, name.(string))
			}
		}
	}
	return schema{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}

// whole returns a schema with the schemas that it refers to in their places: many clients
// do not look them up.
func (d openAPI) whole(v any) any {
	switch v := v.(type) {
	case schema:
		if ref, ok := v["$ref"].(string); ok {
			return d.whole(d.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")])
		}
		out := schema{}
		for name, part := range v {
			if name == "properties" {
				part = withoutInput(part.(schema))
			}
			out[name] = d.whole(part)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, part := range v {
			out[i] = d.whole(part)
		}
		return out
	}
	return v
}

// withoutInput replaces the one schema that refers to itself.
func withoutInput(properties schema) schema {
	if properties["input"] == nil {
		return properties
	}
	properties = maps.Clone(properties)
	properties["input"] = inputText
	return properties
}

// request returns the request that a call of the tool stands for.
func (t tool) request(ctx context.Context, arguments json.RawMessage) (*http.Request, error) {
	args := map[string]json.RawMessage{}
	if len(arguments) > 0 {
		if err := json.Unmarshal(arguments, &args); err != nil {
			return nil, fmt.Errorf("the arguments must be a JSON object: %w", err)
		}
	}
	path, query, header, body := t.path, url.Values{}, http.Header{}, map[string]json.RawMessage{}
	for name, value := range args {
		p, known := t.places[name]
		if !known {
			return nil, fmt.Errorf("there is no argument %q: there are %s", name, strings.Join(slices.Sorted(maps.Keys(t.places)), ", "))
		}
		if p.In == "" {
			body[name] = value
			continue
		}
		text, err := plain(name, value)
		switch {
		case err != nil:
			return nil, err
		case p.In == "path":
			path = strings.Replace(path, "{"+p.Name+"}", url.PathEscape(text), 1)
		case p.In == "header":
			header.Set(p.Name, text)
		default:
			if err := addQuery(query, p.Name, text, value); err != nil {
				return nil, err
			}
		}
	}
	if i := strings.IndexByte(path, '{'); i >= 0 {
		return nil, fmt.Errorf("the argument %s is missing", strings.Trim(strings.SplitN(path[i:], "/", 2)[0], "{}"))
	}
	return t.made(ctx, path, query, header, body)
}

func (t tool) made(ctx context.Context, path string, query url.Values, header http.Header, body map[string]json.RawMessage) (*http.Request, error) {
	var sent bytes.Buffer
	if t.hasBody {
		if err := json.NewEncoder(&sent).Encode(body); err != nil {
			return nil, err
		}
		header.Set("Content-Type", "application/json")
	}
	target := path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, t.method, target, &sent)
	if err != nil {
		return nil, err
	}
	header.Set("User-Agent", "rota-mcp")
	r.Header = header
	return r, nil
}

// plain returns an argument as it stands in a path, a query or a header.
func plain(name string, value json.RawMessage) (string, error) {
	var v any
	if err := json.Unmarshal(value, &v); err != nil {
		return "", err
	}
	switch v := v.(type) {
	case string:
		if v == "" || v == "." || v == ".." {
			return "", fmt.Errorf("%s must not be %q", name, v)
		}
		return v, nil
	case nil:
		return "", fmt.Errorf("%s must not be null: leave it out", name)
	}
	return string(value), nil
}

// addQuery adds an argument to a query; an object, as one parameter for each of its keys.
func addQuery(query url.Values, name, text string, value json.RawMessage) error {
	switch value[0] {
	case '[':
		var each []string
		if err := json.Unmarshal(value, &each); err != nil {
			return fmt.Errorf("%s must be a list of strings", name)
		}
		query[name] = each
		return nil
	case '{':
	default:
		query.Set(name, text)
		return nil
	}
	var pairs map[string]string
	if err := json.Unmarshal(value, &pairs); err != nil {
		return fmt.Errorf("%s must be an object whose values are strings", name)
	}
	for k, v := range pairs {
		query.Set(name+"["+k+"]", v)
	}
	return nil
}
