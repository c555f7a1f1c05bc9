package settings

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"

	"github.com/rota-run/rota"
)

// DefaultFile is read if it is there and no other file was named.
const DefaultFile = "rota.yaml"

// A file is what a settings file says. It answers kong's questions for flags
// that neither the command line nor the environment sets.
type file struct {
	path      string // as it was named; empty if there is none
	providers []Provider
	limits    rota.AllLimits
	values    map[string]*yaml.Node // by the name of the setting
}

// readFile reads a settings file, in which only the flags, providers and limits may
// stand. An empty path means DefaultFile, which may be absent.
func readFile(path string, flags []*kong.Flag) (*file, error) {
	b, err := os.ReadFile(cmp.Or(path, DefaultFile))
	if path == "" && errors.Is(err, fs.ErrNotExist) {
		return &file{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	f := &file{path: cmp.Or(path, DefaultFile), values: map[string]*yaml.Node{}}
	return f, f.parse(b, flags)
}

func (f *file) parse(b []byte, flags []*kong.Flag) error {
	var root, second yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(b))
	switch err := dec.Decode(&root); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return f.broken(err)
	}
	if err := dec.Decode(&second); err == nil {
		return f.wrong(&second, "a second document begins here: there must be one")
	} else if !errors.Is(err, io.EOF) {
		return f.broken(err)
	}
	top := root.Content[0]
	if top.Tag == "!!null" {
		return nil
	}
	if top.Kind != yaml.MappingNode {
		return f.wrong(top, "must be settings with their values, such as listen: 127.0.0.1:8080")
	}
	if err := f.collect(top, f.values); err != nil {
		return err
	}
	for name, take := range map[string]func(*yaml.Node) error{"providers": f.takeProviders, "limits": f.takeLimits} {
		if node, ok := f.values[name]; ok {
			delete(f.values, name)
			if err := take(node); err != nil {
				return err
			}
		}
	}
	return f.check(top, flags)
}

var lineOf = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// broken is the error of a text that is no YAML.
func (f *file) broken(err error) error {
	m := lineOf.FindStringSubmatch(err.Error())
	if m == nil || m[1] == "" {
		return fmt.Errorf("%s is not YAML: %s", f.path, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	return fmt.Errorf("%s, line %s: it is not YAML: %s", f.path, m[1], strings.TrimPrefix(err.Error(), m[0]))
}

// wrong returns an error that says where in the file it is.
func (f *file) wrong(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("%s, line %d: %s", f.path, n.Line, fmt.Sprintf(format, args...))
}

// collect reads the names and values of a mapping, each name once.
func (f *file) collect(mapping *yaml.Node, into map[string]*yaml.Node) error {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		name, value := mapping.Content[i], mapping.Content[i+1]
		if before, twice := into[name.Value]; twice {
			return f.wrong(name, "%s is there twice, here and in line %d", name.Value, before.Line)
		}
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		if value.Kind == yaml.ScalarNode && (value.Tag == "!!null" || Secret(value.Value) == "") {
			return f.wrong(name, "%s", empty(name.Value))
		}
		into[name.Value] = value
	}
	return nil
}

// check returns an error unless each name is a flag's, and its value one that the flag
// can have.
func (f *file) check(top *yaml.Node, flags []*kong.Flag) error {
	known := make(map[string]*kong.Flag)
	order := []string{"providers", "limits"}
	for _, flag := range flags {
		if flag.Name != "config" && flag.Name != "help" {
			known[FileName(flag)] = flag
			order = append(order, FileName(flag))
		}
	}
	for i := 0; i < len(top.Content); i += 2 {
		name := top.Content[i]
		value, flag := f.values[name.Value], known[name.Value]
		switch {
		case name.Value == "providers" || name.Value == "limits":
			continue
		case flag == nil:
			return f.wrong(name, "there is no setting %q; there are %s", name.Value, strings.Join(order, ", "))
		case value.Kind != yaml.ScalarNode:
			return f.wrong(name, "%s must be a single value", name.Value)
		}
		if err := try(flag, value.Value); err != nil {
			return f.wrong(name, "%s: %s", name.Value, err)
		}
	}
	return nil
}

// try returns an error if a flag cannot have the value.
func try(flag *kong.Flag, value string) error {
	err := flag.Parse(kong.Scan().PushTyped(value, kong.FlagValueToken), reflect.New(flag.Target.Type()).Elem())
	if err != nil {
		return errors.New(inOurWords(strings.TrimPrefix(err.Error(), flag.ShortSummary()+": ")))
	}
	if allowed := flag.EnumSlice(); flag.Enum != "" && !slices.Contains(allowed, value) {
		return fmt.Errorf("must be one of %s, not %q", strings.Join(allowed, ", "), value)
	}
	return nil
}

// FileName returns the name that a flag has in a settings file.
func FileName(f *kong.Flag) string { return strings.ReplaceAll(f.Name, "-", "_") }

// Validate implements [kong.Resolver]. The names have been checked.
func (f *file) Validate(*kong.Application) error { return nil }

// Resolve implements [kong.Resolver]. The environment wins over the file.
func (f *file) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, env := range flag.Envs {
		if _, ok := os.LookupEnv(env); ok {
			return nil, nil
		}
	}
	node, ok := f.values[FileName(flag)]
	if !ok {
		return nil, nil
	}
	return node.Value, nil
}

var _ kong.Resolver = (*file)(nil)

// inFile adds to an error about a value from the settings file where it stands there.
func (s *Settings) inFile(ctx *kong.Context, err error) error {
	if err == nil || s.File == "" {
		return err
	}
	for _, p := range ctx.Path {
		if p.Flag == nil || !p.Resolved || !strings.HasPrefix(err.Error(), "--"+p.Flag.Name+" ") {
			continue
		}
		if f, unreadable := readFile(s.File, ctx.Selected().Flags); unreadable == nil {
			return fmt.Errorf("%w (%s, line %d)", err, s.File, f.values[FileName(p.Flag)].Line)
		}
	}
	return err
}
