package console

import (
	"cmp"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rota-run/rota"
)

// A form is what somebody typed, by the dotted paths of the API's fields. A field that
// was there before has its old value as well, under its name behind [before].
type form struct {
	url.Values
	Fields   []string
	Problem  *rota.Error // what is wrong; nil if nothing is
	Others   []difference
	required []string // fields that have no null
}

// before begins the name of what a field was when the form was opened.
const before = "before."

// A difference is a field that somebody else has changed since the form was opened, to
// something else than what was typed.
type difference struct{ Name, Before, Now, Yours string }

// A field is one input of a form.
type field struct {
	Name, Label, Help, Value string
	Wrong                    string // what is wrong with it
	Required                 bool
}

// newField returns the input of a field.
func newField(f form, name, label, help string) field {
	in := field{Name: name, Label: label, Help: help, Value: f.Get(name), Required: slices.Contains(f.required, name)}
	if f.Problem != nil && f.Problem.Field == name {
		in.Wrong = f.Problem.Msg
	}
	return in
}

// Elsewhere returns the problem if it is about no field of the form.
func (f form) Elsewhere() *rota.Error {
	if f.Problem == nil || slices.Contains(f.Fields, f.Problem.Field) {
		return nil
	}
	return f.Problem
}

// Before returns what the fields were when the form was opened.
func (f form) Before() map[string]string {
	all := map[string]string{}
	for _, name := range f.Fields {
		if f.Has(before + name) {
			all[name] = f.Get(before + name)
		}
	}
	return all
}

// begun returns the form with what the fields are now as what they were before.
func (f form) begun(now url.Values) form {
	for _, name := range f.Fields {
		f.Set(before+name, now.Get(name))
	}
	f.Set("version", now.Get("version"))
	return f
}

// merge takes over what somebody else has changed since the form was opened. Where both
// have, what was typed stays, and the difference is noted.
func (f form) merge(now url.Values) form {
	for _, name := range f.Fields {
		was, is, yours := f.Get(before+name), now.Get(name), f.Get(name)
		switch {
		case yours == was:
			f.Set(name, is)
		case is != was && is != yours:
			f.Others = append(f.Others, difference{name, was, is, yours})
		}
	}
	return f.begun(now)
}

// changed reports whether one of the fields is not what it was.
func (f form) changed(names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return !f.Has(before+n) || f.Get(n) != f.Get(before+n) })
}

// body returns the JSON of the fields that are not what they were.
func (f form) body() map[string]any {
	body := map[string]any{}
	for _, name := range f.Fields {
		if f.changed(name) {
			put(body, name, f.typed(name))
		}
	}
	return body
}

var wholeNumber = regexp.MustCompile(`^-?[0-9]+$`)

// typed returns what a field has in JSON: a number if it is one, and null if it is empty.
func (f form) typed(name string) any {
	text := f.Get(name)
	switch {
	case text == "" && !slices.Contains(f.required, name):
		return nil
	case isNumber(name) && wholeNumber.MatchString(text):
		return json.Number(text)
	}
	return text
}

func isNumber(name string) bool {
	return strings.HasSuffix(name, "_seconds") || strings.HasPrefix(name, "policy.") && (strings.Contains(name, "max_") || strings.HasSuffix(name, "_failures"))
}

// put sets what stands at a dotted path.
func put(body map[string]any, path string, value any) {
	first, rest, nested := strings.Cut(path, ".")
	if !nested {
		body[first] = value
		return
	}
	inner, ok := body[first].(map[string]any)
	if !ok {
		inner = map[string]any{}
		body[first] = inner
	}
	put(inner, rest, value)
}

// decode reads a body as the API does.
func (c *console) decode(body map[string]any, in any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return c.Decode(b, in)
}

// A choice is a field with few values.
type choice struct {
	Field   field
	Options []option
}

type option struct{ Value, Label string }

// newChoice returns a choice of values, each followed by its label.
func newChoice(f field, pairs ...string) choice {
	c := choice{Field: f}
	for pair := range slices.Chunk(pairs, 2) {
		c.Options = append(c.Options, option{pair[0], pair[1]})
	}
	return c
}

// PolicyIsWrong reports whether the problem is about a field of the policy.
func (f form) PolicyIsWrong() bool {
	return f.Problem != nil && strings.HasPrefix(f.Problem.Field, "policy.")
}

// planned is what a table of times to come needs.
type planned struct {
	Now  time.Time
	Zone string
	Data []rota.PlannedTime
}

func newPlanned(v view, times []rota.PlannedTime, zone string) planned {
	return planned{Now: v.Now, Zone: cmp.Or(zone, "UTC"), Data: times}
}
