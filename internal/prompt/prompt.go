// Package prompt fills in what an agent may want to know of its occurrence. In
// the runs of schedules, instructions and inputs may use
//
//	{{scheduled_for}}  the nominal time, with the offset of the schedule's zone
//	{{timezone}}       the zone's name
//	{{last_run_at}}    when the schedule's run before this one was started; empty for the first
//	{{run_count}}      how many runs the schedule has started, this one included
//	{{schedule_name}}  the schedule's name; empty if it has none
//	{{end_user}}       for whom the run is; empty for the account itself
//
// All other text stays as it is, whatever braces are in it.
package prompt

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/zoneinfo"
)

// UnknownVariable is the code of a warning about something in double braces
// that is none of the variables.
const UnknownVariable = "unknown_variable"

// maxWarnings is how many different names one text is warned about.
const maxWarnings = 10

const names = "scheduled_for, timezone, last_run_at, run_count, schedule_name, end_user"

var (
	variable = regexp.MustCompile(`\{\{\s*(` + strings.ReplaceAll(names, ", ", "|") + `)\s*\}\}`)
	braces   = regexp.MustCompile(`\{\{[^{}]*\}\}`)
)

// Warnings returns one warning, about param, for each different thing in double
// braces in the texts that is none of the variables; at most 10. It is not nil.
func Warnings(param string, texts ...string) []rota.Warning {
	all := []rota.Warning{}
	var seen []string
	for _, text := range texts {
		for _, found := range braces.FindAllString(text, -1) {
			if len(all) == maxWarnings || variable.MatchString(found) || slices.Contains(seen, found) {
				continue
			}
			seen = append(seen, found)
			all = append(all, rota.Warning{
				Code: UnknownVariable, Param: param,
				Message: short(found) + " is not a variable and stays as it is; the variables are " + names,
			})
		}
	}
	return all
}

// InputWarnings is Warnings for all the texts of an input.
func InputWarnings(param string, in rota.Input) []rota.Warning {
	if !strings.Contains(string(in.RawMessage), "{{") {
		return []rota.Warning{}
	}
	var texts []string
	_, _ = mapTexts(in, func(text string) string {
		texts = append(texts, text)
		return text
	}) // an input that cannot be read has no variables
	slices.Sort(texts) // members of objects have no order
	return Warnings(param, texts...)
}

// short keeps a name that may be half the text out of messages.
func short(name string) string {
	const enough = 40
	if chars := []rune(name); len(chars) > enough {
		return string(chars[:enough]) + "…"
	}
	return name
}

// Render returns the text with the variables filled in.
func Render(text string, f rota.FireContext) string {
	return variable.ReplaceAllStringFunc(text, func(found string) string {
		return value(strings.TrimSpace(strings.Trim(found, "{}")), f)
	})
}

// RenderInput fills in every text of an input: the whole of a string, the text
// fields of items, and the content of messages where it is a text.
func RenderInput(in rota.Input, f rota.FireContext) (rota.Input, error) {
	if !strings.Contains(string(in.RawMessage), "{{") {
		return in, nil
	}
	return mapTexts(in, func(text string) string { return Render(text, f) })
}

func value(name string, f rota.FireContext) string {
	switch name {
	case "scheduled_for":
		return inZone(f.ScheduledFor, f.Timezone)
	case "timezone":
		return f.Timezone
	case "last_run_at":
		if f.LastRunAt == nil {
			return ""
		}
		return inZone(*f.LastRunAt, f.Timezone)
	case "run_count":
		return strconv.FormatInt(f.RunCount, 10)
	case "end_user":
		return f.EndUser
	default:
		return f.ScheduleName
	}
}

func inZone(i rota.Instant, zone string) string {
	loc, err := zoneinfo.Load(zone)
	if err != nil {
		loc = time.UTC
	}
	return i.In(loc).Format(time.RFC3339)
}

// mapTexts returns the input with fn applied to its texts.
func mapTexts(in rota.Input, fn func(string) string) (rota.Input, error) {
	if len(in.RawMessage) > 0 && in.RawMessage[0] == '"' {
		var text string
		if err := json.Unmarshal(in.RawMessage, &text); err != nil {
			return in, fmt.Errorf("read input: %w", err)
		}
		return rota.InputText(fn(text)), nil
	}
	var items any
	dec := json.NewDecoder(strings.NewReader(string(in.RawMessage)))
	dec.UseNumber()
	if err := dec.Decode(&items); err != nil {
		return in, fmt.Errorf("read input: %w", err)
	}
	return rota.Input{Any: rota.AnyOf(walk(items, fn))}, nil
}

// walk applies fn to the values of text fields, however deep, and to the content of
// messages, which have a role, where it is a text.
func walk(v any, fn func(string) string) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = walk(v[i], fn)
		}
	case map[string]any:
		_, message := v["role"].(string)
		for name, member := range v {
			if text, ok := member.(string); ok && (name == "text" || name == "content" && message) {
				v[name] = fn(text)
				continue
			}
			v[name] = walk(member, fn)
		}
	}
	return v
}
