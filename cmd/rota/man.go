package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/rota-run/rota/internal/build"
)

type manCmd struct {
	Dir string `arg:"" type:"path" help:"Directory for the pages, such as /usr/local/share/man/man1; it is made if it is not there."`
}

// Run writes a page for the program and for each command.
func (c *manCmd) Run(kctx *kong.Context) error {
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return fileUsage("<dir>", err)
	}
	for _, n := range walk(kctx.Model.Node) {
		file := filepath.Join(c.Dir, pageName(n)+".1")
		if err := os.WriteFile(file, []byte(manPage(n, build.Version())), 0o644); err != nil {
			return fileUsage("<dir>", err)
		}
	}
	return nil
}

// pageName returns the name of a command's page: rota-agents-create.
func pageName(n *kong.Node) string { return strings.ReplaceAll("rota"+path(n), " ", "-") }

// manPage returns the page of a command, in the macros of man(7). The same version
// gives the same page.
func manPage(n *kong.Node, version string) string {
	p := &page{}
	p.macro("TH", strings.ToUpper(pageName(n)), "1", "", "rota "+version, "Rota")
	p.macro("SH", "NAME")
	p.text(pageName(n) + ` \- ` + roff(strings.TrimSuffix(firstLine(n.Help), ".")))
	p.macro("SH", "SYNOPSIS")
	p.text(`\fB` + roff("rota"+path(n)) + `\fR ` + roff(synopsis(n)))
	if n.Parent == nil {
		p.macro("SH", "DESCRIPTION")
		p.text(roff(description))
	}
	p.arguments(n)
	p.flags(n)
	p.commands(n)
	if example := n.Tag; example != nil && example.Has("example") {
		p.macro("SH", "EXAMPLE")
		p.macro("nf")
		p.text(roff(example.Get("example")))
		p.macro("fi")
	}
	return p.String()
}

// synopsis returns what can follow the name of a command.
func synopsis(n *kong.Node) string {
	words := []string{"[flags]"}
	for _, a := range n.Positional {
		words = append(words, a.Summary())
	}
	if len(n.Children) > 0 {
		words = append([]string{"<command>"}, words...)
	}
	return strings.Join(words, " ")
}

// A page is a manual page that is being written.
type page struct{ strings.Builder }

// macro writes a line with a macro of roff, its arguments quoted.
func (p *page) macro(name string, args ...string) {
	p.WriteString("." + name)
	for _, a := range args {
		p.WriteString(` "` + strings.ReplaceAll(roff(a), `"`, `\(dq`) + `"`)
	}
	p.WriteByte('\n')
}

// text writes lines that have passed through [roff].
func (p *page) text(s string) {
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line == "" {
			p.macro("PP")
			continue
		}
		p.WriteString(line + "\n")
	}
}

// item writes a term and what it means.
func (p *page) item(term, about string) {
	p.macro("TP")
	p.text(`\fB` + roff(term) + `\fR`)
	p.text(roff(about))
}

func (p *page) arguments(n *kong.Node) {
	if len(n.Positional) > 0 {
		p.macro("SH", "ARGUMENTS")
	}
	for _, a := range n.Positional {
		p.item(a.Summary(), a.Help)
	}
}

func (p *page) flags(n *kong.Node) {
	head := false
	for _, f := range n.Flags {
		if f.Hidden {
			continue
		}
		if !head {
			p.macro("SH", "OPTIONS")
			head = true
		}
		about := f.Help
		if len(f.Envs) > 0 {
			about += " Environment: " + strings.Join(f.Envs, ", ") + "."
		}
		p.item(f.String(), about)
	}
	if n.Parent != nil && !local(n) {
		p.macro("PP")
		p.text(`The flags about the server and the output are in \fBrota\fR(1).`)
	}
}

func (p *page) commands(n *kong.Node) {
	head := false
	for _, c := range n.Children {
		if c.Hidden {
			continue
		}
		if !head {
			p.macro("SH", "COMMANDS")
			head = true
		}
		p.item("rota"+path(c), fmt.Sprintf("%s See %s(1).", c.Help, pageName(c)))
	}
}

func firstLine(s string) string {
	if s == "" {
		s = description
	}
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// roff writes a text so that roff shows it as it is.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(s)
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if strings.HasPrefix(strings.TrimSpace(line), ".") {
			lines[i] = `\&` + strings.TrimSpace(line)
		}
	}
	return strings.Join(lines, "\n")
}
