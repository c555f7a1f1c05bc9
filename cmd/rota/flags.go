package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
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
func (b bodyFlag) raw(in io.Reader, flags ...any) ([]client.CallOption, error) {
	if b.Body == nil {
		return nil, nil
	}
	if slices.ContainsFunc(flags, func(f any) bool { return !reflect.ValueOf(f).IsZero() }) {
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
	if file, ok := strings.CutPrefix(*b.Body, "@"); ok {
		return os.ReadFile(file)
	}
	if *b.Body == "-" {
		return readFile("-", in)
	}
	return []byte(*b.Body), nil
}

// readFile reads a file; - is standard input.
func readFile(name string, in io.Reader) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(in)
	}
	return os.ReadFile(name)
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

	ContextManagement *jsonText `placeholder:"JSON" help:"How a long history is cut down, such as [{\"type\":\"compaction\",\"compact_threshold\":8000}]."`
}

// A jsonText is a value of a flag that is JSON, or empty.
type jsonText json.RawMessage

// UnmarshalText checks that it is.
func (j *jsonText) UnmarshalText(text []byte) error {
	if len(text) > 0 && !json.Valid(text) {
		return fmt.Errorf("%q is not JSON", text)
	}
	*j = append(jsonText{}, text...)
	return nil
}

// optional is some for JSON; empty text is null.
func (j *jsonText) optional() rota.Opt[rota.Any] {
	switch {
	case j == nil:
		return rota.Opt[rota.Any]{}
	case len(*j) == 0:
		return rota.Null[rota.Any]()
	}
	return rota.Some(rota.Any{RawMessage: json.RawMessage(*j)})
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

// onlyIf is a field that is sent if it is true.
func onlyIf(flag bool) rota.Opt[bool] {
	if !flag {
		return rota.Opt[bool]{}
	}
	return rota.Some(true)
}

// someTime is a field that is sent unless the time is zero.
func someTime(at time.Time) rota.Opt[rota.Instant] {
	if at.IsZero() {
		return rota.Opt[rota.Instant]{}
	}
	return rota.Some(rota.InstantOf(at))
}

// clearable is some for a field that an empty value clears.
func clearable(flag *string) rota.Opt[string] {
	if flag != nil && *flag == "" {
		return rota.Null[string]()
	}
	return some(flag)
}
