package settings

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// takeProviders reads the list of providers.
func (f *file) takeProviders(list *yaml.Node) error {
	if list.Kind != yaml.SequenceNode {
		return f.wrong(list, "providers must be a list, each with - name: and base_url:")
	}
	for _, n := range list.Content {
		if n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		if n.Kind != yaml.MappingNode {
			return f.wrong(n, "a provider must have fields, such as name: and base_url:")
		}
		p, err := f.provider(n)
		if err != nil {
			return err
		}
		f.providers = append(f.providers, p)
	}
	return nil
}

func (f *file) provider(n *yaml.Node) (Provider, error) {
	var p Provider
	fields := make(map[string]*yaml.Node)
	if err := f.collect(n, fields); err != nil {
		return p, err
	}
	into, known := fieldsOf(&p)
	for i := 0; i < len(n.Content); i += 2 {
		name := n.Content[i]
		if !slices.Contains(known, name.Value) {
			return p, f.wrong(name, "there is no field %q of providers; there are %s", name.Value, strings.Join(known, ", "))
		}
		if err := set(into[name.Value], fields[name.Value]); err != nil {
			return p, f.wrong(name, "%s: %s", name.Value, err)
		}
	}
	return p, nil
}

// fieldsOf returns the fields of a provider by their names in the file, and these in
// order.
func fieldsOf(p *Provider) (map[string]reflect.Value, []string) {
	fields, names := make(map[string]reflect.Value), []string{}
	for field, value := range reflect.ValueOf(p).Elem().Fields() {
		name := field.Tag.Get("yaml")
		fields[name], names = value, append(names, name)
	}
	return fields, names
}

// set reads a value into a field.
func set(field reflect.Value, n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return fmt.Errorf("must be a single value")
	}
	into := field.Addr().Interface()
	if d, ok := into.(*Duration); ok {
		return d.UnmarshalText([]byte(n.Value))
	}
	if n.Decode(into) == nil {
		return nil
	}
	kind := field.Kind()
	if kind == reflect.Pointer {
		kind = field.Type().Elem().Kind()
	}
	switch kind {
	case reflect.Bool:
		return fmt.Errorf("must be true or false, not %q", n.Value)
	case reflect.Int:
		return fmt.Errorf("must be a whole number, not %q", n.Value)
	}
	return fmt.Errorf("cannot be %q", n.Value)
}
