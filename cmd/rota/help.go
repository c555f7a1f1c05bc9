package main

import (
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/rota-run/rota/internal/settings"
)

const description = `Rota keeps AI agents on a schedule.

Run "rota <command> --help" for more about a command.`

// maxHelpWidth keeps lines readable on wide terminals.
const maxHelpWidth = 100

func newParser(cli *CLI, std stdio) (*kong.Kong, error) {
	return kong.New(cli,
		kong.Name("rota"),
		kong.Description(description),
		kong.Writers(std.out, std.err),
		kong.Vars{"scopes": scopeNames(","), "allscopes": scopeNames(", ")},
		kong.NoDefaultHelp(),
		settings.Durations(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: maxHelpWidth}),
		kong.Help(printHelp),
		kong.ExplicitGroups([]kong.Group{
			{Key: "server", Title: "Server:"},
			{Key: "policy", Title: "Policy:"},
		}),
		kong.PostBuild(addExamples),
	)
}

// errHelped ends the parsing of a command line that asked for help.
var errHelped = errors.New("help was shown")

type helpFlag bool

// BeforeReset shows help whatever else is on the command line.
func (helpFlag) BeforeReset(kctx *kong.Context) error {
	return errors.Join(kctx.PrintUsage(false), errHelped)
}

type helpCmd struct {
	Command []string `arg:"" optional:"" help:"The command, such as agents create."`
}

// Run shows the help that the command shows with --help.
func (c helpCmd) Run(std stdio) error {
	parser, err := newParser(new(CLI), std)
	if err != nil {
		return err
	}
	_, err = parser.Parse(append(c.Command, "--help"))
	var bad *kong.ParseError
	switch {
	case errors.Is(err, errHelped):
		return nil
	case errors.As(err, &bad):
		return usageError{bad.Unwrap()}
	}
	return err
}

// printHelp shows the flags that every client has with the program alone.
func printHelp(o kong.HelpOptions, kctx *kong.Context) error {
	if kctx.Selected() == nil {
		return kong.DefaultHelpPrinter(o, kctx)
	}
	for _, f := range kctx.Model.Flags {
		f.Hidden = f.Hidden || f.Group != nil && f.Group.Key == "server"
	}
	if err := kong.DefaultHelpPrinter(o, kctx); err != nil || local(kctx.Selected()) {
		return err
	}
	_, err := io.WriteString(kctx.Stdout, "\nRun \"rota --help\" for the flags about the server and the output.\n")
	return err
}

// local reports whether the command is not a client of a server.
func local(n *kong.Node) bool {
	for ; n != nil; n = n.Parent {
		if n.Tag != nil && n.Tag.Has("local") {
			return true
		}
	}
	return false
}

// addExamples puts the example tag of every verb behind its help.
func addExamples(k *kong.Kong) error {
	for _, n := range walk(k.Model.Node) {
		if n.Tag != nil && n.Tag.Has("example") {
			n.Detail = strings.TrimLeft(n.Detail+"\n\nExample:\n\n    "+n.Tag.Get("example"), "\n")
		}
	}
	return nil
}

// walk returns the node and all below it that are not hidden, parents first.
func walk(n *kong.Node) []*kong.Node {
	nodes := []*kong.Node{n}
	for _, c := range n.Children {
		if !c.Hidden {
			nodes = slices.Concat(nodes, walk(c))
		}
	}
	return nodes
}
