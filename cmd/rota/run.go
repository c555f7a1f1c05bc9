package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"

	"github.com/alecthomas/kong"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
	"github.com/rota-run/rota/internal/settings"
)

// Exit codes.
const (
	exitOK          = 0
	exitRefused     = 1   // the server said no, or a run failed
	exitUsage       = 2   // the command line is wrong
	exitUnreachable = 3   // the server cannot be reached, or is not ready
	exitInterrupted = 130 // a signal came first
)

// stdio is where a command reads and writes.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// run executes a command line and returns the exit code.
func run(ctx context.Context, args []string, std stdio) int {
	var cli CLI
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
	if err != nil {
		fmt.Fprintf(std.err, "rota:%s %s\n", verb, withoutPasswords(explain(err)))
	}
	return exitCode(ctx, err)
}

// execute parses and runs args, and returns the name of the verb for messages.
func execute(ctx context.Context, parser *kong.Kong, cli *CLI, args []string, std stdio) (string, error) {
	kctx, err := parser.Parse(args)
	var bad *kong.ParseError
	switch {
	case errors.Is(err, errHelped):
		return "", nil
	case errors.As(err, &bad):
		return verb(bad.Context), usageError{settings.Explain(flags(bad.Context), bad.Unwrap())}
	case err != nil:
		return "", err
	}
	kctx.BindTo(ctx, (*context.Context)(nil))
	kctx.Bind(std, cli.Remote.Output)
	open := func() (*session, error) { return cli.Remote.open(std) }
	if err := kctx.BindToProvider(open); err != nil {
		return "", err
	}
	return verb(kctx), settings.Explain(kctx.Flags(), kctx.Run())
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
	case errors.Is(err, rota.Unavailable):
		return exitUnreachable
	default:
		return exitRefused
	}
}

// withoutPasswords leaves out what may be the user and the password of a URL
// that stands where it does not belong.
func withoutPasswords(s string) string {
	return regexp.MustCompile(`^(unexpected argument|unknown flag)( \S*://)\S*@`).ReplaceAllString(s, "$1$2…@")
}

// explain says what went wrong to the person at the keyboard.
func explain(err error) string {
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
