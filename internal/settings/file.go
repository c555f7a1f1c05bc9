package settings

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// DefaultFile is read if it is there and no other file was named.
const DefaultFile = "rota.yaml"

// A file is what a settings file says. It answers kong's questions for flags
// that neither the command line nor the environment sets.
type file struct {
	path      string // as it was named; empty if there is none
	providers []Provider
	values    map[string]yaml.Node // by the name of the setting
}

// readFile reads a settings file, in which only the known names and providers
// may stand. An empty path means DefaultFile, which may be absent.
func readFile(path string, known []string) (*file, error) {
	b, err := os.ReadFile(cmp.Or(path, DefaultFile))
	if path == "" && errors.Is(err, fs.ErrNotExist) {
		return &file{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	f, err := parse(b, known)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cmp.Or(path, DefaultFile), err)
	}
	f.path = cmp.Or(path, DefaultFile)
	return f, nil
}

func parse(b []byte, known []string) (*file, error) {
	f := &file{}
	if err := yaml.Unmarshal(b, &f.values); err != nil {
		return nil, err
	}
	if err := f.takeProviders(); err != nil {
		return nil, fmt.Errorf("providers: %w", err)
	}
	return f, f.check(known)
}

func (f *file) check(known []string) error {
	for _, name := range slices.Sorted(maps.Keys(f.values)) {
		switch {
		case !slices.Contains(known, name):
			return fmt.Errorf("there is no setting %q; there are providers, %s", name, strings.Join(known, ", "))
		case f.values[name].Kind != yaml.ScalarNode:
			return fmt.Errorf("%s must be a single value", name)
		}
	}
	return nil
}

func (f *file) takeProviders() error {
	node, ok := f.values["providers"]
	if !ok {
		return nil
	}
	delete(f.values, "providers")
	text, err := yaml.Marshal(&node)
	if err != nil {
		return err
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	return dec.Decode(&f.providers)
}

// names returns the settings that a file may hold: a command's flags.
func names(n *kong.Node) []string {
	var out []string
	for _, flag := range n.Flags {
		if flag.Name != "config" && flag.Name != "help" {
			out = append(out, FileName(flag))
		}
	}
	return out
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
