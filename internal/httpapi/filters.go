package httpapi

import (
	"net/url"
	"regexp"
	"slices"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rota-run/rota"
)

const (
	maxSearch = 200 // characters that a list is searched for
	maxPairs  = 16  // of metadata by which a list is narrowed
)

var pauseCodes = []string{string(rota.PausedManually), string(rota.PausedByFailures), string(rota.PausedByKey), string(rota.PausedByDeletion), string(rota.PausedByUnsharing)}

// filterParams are those that narrow and sort lists.
func filterParams() map[string]*huma.Param {
	metadata := query("metadata", "Only those whose metadata have all of these, as metadata[key]=value; at most 16.", &huma.Schema{Type: huma.TypeObject, AdditionalProperties: &huma.Schema{Type: huma.TypeString}})
	explode := true
	metadata.Style, metadata.Explode = "deepObject", &explode
	return map[string]*huma.Param{
		"metadata_filter":     metadata,
		"name_filter":         query("name", "Only those with this name.", text(1, 120)),
		"schedule_search":     query("q", "Only those with this in their name, description, key or input. The case of ASCII letters does not count.", text(1, maxSearch)),
		"run_search":          query("q", "Only runs with this in their input or error. The case of ASCII letters does not count.", text(1, maxSearch)),
		"occurrence_search":   query("q", "Only those with this in their reason or in the name of their schedule. The case of ASCII letters does not count.", text(1, maxSearch)),
		"reason_filter":       query("reason", "Only those whose reason has this code, such as worker_lost.", text(1, 64)),
		"unseen_occurrences":  query("unseen", "Only those that were missed or blocked and that nobody has acknowledged.", &huma.Schema{Type: huma.TypeBoolean, Default: false}),
		"unseen_runs":         query("unseen", "Only those that failed or are incomplete and that nobody has acknowledged.", &huma.Schema{Type: huma.TypeBoolean, Default: false}),
		"recorded_by":         query("as_of", "Only what was on record at this time.", &huma.Schema{Type: huma.TypeString, Format: "date-time"}),
		"ended_by":            query("as_of", "Only those that had ended at this time.", &huma.Schema{Type: huma.TypeString, Format: "date-time"}),
		"pause_reason_filter": query("pause_reason", "Only schedules that are paused for this reason.", &huma.Schema{Type: huma.TypeString, Enum: anys(pauseCodes)}),
		"with_count":          query("count", "Whether to count what the list has in all: up to 10,000, beyond which count_is_minimum is true.", &huma.Schema{Type: huma.TypeBoolean, Default: false}),
		"schedule_sort":       query("sort", "What the list is in the order of. Cursors of one order are of no use in another.", &huma.Schema{Type: huma.TypeString, Enum: anys(scheduleSorts), Default: string(rota.SortCreated)}),
		"agent_search":        query("q", "Only agents with this in their name, description, key, model or instructions. The case of ASCII letters does not count.", text(1, maxSearch)),
		"id_filter":           query("id", "Only the schedule with this id.", text(1, 64)),
		"agent_sort":          query("sort", "What the list is in the order of. Cursors of one order are of no use in another.", &huma.Schema{Type: huma.TypeString, Enum: anys(agentSorts), Default: string(rota.SortCreated)}),
		"order_of_sort":       query("order", "By created_at, newest or oldest first, by default desc; by name and next_run_at, by default asc.", &huma.Schema{Type: huma.TypeString, Enum: []any{"asc", "desc"}}),
	}
}

var agentSorts = []string{string(rota.SortCreated), string(rota.SortName)}

var scheduleSorts = []string{string(rota.SortCreated), string(rota.SortName), string(rota.SortNextRun)}

// sorted gives a list other orders besides that of creation.
func (op *operation) sorted(param string, sorts []string) *operation {
	op.params[slices.Index(op.params, "order")] = "order_of_sort"
	op.sorts = sorts
	op.cursor = func(at string) error {
		if anyCursor.MatchString(at) {
			return nil
		}
		return rota.Errorf(rota.Invalid, "no cursor")
	}
	return op.with(param)
}

// anyCursor is what a cursor looks like in any order: an id, or an id and the value by which
// the list is sorted.
var anyCursor = regexp.MustCompile(`^([a-z]+_)+[0-9a-f]{32}(\.[0-9A-Za-z_-]*)?$`)

// page reads the parameters of a list.
func (op *operation) page(q url.Values) (rota.Page, error) {
	p, err := page(q, op.cursor)
	if err != nil {
		return p, err
	}
	if slices.Contains(op.params, "with_count") {
		if p.Count, err = boolParam(q, "count"); err != nil {
			return p, err
		}
	}
	if op.sorts == nil {
		return p, nil
	}
	sort, err := wordParam(q, "sort", op.sorts)
	if err != nil {
		return p, err
	}
	if sort != string(rota.SortCreated) {
		p.Sort = rota.Sort(sort)
	}
	if p.Sort != "" {
		p.Ascending = q.Get("order") != "desc"
	}
	for _, name := range []string{"after", "before"} {
		if at := q.Get(name); at != "" && cursor.MatchString(at) != (p.Sort == "") {
			return p, rota.InvalidField(name, "must be the first_id or last_id of a page in the same order")
		}
	}
	return p, nil
}

func scheduleFilter(q url.Values) (rota.ScheduleFilter, error) {
	f := rota.ScheduleFilter{ID: rota.ScheduleID(q.Get("id")), AgentID: rota.AgentID(q.Get("agent_id"))}
	status, err := wordParam(q, "status", listedStatuses)
	if err != nil {
		return f, err
	}
	reason, err := wordParam(q, "pause_reason", pauseCodes)
	if err != nil {
		return f, err
	}
	f.Status, f.PauseReason = rota.ScheduleStatus(status), rota.PauseCode(reason)
	if f.Name, err = textParam(q, "name", 120); err != nil {
		return f, err
	}
	if f.Q, err = textParam(q, "q", maxSearch); err != nil {
		return f, err
	}
	f.Metadata, err = metadataParam(q)
	return f, err
}

// textParam reads a parameter that is a text, or absent.
func textParam(q url.Values, name string, most int) (string, error) {
	v := q.Get(name)
	if n := utf8.RuneCountInString(v); q.Has(name) && (n < 1 || n > most || !utf8.ValidString(v)) {
		return "", rota.InvalidField(name, "must be 1 to %d characters", most)
	}
	return v, nil
}

// metadataKey is the name of a parameter that is about one key of metadata.
var metadataKey = regexp.MustCompile(`^metadata\[(?s:(.*))\]$`)

// metadataParam reads parameters such as metadata[team]=ops.
func metadataParam(q url.Values) (map[string]string, error) {
	if q.Has("metadata") {
		return nil, rota.InvalidField("metadata", "must be written with a key, such as metadata[team]=ops")
	}
	var pairs map[string]string
	for name, values := range q {
		m := metadataKey.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		if len(values) > 1 {
			return nil, rota.InvalidField("metadata", "must have each key once")
		}
		if pairs == nil {
			pairs = make(map[string]string)
		}
		pairs[m[1]] = values[0]
	}
	if len(pairs) > maxPairs {
		return nil, rota.InvalidField("metadata", "must have at most %d keys", maxPairs)
	}
	return pairs, nil
}
