package main

import (
	"embed"
	"io"
	"strings"
	"text/template"

	"github.com/alecthomas/kong"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish,powershell" help:"Shell to print for: bash, zsh, fish or powershell."`
}

//go:embed completion/*.tmpl
var completionTemplates embed.FS

// Run prints a script for the shell to read.
func (c *completionCmd) Run(kctx *kong.Context, std stdio) error {
	return completion(std.out, c.Shell, kctx.Model.Node)
}

func completion(w io.Writer, shell string, root *kong.Node) error {
	t, err := template.New(shell+".tmpl").Funcs(template.FuncMap{
		"zsh":  func(s string) string { return strings.ReplaceAll(s, `'`, `'\''`) },
		"pwsh": func(s string) string { return strings.ReplaceAll(s, `'`, `''`) },
		"fish": strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace,
	}).ParseFS(completionTemplates, "completion/"+shell+".tmpl")
	if err != nil {
		return err
	}
	return t.Execute(w, completions{Shared: flagWords(root), Places: places(root)})
}

// completions is what a script offers.
type completions struct {
	Shared []word // flags that can stand anywhere
	Places []place
}

// A place is what else can follow a command.
type place struct {
	Path     string // each word after a space; empty for rota itself
	Commands []word
	Flags    []word
}

// A word is a command or a flag.
type word struct {
	Names  []string // "--output", "-o"
	Help   string
	Value  bool     // whether a value follows
	Values []string // what the value can be, if it is one of few
	Files  bool     // whether the value is a file
}

func places(root *kong.Node) []place {
	all := []place{{Commands: commandWords(root)}}
	for _, n := range walk(root)[1:] {
		all = append(all, place{Path: path(n), Commands: commandWords(n), Flags: flagWords(n)})
	}
	return all
}

// path returns the words that lead to a command, each after a space.
func path(n *kong.Node) string {
	if n.Parent == nil {
		return ""
	}
	return path(n.Parent) + " " + n.Name
}

func commandWords(n *kong.Node) []word {
	var words []word
	for _, c := range n.Children {
		if !c.Hidden {
			words = append(words, word{Names: []string{c.Name}, Help: c.Help})
		}
	}
	for _, p := range n.Positional {
		if p.Enum != "" {
			for _, v := range p.EnumSlice() {
				words = append(words, word{Names: []string{v}, Help: p.Help})
			}
		}
	}
	return words
}

func flagWords(n *kong.Node) []word {
	var words []word
	for _, f := range n.Flags {
		if f.Hidden {
			continue
		}
		w := word{Names: []string{"--" + f.Name}, Help: f.Help, Value: !f.IsBool() && !f.IsCounter(), Files: f.PlaceHolder == "FILE"}
		if f.Short != 0 {
			w.Names = append(w.Names, "-"+string(f.Short))
		}
		if f.Enum != "" {
			w.Values = f.EnumSlice()
		}
		words = append(words, w)
	}
	return words
}
