// Package prompt fills in what an agent may want to know of its occurrence:
// instructions and inputs may use
//
//	{{scheduled_for}}  the nominal time, with the offset of the schedule's zone
//	{{timezone}}       the zone's name
//	{{last_run_at}}    when the schedule's run before this one was started; empty for the first
//	{{run_count}}      how many runs the schedule has started, this one included
//	{{schedule_name}}  the schedule's name; empty if it has none
//
// Of a run that a call of the API started, scheduled_for is when it was
// created, and the others are empty, UTC or 0. {{{{ stands for {{ itself.
package prompt

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rota-run/rota"
)

// variables lists the names that a text may use.
var variables = []string{"scheduled_for", "timezone", "last_run_at", "run_count", "schedule_name"}

const (
	opening = "{{"
	closing = "}}"
)

// Check returns Invalid under the field if the text uses a name that is none
// of the variables, or does not close one.
func Check(field, text string) error {
	_, err := expand(text, func(name string) string { return "" })
	if err != nil {
		return rota.InvalidField(field, "%s; there are %s, and {{{{ stands for {{", err, strings.Join(variables, ", "))
	}
	return nil
}

// CheckInput is Check for every text of an input.
func CheckInput(field string, in rota.Input) error {
	var failed error
	_, err := mapTexts(in, func(text string) string {
		if err := Check(field, text); err != nil && failed == nil {
			failed = err
		}
		return text
	})
	if failed != nil {
		return failed
	}
	return err
}

// Render fills in the text. What Check would refuse stays as it is: it was
// saved before there were variables.
func Render(text string, f rota.FireContext) string {
	out, err := expand(text, func(name string) string { return value(name, f) })
	if err != nil {
		return text
	}
	return out
}

// RenderInput fills in every text of an input: the whole of a string, and the
// text fields of items.
func RenderInput(in rota.Input, f rota.FireContext) (rota.Input, error) {
	if !strings.Contains(string(in.RawMessage), opening) {
		return in, nil
	}
	return mapTexts(in, func(text string) string { return Render(text, f) })
}

// expand replaces what stands between {{ and }}.
func expand(text string, value func(name string) string) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, opening)
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		if after, escaped := strings.CutPrefix(rest, opening); escaped {
			out.WriteString(opening)
			text = after
			continue
		}
		name, after, closed := strings.Cut(rest, closing)
		name = strings.TrimSpace(name)
		switch {
		case !closed:
			return "", fmt.Errorf("a {{ is not closed by }}")
		case !slices.Contains(variables, name):
			return "", fmt.Errorf("{{%s}} is not a variable", short(name))
		}
		out.WriteString(value(name))
		text = after
	}
}

// short keeps a name that may be half the text out of messages.
func short(name string) string {
	const enough = 40
	if chars := []rune(name); len(chars) > enough {
		return string(chars[:enough]) + "…"
	}
	return name
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
	default:
		return f.ScheduleName
	}
}

func inZone(i rota.Instant, zone string) string {
	loc, err := time.LoadLocation(zone)
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

// walk applies fn to the values of text fields, however deep.
func walk(v any, fn func(string) string) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = walk(v[i], fn)
		}
	case map[string]any:
		for name, member := range v {
			if text, ok := member.(string); ok && name == "text" {
				v[name] = fn(text)
				continue
			}
			v[name] = walk(member, fn)
		}
	}
	return v
}
