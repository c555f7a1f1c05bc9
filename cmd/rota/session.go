package main

import (
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rota-run/rota/client"
	"github.com/rota-run/rota/internal/build"
	"github.com/rota-run/rota/internal/settings"
)

// headerTimeout bounds the wait for a server that accepts connections and says
// nothing.
const headerTimeout = time.Minute

// remote is the flags that every client verb has.
type remote struct {
	Server         string   `env:"ROTA_SERVER" default:"http://127.0.0.1:8080" placeholder:"URL" help:"Address of the server [${default}]."`
	Key            secret   `env:"ROTA_KEY" placeholder:"KEY" help:"Key to the API. Prefer the environment: flags show in process lists."`
	KeyFile        string   `env:"ROTA_KEY_FILE" placeholder:"FILE" help:"File with the key, in place of --key."`
	OnBehalfOf     string   `env:"ROTA_ON_BEHALF_OF" placeholder:"USER" help:"End user to act for."`
	Header         []string `short:"H" sep:"none" placeholder:"'NAME: VALUE'" help:"Header X-On-Behalf-Of, If-Match or Idempotency-Key."`
	IfMatch        string   `placeholder:"VERSION" help:"Change the object only if it is at this version."`
	IdempotencyKey string   `placeholder:"ID" help:"Make the change once, however often it is sent with this id."`
	Output         format   `short:"o" env:"ROTA_OUTPUT" enum:"table,json,jsonl" default:"table" placeholder:"FORMAT" help:"What to print: table, json, or jsonl: what a list has line by line [${default}]."`
	Web            bool     `help:"Print the address of the page about this, and open it in a browser."`
	Fields         []string `placeholder:"FIELD,…" help:"Print these fields of the answer alone, as JSON names them; b.c is the field c of b."`
}

// A secret does not show itself in messages.
type secret string

func (secret) String() string { return "(secret)" }

// A format is a way to print answers.
type format string

const (
	formatJSON  format = "json"
	formatLines format = "jsonl"
)

func (f format) isJSON() bool { return f == formatJSON || f == formatLines }

// A session is a command's view of the server and of the terminal.
type session struct {
	*client.Client
	stdio
	json   bool // or lines of it
	lines  bool
	fields []string            // of answers, that are printed; none for all
	call   []client.CallOption // of every call; append makes a copy
	answer json.RawMessage     // what the server answered to the last call
	now    func() time.Time
}

// open does not connect.
func (r *remote) open(std stdio) (*session, error) {
	if err := r.readHeaders(); err != nil {
		return nil, err
	}
	key, err := r.key()
	if err != nil {
		return nil, err
	}
	call, err := r.callOptions()
	if err != nil {
		return nil, err
	}
	s := &session{
		Client: client.New(r.Server, key, r.options()...),
		stdio:  std,
		json:   r.Output.isJSON(),
		lines:  r.Output == formatLines,
		fields: r.Fields,
		now:    time.Now,
	}
	s.call = slices.Clip(append(call, client.Answer(&s.answer)))
	return s, nil
}

// readHeaders spreads the headers over the flags that say the same.
func (r *remote) readHeaders() error {
	flags := map[string]*string{
		"X-On-Behalf-Of":  &r.OnBehalfOf,
		"If-Match":        &r.IfMatch,
		"Idempotency-Key": &r.IdempotencyKey,
	}
	for _, h := range r.Header {
		name, value, ok := strings.Cut(h, ":")
		flag := flags[http.CanonicalHeaderKey(strings.TrimSpace(name))]
		switch {
		case !ok, flag == nil:
			return usagef("--header must be 'X-On-Behalf-Of: USER', 'If-Match: VERSION' or 'Idempotency-Key: ID'")
		case *flag != "" && (flag != &r.OnBehalfOf || *flag != os.Getenv("ROTA_ON_BEHALF_OF")): // which gives way
			return usagef("%s is given twice", name)
		}
		*flag = strings.TrimSpace(value)
	}
	return nil
}

func (r *remote) key() (string, error) {
	if r.KeyFile == "" {
		return settings.Secret(string(r.Key)), nil
	}
	b, err := os.ReadFile(r.KeyFile)
	if err != nil {
		return "", fileUsage("--key-file", err)
	}
	return settings.Secret(string(b)), nil
}

func (r *remote) options() []client.Option {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = headerTimeout
	opts := []client.Option{
		client.WithHTTPClient(&http.Client{Transport: transport}),
		client.WithUserAgent("rota-cli/" + build.Version()),
	}
	if r.OnBehalfOf != "" {
		opts = append(opts, client.OnBehalfOf(r.OnBehalfOf))
	}
	return opts
}

func (r *remote) callOptions() ([]client.CallOption, error) {
	var opts []client.CallOption
	if r.IfMatch != "" {
		version, _, _ := strings.Cut(strings.Trim(strings.TrimPrefix(r.IfMatch, "W/"), `"`), "-") // of an ETag
		v, err := strconv.ParseInt(version, 10, 64)
		if err != nil {
			return nil, usagef("--if-match must be a version such as 3, not %q", r.IfMatch)
		}
		opts = append(opts, client.IfMatch(v))
	}
	if r.IdempotencyKey != "" {
		opts = append(opts, client.IdempotencyKey(r.IdempotencyKey))
	}
	return opts, nil
}
