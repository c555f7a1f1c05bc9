package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
	"github.com/rota-run/rota/internal/settings"
)

// Exit codes, as docs/cli.md has them.
const (
	exitOK          = 0
	exitRefused     = 1   // the server said no for a reason that has no code here, or a run failed
	exitUsage       = 2   // the command line is wrong
	exitUnreachable = 3   // the server cannot be reached, or is not ready
	exitNothing     = 4   // nothing matched, or something needs somebody
	exitNotFound    = 5   // there is no such thing: 404
	exitDenied      = 6   // the key is not valid, or may not: 401, 403
	exitConflict    = 7   // the state of things does not allow it: 409, 412
	exitInterrupted = 130 // a signal came first
)

// stdio is where a command reads and writes.
type stdio struct {
	in       io.Reader
	out, err io.Writer
	width    int // of the terminal that out is, in characters; 0 if it is none
}

// run executes a command line and returns the exit code.
func run(ctx context.Context, args []string, std stdio) int {
	var cli CLI
	std.width = width(std.out)
	parser, err := newParser(&cli, std)
	if err != nil {
		fmt.Fprintln(std.err, "rota:", err)
		return exitUsage
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	if args[0] == "--version" { // a flag of verbs as well
		args = append([]string{"version"}, args[1:]...)
	}
	verb, err := execute(ctx, parser, &cli, args, std)
	code := exitCode(ctx, err)
	if err != nil {
		report(std.err, failure{
			verb: verb, err: withoutKey(cli.Remote, err), code: code, json: cli.Remote.Output.isJSON() || asksJSON(args),
		})
	}
	return code
}

// withoutKey returns the error of a request that had no key as what to do about it.
func withoutKey(r remote, err error) error {
	if r.Key != "" || r.KeyFile != "" || !errors.Is(err, rota.Unauthenticated) {
		return err
	}
	return &rota.Error{Code: rota.Unauthenticated, Msg: "set ROTA_KEY to a key of the server, or name a file that holds one with --key-file", Err: err}
}

// A failure is what a command ends with.
type failure struct {
	verb string // as messages begin with it
	err  error
	code int
	json bool
}

// report says why a command failed.
func report(w io.Writer, f failure) {
	if f.json {
		reportJSON(w, f)
		return
	}
	fmt.Fprintf(w, "rota:%s %s\n", f.verb, withoutPasswords(explain(f.err, f.code)))
}

// reportJSON says it for programs, in the shape in which the server says it.
func reportJSON(w io.Writer, f failure) {
	var body struct {
		Error struct {
			Message   string `json:"message"`
			Code      string `json:"code"`
			Param     string `json:"param,omitempty"`
			Status    int    `json:"status,omitempty"`
			RequestID string `json:"request_id,omitempty"`
			ExitCode  int    `json:"exit_code"`
		} `json:"error"`
	}
	d := &body.Error
	d.Message, d.ExitCode, d.Code = withoutPasswords(explain(f.err, f.code)), f.code, localCodes[f.code]
	if errors.Is(f.err, errNeedsYou) {
		d.Code = "needs_you"
	}
	var e *rota.Error
	if errors.As(f.err, &e) && f.code != exitInterrupted {
		d.Code, d.Param = string(e.Code), e.Field
	}
	var r *client.Refusal
	if errors.As(f.err, &r) {
		d.Status, d.RequestID = r.Status, r.RequestID
	}
	raw, _ := json.Marshal(body) // strings and numbers always can
	_ = printJSON(w, raw)        // there is nobody else to tell
}

// localCodes name what no server has said.
var localCodes = map[int]string{
	exitRefused: "failed", exitUsage: "usage", exitUnreachable: "unavailable", exitNothing: "nothing_matched", exitInterrupted: "interrupted",
}

// asksJSON reports whether a command line that may be wrong asks for JSON.
func asksJSON(args []string) bool {
	line := " " + strings.Join(args, " ") + " "
	for _, form := range []string{"-o json", "-ojson", "-o=json", "--output json", "--output=json"} {
		if strings.Contains(line, " "+form+" ") || strings.Contains(line, " "+form+"l ") {
			return true
		}
	}
	return format(os.Getenv("ROTA_OUTPUT")).isJSON()
}

// execute parses and runs args, and returns the name of the verb for messages.
func execute(ctx context.Context, parser *kong.Kong, cli *CLI, args []string, std stdio) (string, error) {
	kctx, err := parser.Parse(args)
	var bad *kong.ParseError
	switch {
	case errors.Is(err, errHelped):
		return "", nil
	case errors.As(err, &bad):
		return verb(bad.Context), usageError{withHint(settings.Explain(flags(bad.Context), bad.Unwrap()))}
	case err != nil:
		return "", err
	}
	if cli.Remote.Web {
		return verb(kctx), openPage(kctx, cli.Remote.Server, std.out)
	}
	kctx.BindTo(ctx, (*context.Context)(nil))
	kctx.Bind(std, cli.Remote.Output)
	open := func() (*session, error) { return cli.Remote.open(std) }
	if err := kctx.BindToProvider(open); err != nil {
		return "", err
	}
	return verb(kctx), settings.Explain(kctx.Flags(), kctx.Run())
}

var strayID = regexp.MustCompile(`^unexpected argument (agt|asch|arun|key|ftool)_`)

// withHint says which flag takes an id that stands alone.
func withHint(err error) error {
	m := strayID.FindStringSubmatch(err.Error())
	if m == nil {
		return err
	}
	flag := map[string]string{"agt": "agent", "asch": "schedule", "arun": "run", "key": "key", "ftool": "function-tool"}[m[1]]
	return fmt.Errorf("%w; give it as --%s-id", err, flag)
}

func flags(kctx *kong.Context) []*kong.Flag {
	if kctx == nil {
		return nil
	}
	return kctx.Flags()
}

// verb returns the selected command as messages begin with it.
func verb(kctx *kong.Context) string {
	if kctx == nil || kctx.Selected() == nil {
		return ""
	}
	return path(kctx.Selected()) + ":"
}

// A usageError is the fault of the command line.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// fileUsage is the error of a file that the command line names.
func fileUsage(flag string, err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return usagef("%s: %s: %w", flag, p.Path, p.Err)
	}
	return usagef("%s: %w", flag, err)
}

// errNothing marks the error of a change that nothing matched.
var errNothing = errors.New("nothing matched")

func exitCode(ctx context.Context, err error) int {
	var usage usageError
	var answered *client.Refusal
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.As(err, &usage), errors.Is(err, rota.Invalid) && !errors.As(err, &answered):
		return exitUsage
	case errors.Is(err, errNothing), errors.Is(err, errNeedsYou):
		return exitNothing
	default:
		return exitOfRefusal(err)
	}
}

func exitOfRefusal(err error) int {
	for _, known := range []struct {
		code rota.Code
		exit int
	}{
		{rota.Unavailable, exitUnreachable},
		{rota.NotFound, exitNotFound},
		{rota.Unauthenticated, exitDenied},
		{rota.Denied, exitDenied},
		{rota.Conflict, exitConflict},
		{rota.Precondition, exitConflict},
	} {
		if errors.Is(err, known.code) {
			return known.exit
		}
	}
	return exitRefused
}

// withoutPasswords leaves out what may be the user and the password of a URL
// that stands where it does not belong.
func withoutPasswords(s string) string {
	return regexp.MustCompile(`^(unexpected argument|unknown flag)( \S*://)\S*@`).ReplaceAllString(s, "$1$2…@")
}

// explain says what went wrong to the person at the keyboard.
func explain(err error, code int) string {
	if code == exitInterrupted && errors.Is(err, context.Canceled) {
		return interrupted(err)
	}
	var e *rota.Error
	if !errors.As(err, &e) {
		return clean(err.Error())
	}
	s := e.Msg
	if e.Field != "" {
		s = e.Field + ": " + s
	}
	var r *client.Refusal
	switch {
	case e.Err != nil && !errors.As(e.Err, &r):
		s += ": " + e.Err.Error()
	case r != nil && r.Status >= 500 && r.RequestID != "":
		s += " (request " + r.RequestID + ")"
	}
	if e.RetryAfter > 0 {
		s += "; try again in " + e.RetryAfter.String()
	}
	return clean(s)
}

// interrupted says what becomes of what was going on.
func interrupted(err error) string {
	var w watchError
	if errors.As(err, &w) {
		return "no longer watching; the run goes on: rota runs watch " + string(w.run)
	}
	return "interrupted"
}
