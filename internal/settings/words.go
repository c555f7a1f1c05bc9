package settings

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// A Duration is written like 90s or 5m.
type Duration time.Duration

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := ParseDuration(string(b))
	*d = Duration(v)
	return err
}

const day = 24 * time.Hour

var days = regexp.MustCompile(`^(\d{1,5})d(.*)$`)

// ParseDuration reads a duration such as 90s, 1h30m or 30d. A day is 24 hours, and days
// are whole and come first.
func ParseDuration(text string) (time.Duration, error) {
	m := days.FindStringSubmatch(text)
	if m == nil {
		m = []string{"", "0", text}
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0, WrongDuration(text)
	}
	var rest time.Duration
	if m[2] != "" || n == 0 && m[0] == "" {
		rest, err = time.ParseDuration(m[2])
	}
	if err != nil || m[0] != "" && rest < 0 {
		return 0, WrongDuration(text)
	}
	return time.Duration(n)*day + rest, nil
}

// Durations lets settings that are durations be written as [ParseDuration] reads them.
func Durations() kong.Option {
	return kong.TypeMapper(reflect.TypeFor[time.Duration](), kong.MapperFunc(func(ctx *kong.DecodeContext, target reflect.Value) error {
		var text string
		if err := ctx.Scan.PopValueInto("duration", &text); err != nil {
			return err
		}
		d, err := ParseDuration(text)
		if err != nil {
			return fmt.Errorf("expected duration but got %q", text)
		}
		target.SetInt(int64(d))
		return nil
	}))
}

// Or returns d, or the default if d is zero.
func (d Duration) Or(def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return time.Duration(d)
}

// WrongDuration returns the error of a text that is no duration. It says which units
// there are, most of all if there is none.
func WrongDuration(text string) error {
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return fmt.Errorf("%q has no unit: write %[2]ss, %[2]sm, %[2]sh or %[2]sd for seconds, minutes, hours or days", text, text)
	}
	return fmt.Errorf("%q is not a duration such as 90s, 5m, 1h30m or 30d", text)
}

var (
	fromVar = regexp.MustCompile(`(?s) \(from envar .*\)$`)
	wrong   = regexp.MustCompile(`^(?:(--[a-z0-9-]+)[^:]*: )?(expected duration|expected a valid|bool value must|a rate limit is).* (?:but got|not) ("(?:[^"\\]|\\.)*")(?:: time: .*)?$`)
)

// inOurWords returns what kong says of a value as a person would.
func inOurWords(text string) string {
	text = fromVar.ReplaceAllLiteralString(text, "")
	m := wrong.FindStringSubmatch(text)
	if m == nil {
		return text
	}
	value, err := strconv.Unquote(m[3])
	switch {
	case err != nil:
		return text
	case Secret(value) == "" && m[1] != "":
		return empty(m[1])
	case m[2] == "a rate limit is":
		return text
	case m[1] != "":
		return m[1] + ": " + notA(m[2], value)
	}
	return notA(m[2], value)
}

// notA says what a value is not, by how kong's message begins.
func notA(kind, value string) string {
	switch kind {
	case "expected duration":
		return WrongDuration(value).Error()
	case "expected a valid":
		return fmt.Sprintf("must be a whole number, not %q", value)
	}
	return fmt.Sprintf("must be true or false, not %q", value)
}

// Explain returns err in our words, with the environment variable of the flag that its
// message begins with, as kong's messages do, if it does.
func Explain(flags []*kong.Flag, err error) error {
	if err == nil {
		return nil
	}
	text := inOurWords(err.Error())
	for _, f := range flags {
		rest, ok := strings.CutPrefix(text, "--"+f.Name)
		if ok && len(f.Envs) > 0 && (strings.HasPrefix(rest, ":") || strings.HasPrefix(rest, " ")) {
			return explained{"--" + f.Name + " ($" + f.Envs[0] + ")" + rest, err}
		}
	}
	if text == err.Error() {
		return err
	}
	return explained{text, err}
}

// explained is an error with another text.
type explained struct {
	text string
	error
}

func (e explained) Error() string { return e.text }
func (e explained) Unwrap() error { return e.error }
