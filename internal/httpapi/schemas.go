package httpapi

import (
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rota-run/rota"
)

const (
	refPrefix     = "#/components/schemas/"
	propertyNames = "propertyNames" // a keyword that huma.Schema has no field for
	formatInstant = "date-time"
)

// newRegistry returns an empty registry that knows how the types of package
// rota look as JSON.
func newRegistry() huma.Registry {
	r := huma.NewMapRegistry(refPrefix, componentName)
	alias[rota.Any, anything](r)
	alias[rota.Object, object](r)
	alias[rota.Instant, instant](r)
	alias[rota.Input, input](r)
	alias[rota.Conversation, conversation](r)
	alias[rota.Spec, spec](r)
	alias[rota.Scope, scope](r)
	alias[rota.RateLimit, rateLimit](r)
	alias[rota.Code, code](r)
	alias[map[string]string, metadata](r)

	optional[string](r)
	optional[int](r)
	optional[int64](r)
	optional[bool](r)
	optional[rota.Any](r)
	optional[float64](r)
	optional[map[string]string](r)
	optional[rota.Object](r)
	optional[[]string](r)
	optional[[]rota.Object](r)
	optional[[]rota.Scope](r)
	optional[[]rota.RateLimit](r)
	optional[rota.Instant](r)
	optional[rota.Spec](r)
	optional[rota.Input](r)
	optional[rota.Conversation](r)
	optional[rota.Overlap](r)
	optional[rota.Visibility](r)
	optional[rota.PauseCode](r)
	optional[rota.Outcome](r)
	optional[rota.Phase](r)
	optional[rota.Trigger](r)
	optional[rota.ScheduleID](r)
	optional[rota.AgentID](r)
	optional[rota.Missed](r)
	optional[rota.OnCrash](r)
	alias[rota.Opt[rota.RetryUpdate], retryUpdate](r)
	alias[rota.Opt[rota.Delegate], delegate](r)
	return r
}

func alias[T, As any](r huma.Registry) {
	r.RegisterTypeAlias(reflect.TypeFor[T](), reflect.TypeFor[As]())
}

// optional makes Opt[T] look like T; a tag says whether null is accepted.
func optional[T any](r huma.Registry) { alias[rota.Opt[T], T](r) }

// componentName returns the name of a type in the document: AgentList for
// List[Agent], AgentDeleted for Deleted[AgentID].
func componentName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	if of, ok := strings.CutPrefix(name, "List"); ok {
		return of + "List"
	}
	if of, ok := strings.CutPrefix(name, "Deleted"); ok {
		return strings.TrimSuffix(of, "ID") + "Deleted"
	}
	return name
}

// The types below stand in for types of package rota and say how they look.
type (
	anything     struct{}
	object       struct{}
	instant      struct{}
	input        struct{}
	conversation struct{}
	spec         struct{}
	scope        struct{}
	rateLimit    struct{}
	code         struct{}
	metadata     struct{}
	retryUpdate  struct{}
	delegate     struct{}
)

func (anything) Schema(huma.Registry) *huma.Schema { return &huma.Schema{} }

func (object) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
}

func (instant) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: formatInstant, Examples: []any{"2026-11-23T05:31:56.000Z"}}
}

func (input) Schema(huma.Registry) *huma.Schema { return inputSchema(nil, nil, nil) }

func (conversation) Schema(huma.Registry) *huma.Schema {
	byID := &huma.Schema{
		Type:                 huma.TypeObject,
		Properties:           map[string]*huma.Schema{"id": text(1, 256)},
		AdditionalProperties: false,
	}
	return &huma.Schema{
		Description: "The conversation that runs join: its id, an object with its id, an empty object for a new one of their own, or null.",
		OneOf:       []*huma.Schema{text(1, 256), byID, null()},
	}
}

func (spec) Schema(huma.Registry) *huma.Schema { return ref("ScheduleSpec") }

func (scope) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Enum: anys(rota.AllScopes())}
}

func (rateLimit) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Pattern: rota.RateLimitPattern, Examples: []any{"600/minute"}}
}

func (code) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Enum: anys(rota.Codes[:])}
}

func (metadata) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type:                 huma.TypeObject,
		Description:          "Up to 16 pairs of strings that Rota keeps for you.",
		AdditionalProperties: text(0, 512),
		MaxProperties:        new(16),
		Extensions:           map[string]any{propertyNames: &huma.Schema{MaxLength: new(64)}},
	}
}

// Schema is written in place: huma cannot say that a component may be null.
func (retryUpdate) Schema(r huma.Registry) *huma.Schema {
	return huma.SchemaFromType(r, reflect.TypeFor[rota.RetryUpdate]())
}

// Schema is written in place, too.
func (delegate) Schema(r huma.Registry) *huma.Schema {
	return huma.SchemaFromType(r, reflect.TypeFor[rota.Delegate]())
}

func ref(name string) *huma.Schema { return &huma.Schema{Ref: refPrefix + name} }

func null() *huma.Schema { return &huma.Schema{Type: "null"} }

// text is a string of low to high characters; zero is no bound.
func text(low, high int) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	if low > 0 {
		s.MinLength = &low
	}
	if high > 0 {
		s.MaxLength = &high
	}
	return s
}

// maxInputItems is how many items an input may have. Small ones take many times
// their size in memory.
const maxInputItems = 2048

// inputSchema is a string or an array of items. Bounds may be nil.
func inputSchema(minLength, maxLength, minItems *int) *huma.Schema {
	return &huma.Schema{
		Description: "What the model is given: a text, or items of the Responses API.",
		OneOf: []*huma.Schema{
			{Type: huma.TypeString, MinLength: minLength, MaxLength: maxLength},
			{Type: huma.TypeArray, Items: ref("InputItem"), MinItems: minItems, MaxItems: new(maxInputItems)},
		},
	}
}

// typed is an object of which only the type is known.
func typed(about string) *huma.Schema {
	return &huma.Schema{
		Type:                 huma.TypeObject,
		Description:          about,
		Properties:           map[string]*huma.Schema{"type": text(1, 0)},
		Required:             []string{"type"},
		AdditionalProperties: true,
	}
}

func contextManagement() *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeObject,
		Properties: map[string]*huma.Schema{
			"type":              {Type: huma.TypeString, Enum: []any{"compaction"}},
			"compact_threshold": {Type: huma.TypeInteger, Minimum: new(1000.0), Description: "The number of tokens above which older history is summed up."},
		},
		Required:             []string{"type", "compact_threshold"},
		AdditionalProperties: false,
	}
}

func anys[T ~string](values []T) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}

// Variants of the time part of a schedule, as requests and answers have it.
type (
	OnceSpecInput struct {
		Type     string `json:"type" enum:"once"`
		RunAt    string `json:"run_at" minLength:"1" maxLength:"64" doc:"RFC 3339. Without an offset it is wall-clock time in the time zone." example:"2026-12-01T09:00:00"`
		Timezone string `json:"timezone,omitempty" minLength:"1" maxLength:"64" default:"UTC" doc:"IANA name." example:"Europe/Madrid"`
	}
	IntervalSpecInput struct {
		Type            string `json:"type" enum:"interval"`
		IntervalSeconds int64  `json:"interval_seconds" minimum:"1" maximum:"31622400" example:"3600"`
		StartAt         string `json:"start_at,omitempty" minLength:"1" maxLength:"64" doc:"Where the interval is counted from, RFC 3339; without an offset it is wall-clock time in the time zone. If it lies ahead, it is the first time. Absent: the moment the schedule is set, and the first time is one interval later." example:"2026-12-01T09:00:00"`
		Timezone        string `json:"timezone,omitempty" minLength:"1" maxLength:"64" default:"UTC" doc:"IANA name." example:"Europe/Madrid"`
	}
	CronSpecInput struct {
		Type           string `json:"type" enum:"cron"`
		CronExpression string `json:"cron_expression" minLength:"1" maxLength:"256" doc:"Minute, hour, day of month, month, day of week; or @hourly, @daily, @weekly, @monthly, @yearly." example:"0 9 * * MON-FRI"`
		Timezone       string `json:"timezone,omitempty" minLength:"1" maxLength:"64" default:"UTC" doc:"IANA name." example:"Europe/Madrid"`
	}
	OnceSpec struct {
		Type     string `json:"type" enum:"once"`
		RunAt    string `json:"run_at" format:"date-time" example:"2026-12-01T08:00:00.000Z"`
		Timezone string `json:"timezone" example:"Europe/Madrid"`
	}
	IntervalSpec struct {
		Type            string `json:"type" enum:"interval"`
		IntervalSeconds int64  `json:"interval_seconds" example:"3600"`
		StartAt         string `json:"start_at,omitempty" format:"date-time" example:"2026-12-01T08:00:00.000Z"`
		Timezone        string `json:"timezone" example:"Europe/Madrid"`
	}
	CronSpec struct {
		Type           string `json:"type" enum:"cron"`
		CronExpression string `json:"cron_expression" example:"0 9 * * MON-FRI"`
		Timezone       string `json:"timezone" example:"Europe/Madrid"`
	}
)

// union returns a component of variants that are told apart by their type.
func union(once, interval, cron *huma.Schema) *huma.Schema {
	return &huma.Schema{
		OneOf: []*huma.Schema{once, interval, cron},
		Discriminator: &huma.Discriminator{
			PropertyName: "type",
			Mapping: map[string]string{
				string(rota.Once):     once.Ref,
				string(rota.Interval): interval.Ref,
				string(rota.Cron):     cron.Ref,
			},
		},
	}
}

func schemaOf[T any](r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[T](), true, "")
}

// refine says what the types and tags of package rota cannot say.
func refine(r huma.Registry) {
	m := r.Map()
	m["Tool"] = typed("A tool of the Responses API, kept as it was sent.")
	m["InputItem"] = typed("An item of the Responses API, kept as it was sent.")
	m["InputItem"].Required = nil // a message needs none
	m["ScheduleSpec"] = union(schemaOf[OnceSpec](r), schemaOf[IntervalSpec](r), schemaOf[CronSpec](r))
	m["ScheduleSpecInput"] = union(schemaOf[OnceSpecInput](r), schemaOf[IntervalSpecInput](r), schemaOf[CronSpecInput](r))
	for _, name := range []string{"Agent", "AgentVersion", "AgentCreate", "AgentUpdate"} {
		m[name].Properties["tools"].Items = ref("Tool")
	}
	for _, name := range []string{"AgentCreate", "AgentUpdate"} {
		m[name].Properties["fallback_models"].Items = text(1, 256)
	}
	m["PreviewCreate"].Properties["schedule"] = ref("ScheduleSpecInput")
	m["ContextManagement"] = contextManagement()
	for _, name := range []string{"Schedule", "ScheduleCreate", "ScheduleUpdate", "Run", "RunCreate"} {
		m[name].Properties["context_management"] = &huma.Schema{
			Description: "How a long history is cut down, for providers that do so; kept and passed on.",
			OneOf:       []*huma.Schema{{Type: huma.TypeArray, Items: ref("ContextManagement"), MaxItems: new(16)}, null()},
		}
	}
	for _, name := range []string{"ScheduleCreate", "ScheduleUpdate"} {
		m[name].Properties["schedule"] = ref("ScheduleSpecInput")
		m[name].Properties["input"] = inputSchema(new(1), new(20000), nil)
	}
	for _, name := range []string{"RunCreate", "RunWakeCreate"} {
		m[name].Properties["input"] = inputSchema(new(1), nil, new(1))
	}
	for name, s := range m {
		if strings.HasSuffix(name, "List") {
			s.Properties["object"].Enum = []any{"list"}
			if name != "OccurrenceList" {
				delete(s.Properties, "warnings")
			}
		}
	}
	m["AgentDeleted"].Properties["object"].Enum = []any{rota.ObjectAgentDeleted}
	m["FunctionToolDeleted"].Properties["object"].Enum = []any{rota.ObjectFunctionDeleted}
	m["ScheduleDeleted"].Properties["object"].Enum = []any{rota.ObjectScheduleDeleted}
	m["ErrorDetail"].Properties["type"].Enum = families()
}

// finish makes the components say what huma leaves out or gets wrong, and
// opens those that only answers use.
func finish(r huma.Registry, requests []*huma.Schema) {
	for name, s := range r.Map() {
		walk(s, listIsNotNull)
		if t := r.TypeFromRef(refPrefix + name); t != nil {
			pointersMayBeNull(s, t)
		}
		walk(s, tidySchema)
	}
	closed := reachable(r, requests)
	for name, s := range r.Map() {
		if !closed[name] {
			open(s)
			continue
		}
		defaultsInWords(s)
		if !strings.HasSuffix(name, "Update") {
			optionalMayBeNull(s)
		}
	}
}

// pointersMayBeNull marks the fields of an answer that are null when unset: pointers,
// and lists that have a tag.
func pointersMayBeNull(s *huma.Schema, t reflect.Type) {
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		p := s.Properties[name]
		switch {
		case p == nil || f.Type.Kind() != reflect.Pointer && f.Tag.Get("nullable") == "" || strings.Contains(options, "omitempty"):
		case p.Ref != "":
			s.Properties[name] = &huma.Schema{Description: p.Description, OneOf: []*huma.Schema{{Ref: p.Ref}, null()}}
		default:
			p.Nullable = true
		}
	}
}

// optionalMayBeNull lets the optional members of a body be null, which means the
// same as absent. Partial updates say for themselves what null means.
func optionalMayBeNull(s *huma.Schema) {
	for name, p := range s.Properties {
		switch {
		case slices.Contains(s.Required, name), p.Nullable:
		case p.Ref != "":
			s.Properties[name] = &huma.Schema{Description: p.Description, OneOf: []*huma.Schema{{Ref: p.Ref}, null()}}
		case p.OneOf != nil:
			if !slices.ContainsFunc(p.OneOf, func(b *huma.Schema) bool { return b.Type == "null" }) {
				p.OneOf = append(p.OneOf, null())
			}
		case p.Type != "":
			p.Nullable = true
			if p.Enum != nil {
				p.Enum = append(p.Enum, nil)
			}
		}
	}
}

// listIsNotNull corrects huma, which takes every slice for nullable.
func listIsNotNull(s *huma.Schema) {
	if s.Type == huma.TypeArray {
		s.Nullable = false
	}
}

func tidySchema(s *huma.Schema) {
	switch {
	case s.Type == "":
		s.Nullable = false // a union that accepts null has a branch for it
	case s.Nullable && s.Enum != nil && !slices.Contains(s.Enum, nil):
		s.Enum = append(s.Enum, nil)
	}
}

// walk visits s and every schema in it. It does not follow references.
func walk(s *huma.Schema, visit func(*huma.Schema)) {
	visit(s)
	for _, p := range s.Properties {
		walk(p, visit)
	}
	for _, branch := range slices.Concat(s.AnyOf, s.OneOf) {
		walk(branch, visit)
	}
	if s.Items != nil {
		walk(s.Items, visit)
	}
	if others, ok := s.AdditionalProperties.(*huma.Schema); ok {
		walk(others, visit)
	}
}

// reachable returns the names of the components that the schemas lead to.
func reachable(r huma.Registry, from []*huma.Schema) map[string]bool {
	found := make(map[string]bool)
	var visit func(*huma.Schema)
	visit = func(s *huma.Schema) {
		name := strings.TrimPrefix(s.Ref, refPrefix)
		if s.Ref == "" || found[name] {
			return
		}
		found[name] = true
		walk(r.SchemaFromRef(s.Ref), visit)
	}
	for _, s := range from {
		walk(s, visit)
	}
	return found
}
