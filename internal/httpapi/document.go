package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rota-run/rota"
)

const apiAbout = `Rota keeps AI agents on a schedule: save an agent, say when it runs, and see what came of every run.

Every request needs ` + "`Authorization: Bearer <key>`" + `. What one end user has, another does not see: send
` + "`X-On-Behalf-Of`" + ` to act for one. Lists come in pages, with ` + "`after`" + ` and ` + "`before`" + ` as cursors.
Every change can carry an ` + "`Idempotency-Key`" + `, and a change of one object an ` + "`If-Match`" + ` with its ETag.
A read of one object takes ` + "`If-None-Match`" + `, and answers of 1 KiB and more are compressed where ` + "`Accept-Encoding`" + ` has gzip.
Text must not have the character U+0000 or half of a surrogate pair (` + "`\\ud800`" + ` alone). Times are RFC 3339 with an offset, without leap seconds.
Answers may get new members, and new words where a description says so: ignore what you do not know. A method that a
path does not have is answered by 405, with ` + "`Allow`" + `.`

const (
	mediaJSON   = "application/json"
	mediaEvents = "text/event-stream"

	// bearerAuth names the security scheme. Generators make a type of it, so that it
	// must not have the name of a component.
	bearerAuth = "bearerAuth"
)

// A document is what the API says about itself.
type document struct {
	openapi *huma.OpenAPI
	ops     []*operation
	check   checker
}

// newDocument describes the operations, and gives each the schema of its body.
func newDocument(version string, ops []*operation) *document {
	r := newRegistry()
	o := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "Rota", Version: semver(version), Description: apiAbout,
			Contact: &huma.Contact{Name: "Rota", URL: "https://github.com/rota-run/rota"},
			License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
		},
		Servers: []*huma.Server{{URL: "/"}},
		Tags:    tags(),
		Components: &huma.Components{
			Schemas:    r,
			Parameters: parameters(),
			Headers:    answerHeaders(),
			Responses:  failures(r, ops),
			SecuritySchemes: map[string]*huma.SecurityScheme{
				bearerAuth: {Type: "http", Scheme: "bearer", Description: "The secret of a key, or a token. The scopes name what the key must be allowed to do."},
			},
		},
	}
	var requests []*huma.Schema
	for _, op := range ops {
		o.AddOperation(describe(r, op))
		op.queries = queryNames(o.Components.Parameters, op)
		if op.schema != nil {
			requests = append(requests, op.schema)
		}
	}
	refine(r)
	finish(r, requests)
	return &document{openapi: o, ops: ops, check: checker{registry: r, patterns: new(sync.Map)}}
}

// tags are the groups of operations, in their order.
func tags() []*huma.Tag {
	return []*huma.Tag{
		{Name: "Agents", Description: "An agent is a saved configuration of a model: model, instructions, tools."},
		{Name: "FunctionTools", Description: "A function tool is the definition of a function that several agents refer to."},
		{Name: "Vault", Description: "MCP servers that agents name by id, and what these are shown."},
		{Name: "Memory", Description: "Notes that last, which agents read and write."},
		{Name: "Connectors", Description: "Telegram and WhatsApp as an agent's channel. Not offered by this version."},
		{Name: "Schedules", Description: "A schedule says when an agent runs, and on which input."},
		{Name: "Occurrences", Description: "An occurrence is a nominal time of a schedule, and what becomes of it."},
		{Name: "Runs", Description: "A run is one execution of an agent, started by a schedule or by a call."},
		{Name: "Responses", Description: "The Responses API on every model of this server: shapes and errors are those that its clients know."},
		{Name: "Conversations", Description: "A conversation holds what is said over several responses."},
		{Name: "Models", Description: "What can be asked."},
		{Name: "NotOffered", Description: "Parts of the published API that this version does not offer."},
		{Name: "Accounts", Description: "What an account sees of all of its end users."},
		{Name: "Keys", Description: "A key opens the API for one account, as far as its scopes go."},
		{Name: "System", Description: "The server itself."},
		{Name: "Authentication", Description: "Keys and tokens, in the words of the published API. Its errors have their message at the top."},
	}
}

// json returns the document as it is served.
func (d *document) json() []byte {
	compact, err := json.Marshal(d.openapi)
	if err != nil {
		panic(fmt.Errorf("encode the OpenAPI document: %w", err)) // it depends on nothing but the program
	}
	var b bytes.Buffer
	json.Indent(&b, compact, "", "  ") // it is valid
	b.WriteByte('\n')
	return b.Bytes()
}

var semverForm = regexp.MustCompile(`^v?(\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?)$`)

// semver returns the version as packages write it, which generators copy into the
// packages that they make. A build that does not know its version is 0.0.0-dev.
func semver(version string) string {
	if m := semverForm.FindStringSubmatch(version); m != nil {
		return m[1]
	}
	return "0.0.0-dev"
}

func describe(r huma.Registry, op *operation) *huma.Operation {
	o := &huma.Operation{
		Method:      op.Method,
		Path:        op.Path,
		OperationID: op.OperationID,
		Tags:        []string{op.tag},
		Summary:     op.summary,
		Description: op.about,
		Parameters:  operationParams(op),
		Security:    []map[string][]string{{bearerAuth: scopesOf(op)}},
		Responses:   map[string]*huma.Response{strconv.Itoa(op.Status): success(r, op, op.Status)},
	}
	if op.creates {
		o.Responses[strconv.Itoa(http.StatusCreated)] = success(r, op, http.StatusCreated)
	}
	if op.input != nil {
		op.schema = r.Schema(op.input, true, "")
		content := jsonContent(op.schema)
		content[mediaJSON].Example = json.RawMessage(op.example)
		o.RequestBody = &huma.RequestBody{Required: !op.optional, Content: content}
	}
	if op.output == nil && !op.lines && !op.endless {
		o.Responses[strconv.Itoa(http.StatusNoContent)] = &huma.Response{
			Headers:     withHeaders(headerRequestID),
			Description: "The run has ended, and Last-Event-ID names its terminal event: there is nothing to connect for again.",
		}
	}
	if slices.Contains(op.params, "if_none_match") {
		o.Responses[strconv.Itoa(http.StatusNotModified)] = &huma.Response{
			Headers:     withHeaders(headerRequestID, headerETag),
			Description: "If-None-Match names what would be answered.",
		}
	}
	for _, c := range failuresOf(op) {
		o.Responses[strconv.Itoa(kinds[c].status)] = failure(op, string(c))
	}
	o.Responses["default"] = failure(op, "failure")
	return o
}

func scopesOf(op *operation) []string {
	if op.Scope == "" {
		return []string{}
	}
	return []string{string(op.Scope)}
}

// failure refers to the answer of a name.
func failure(op *operation, name string) *huma.Response {
	return &huma.Response{Ref: "#/components/responses/" + failureName(op, name)}
}

var braces = regexp.MustCompile(`\{(\w+)\}`)

func operationParams(op *operation) []*huma.Param {
	var params []*huma.Param
	for _, m := range braces.FindAllStringSubmatch(op.Path, -1) {
		params = append(params, parameter(pathParameter(m[1])))
	}
	for _, name := range op.params {
		params = append(params, parameter(name))
	}
	return append(params, parameter("on_behalf_of"))
}

// pathParameter returns the name that the component of a path parameter has: not that of
// a schema, since generators make a type of both.
func pathParameter(name string) string {
	if name == "key" {
		return "own_key"
	}
	return name
}

// queryNames returns the query parameters of an operation.
func queryNames(all map[string]*huma.Param, op *operation) []string {
	var names []string
	for _, name := range op.params {
		if p := all[name]; p.In == "query" {
			names = append(names, p.Name)
		}
	}
	slices.Sort(names)
	return names
}

func parameter(name string) *huma.Param {
	return &huma.Param{Ref: "#/components/parameters/" + name}
}

func jsonContent(s *huma.Schema) map[string]*huma.MediaType {
	return map[string]*huma.MediaType{mediaJSON: {Schema: s}}
}

// parameters returns what operations share, by the names that they use.
func parameters() map[string]*huma.Param {
	one, most := 1.0, 100.0
	zero, minute, week, exact := 0.0, 60.0, 604_800.0, float64(maxSequence)
	moment := &huma.Schema{Type: huma.TypeString, Format: "date-time"}
	all := map[string]*huma.Param{
		"limit":         query("limit", "How many to answer.", &huma.Schema{Type: huma.TypeInteger, Minimum: &one, Maximum: &most, Default: 20}),
		"order":         query("order", "By creation: newest or oldest first.", &huma.Schema{Type: huma.TypeString, Enum: []any{"asc", "desc"}, Default: "desc"}),
		"order_by_time": query("order", "By nominal time: newest or oldest first.", &huma.Schema{Type: huma.TypeString, Enum: []any{"asc", "desc"}, Default: "desc"}),
		"after":         query("after", "The id after which the page begins, in the order of the list: the last_id of the page before.", text(0, 0)),
		"before":        query("before", "The id before which the page ends: the first_id of the page after.", text(0, 0)),

		"offset": query("offset", "How many to pass over. Not together with after or before, unless it is 0.", &huma.Schema{Type: huma.TypeInteger, Minimum: &zero, Default: 0}),

		"deleted":         query("deleted", "Answers the deleted agents instead of the others.", &huma.Schema{Type: huma.TypeBoolean, Default: false}),
		"include_deleted": query("include_deleted", "Whether a deleted schedule is answered as well.", &huma.Schema{Type: huma.TypeBoolean, Default: false}),
		"starting_after":  query("starting_after", "The sequence number of the last event that is not wanted again.", &huma.Schema{Type: huma.TypeInteger, Format: "int64", Minimum: &zero, Maximum: &exact}),

		"expand":        query("expand", "What to answer besides: recent is the last ten occurrences of each schedule.", &huma.Schema{Type: huma.TypeString, Enum: []any{"recent"}}),
		"outcome":       query("outcome", "Only those with this outcome.", &huma.Schema{Type: huma.TypeString, Enum: anys(outcomes)}),
		"from":          query("from", "Only nominal times at or after this one.", moment),
		"to":            query("to", "Only nominal times at or before this one.", moment),
		"count":         query("count", "How many times.", &huma.Schema{Type: huma.TypeInteger, Minimum: &one, Maximum: &most, Default: 10}),
		"forecast_from": query("from", "Where the forecast begins. Default: now.", moment),
		"forecast_to":   query("to", "Where it ends. Default: a day after from.", moment),
		"bucket":        query("bucket", "Seconds in a bucket; at most 1000 buckets.", &huma.Schema{Type: huma.TypeInteger, Minimum: &minute, Maximum: &week, Default: 3600}),
		"org_filter":    query("orgId", "Only those of this account.", text(0, 0)),
		"team_filter":   query("teamId", "Only those with this teamId.", text(0, 0)),
		"status":        query("status", "Only those in this state.", &huma.Schema{Type: huma.TypeString, Enum: anys(listedStatuses)}),

		"last_event_id":   header(headerLastEventID, "The same as starting_after, as clients of event streams send it.", &huma.Schema{Type: huma.TypeInteger, Format: "int64", Minimum: &zero, Maximum: &exact}),
		"on_behalf_of":    header(headerEndUser, "The end user whom the request is for. Absent: the account itself.", pattern(1, 150, `^([!-)+-~]|[!-~][ -~]*[!-~])$`)),
		"idempotency_key": header(headerIdempotencyKey, "Makes the change happen once: the same key and request within 24 hours get the first answer again.", pattern(1, 255, `^[!-~]([ -~]*[!-~])?$`)),
		"if_match":        header(headerIfMatch, "An ETag with the version that the object must have, or the version, or several of them; 412 if somebody has changed the object.", pattern(0, 0, `^(\*|(W/)?("[1-9][0-9]*([^0-9",][^",]*)?"|[1-9][0-9]*(-[0-9A-Za-z-]+)?)( *, *(W/)?("[1-9][0-9]*([^0-9",][^",]*)?"|[1-9][0-9]*(-[0-9A-Za-z-]+)?))*)$`)),
		"if_none_match":   header(headerIfNoneMatch, "ETags of answers that the client has: 304 without a body if one of them would be answered again.", text(0, 0)),
	}
	all[pathParameter("key")] = &huma.Param{Name: "key", In: "path", Required: true, Description: "The key that it was given: a name of yours.", Schema: pattern(1, rota.MaxKey, rota.KeyPattern)}
	all["end_user_id"] = &huma.Param{Name: "end_user_id", In: "path", Required: true, Description: "The end user, as X-On-Behalf-Of names it.", Schema: pattern(1, 150, printable)}
	all["version"] = &huma.Param{Name: "version", In: "path", Required: true, Description: "1 is the first.", Schema: &huma.Schema{Type: huma.TypeInteger, Minimum: &one}}
	for name, about := range map[string]string{"agent_id": "agt_…", "schedule_id": "asch_…", "run_id": "arun_…", "approval_id": "mcpr_…", "occurrence_id": "occ_…", "response_id": "resp_…", "conversation_id": "conv_…", "item_id": "of the item", "model_id": "of the model", "key_id": "key_…", "function_tool_id": "ftool_…", "connector_id": "of a connector", "server_id": "mcp_srv_…", "memory_store_id": "mem_…", "entry_id": "memn_…", "credential_id": "mcp_cred_…"} {
		all[name] = &huma.Param{Name: name, In: "path", Required: true, Description: about, Schema: text(1, 0)}
	}
	maps.Copy(all, accountParams())
	maps.Copy(all, llmParams())
	return all
}

// accountParams are those of lists across agents, and of keys.
func accountParams() map[string]*huma.Param {
	hour, week := 3600.0, 604_800.0
	moment := &huma.Schema{Type: huma.TypeString, Format: "date-time"}
	all := map[string]*huma.Param{
		"descends_from": query("descends_from", "Only keys that descend from this one: that it has made, or a key that descends from it.", text(1, 0)),
		"descendants":   query("descendants", "Whether the keys that descend from it are revoked as well, in whatever account.", &huma.Schema{Type: huma.TypeBoolean, Default: false}),
		"order_by_name": query("order", "By name: asc or desc.", &huma.Schema{Type: huma.TypeString, Enum: []any{"asc", "desc"}, Default: "asc"}),
		"after_name":    query("after", "The name after which the page begins, in the order of the list: the last_id of the page before.", pattern(1, 150, printable)),
		"before_name":   query("before", "The name before which the page ends: the first_id of the page after.", pattern(1, 150, printable)),

		"account_id": {Name: "account_id", In: "path", Required: true, Description: "The name of the account, as a key has it.", Schema: pattern(1, 64, rota.AccountPattern)},
		"used_by":    query("end_user", "An end user, to see what is used by that one.", pattern(1, 150, printable)),

		"end_user_filter":  query("end_user", "Only those of this end user; * for those of the account and all of its end users. Needs the scope read:account. Absent: those for whom the request is.", pattern(1, 150, printable)),
		"agent_filter":     query("agent_id", "Only those of this agent.", text(0, 0)),
		"schedule_filter":  query("schedule_id", "Only those of this schedule.", text(0, 0)),
		"run_filter":       query("run_id", "Only those of this run.", text(0, 0)),
		"approvals_status": query("status", "Only those that stand like this.", &huma.Schema{Type: huma.TypeString, Enum: anys(approvalStatuses)}),
		"phase":            query("phase", "Only runs in this phase.", &huma.Schema{Type: huma.TypeString, Enum: anys(phases)}),
		"error_code":       query("error_code", "Only runs that failed or were cancelled with this code.", text(0, 0)),
		"trigger":          query("trigger", "Only those with this trigger.", &huma.Schema{Type: huma.TypeString, Enum: anys(triggers)}),
		"run_trigger":      query("trigger", "Only those with this trigger.", &huma.Schema{Type: huma.TypeString, Enum: anys(runTriggers)}),
		"created_from":     query("from", "Only runs that were made at or after this instant.", moment),
		"created_to":       query("to", "Only runs that were made at or before this instant.", moment),

		"summary_from": query("from", "Where the summary begins: the beginning of this hour, within the last 400 days. Default: a day before to.", moment),
		"summary_to":   query("to", "Where it ends: the end of this hour. At most 366 days after from. Default: now.", moment),
		"hours":        query("bucket", "Seconds in a bucket: a multiple of 3600; at most 1000 buckets.", &huma.Schema{Type: huma.TypeInteger, Minimum: &hour, Maximum: &week, Default: 3600}),
	}
	maps.Copy(all, filterParams())
	maps.Copy(all, laneParams())
	return all
}

// llmParams are those of responses and conversations.
func llmParams() map[string]*huma.Param {
	return map[string]*huma.Param{
		"order_oldest_first": query("order", "By creation: oldest or newest first.", &huma.Schema{Type: huma.TypeString, Enum: []any{"asc", "desc"}, Default: "asc"}),
		"stream":             query("stream", "Whether to answer with events.", &huma.Schema{Type: huma.TypeBoolean, Default: false}),
		"if_match_hash":      query("if_match", "The content_hash that the note must have; 412 if somebody has changed it.", &huma.Schema{Type: huma.TypeString}),
		"include_revoked":    query("include_revoked", "Whether revoked credentials are answered as well.", &huma.Schema{Type: huma.TypeBoolean, Default: false}),
	}
}

// printable is what an end user can be named with.
const printable = `^[ -~]+$`

func query(name, about string, s *huma.Schema) *huma.Param {
	return &huma.Param{Name: name, In: "query", Description: about, Schema: s}
}

func header(name, about string, s *huma.Schema) *huma.Param {
	return &huma.Param{Name: name, In: "header", Description: about, Schema: s}
}

func pattern(low, high int, re string) *huma.Schema {
	s := text(low, high)
	s.Pattern = re
	return s
}
