package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
)

// bodyFlag is the request body as JSON, for what has no flag of its own.
type bodyFlag struct {
	Body *string `placeholder:"JSON" help:"The whole request body, instead of flags; @FILE reads a file, - reads standard input."`
}

// raw returns the call option that sends --body, or none if it is absent. It
// refuses a body beside any of the flags that would write one.
func (b bodyFlag) raw(in io.Reader, flags any) ([]client.CallOption, error) {
	if b.Body == nil {
		return nil, nil
	}
	if !reflect.ValueOf(flags).IsZero() {
		return nil, usagef("--body is the whole request body; it cannot go with flags that write parts of it")
	}
	text, err := b.read(in)
	if err != nil {
		return nil, fileUsage("--body", err)
	}
	var raw json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, usagef("--body is not JSON: %w", err)
	}
	return []client.CallOption{client.Body(raw)}, nil
}

func (b bodyFlag) read(in io.Reader) ([]byte, error) {
	if *b.Body == "-" {
		return io.ReadAll(in)
	}
	if file, ok := strings.CutPrefix(*b.Body, "@"); ok {
		return os.ReadFile(file)
	}
	return []byte(*b.Body), nil
}

// metadataFlag is the metadata of anything.
type metadataFlag struct {
	Metadata map[string]string `mapsep:"none" placeholder:"KEY=VALUE" help:"Note to keep with it; may be repeated."`
}

func (m metadataFlag) update() rota.Opt[map[string]string] {
	if m.Metadata == nil {
		return rota.Opt[map[string]string]{}
	}
	return rota.Some(m.Metadata)
}

// continuityFlags say what a run goes on from.
type continuityFlags struct {
	Conversation       *string `placeholder:"ID" help:"Conversation that runs join."`
	PreviousResponseID *string `placeholder:"ID" help:"Response that the first run goes on from."`
}

func (c continuityFlags) conversation() rota.Conversation {
	if c.Conversation == nil {
		return rota.Conversation{}
	}
	return rota.Conversation{Any: rota.AnyOf(*c.Conversation)}
}

// some returns the value that a flag was given, if it was.
func some[T any](flag *T) rota.Opt[T] {
	if flag == nil {
		return rota.Opt[T]{}
	}
	return rota.Some(*flag)
}

// clearable is some for a field that an empty value clears.
func clearable(flag *string) rota.Opt[string] {
	if flag != nil && *flag == "" {
		return rota.Null[string]()
	}
	return some(flag)
}

// A span is a duration in whole seconds, which may count days: 1d12h.
type span time.Duration

const day = 24 * time.Hour

// UnmarshalText reads days and what time.ParseDuration reads.
func (s *span) UnmarshalText(text []byte) error {
	var days int
	rest := string(text)
	if number, after, ok := strings.Cut(rest, "d"); ok {
		n, err := strconv.ParseUint(number, 10, 16)
		if err != nil {
			return errSpan(text)
		}
		days, rest = int(n), after
	}
	var d time.Duration
	if rest != "" || days == 0 {
		var err error
		if d, err = time.ParseDuration(rest); err != nil || d < 0 || d%time.Second != 0 {
			return errSpan(text)
		}
	}
	*s = span(time.Duration(days)*day + d)
	return nil
}

func errSpan(text []byte) error {
	return fmt.Errorf("%q is not a time in whole seconds such as 90s, 1h30m or 7d", text)
}

// String returns what UnmarshalText reads, without units that are zero.
func (s span) String() string {
	d := time.Duration(s)
	text := ""
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"d", day}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		if n := d / unit.size; n > 0 {
			text += strconv.FormatInt(int64(n), 10) + unit.name
			d %= unit.size
		}
	}
	if text == "" {
		return "0s"
	}
	return text
}

func (s span) seconds() int64 { return int64(time.Duration(s) / time.Second) }

// seconds is some for a field in seconds.
func seconds(flag *span) rota.Opt[int64] {
	if flag == nil {
		return rota.Opt[int64]{}
	}
	return rota.Some(flag.seconds())
}

// spanOf returns a number of seconds as people write it.
func spanOf(seconds int64) string { return span(time.Duration(seconds) * time.Second).String() }
