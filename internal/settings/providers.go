package settings

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/rota-run/rota"
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
		var p Provider
		if err := f.fields(n, "providers", &p); err != nil {
			return err
		}
		if err := p.check(f.providers); err != nil {
			return f.wrong(n, "provider %q: %s", p.Name, err)
		}
		f.providers = append(f.providers, p)
	}
	return nil
}

// takeLimits reads the limits of end users and accounts.
func (f *file) takeLimits(n *yaml.Node) error {
	of := make(map[string]*yaml.Node)
	if n.Kind != yaml.MappingNode {
		return f.wrong(n, "limits must have end_user: or account: and their limits below")
	}
	if err := f.collect(n, of); err != nil {
		return err
	}
	into := map[string]*rota.Limits{"end_user": &f.limits.EndUser, "account": &f.limits.Account}
	for i := 0; i < len(n.Content); i += 2 {
		name := n.Content[i]
		limits, value := into[name.Value], of[name.Value]
		if limits == nil {
			return f.wrong(name, "there is no field %q of limits; there are end_user, account", name.Value)
		}
		if value.Kind != yaml.MappingNode {
			return f.wrong(value, "limits of %s must have fields, such as workers:", name.Value)
		}
		if err := f.fields(value, "limits", limits); err != nil {
			return err
		}
	}
	return nil
}

// fields reads a mapping into what dst points to, by the names that its fields have in
// the file.
func (f *file) fields(n *yaml.Node, of string, dst any) error {
	fields := make(map[string]*yaml.Node)
	if err := f.collect(n, fields); err != nil {
		return err
	}
	into, known := fieldsOf(dst)
	for i := 0; i < len(n.Content); i += 2 {
		name := n.Content[i]
		if !slices.Contains(known, name.Value) {
			return f.wrong(name, "there is no field %q of %s; there are %s", name.Value, of, strings.Join(known, ", "))
		}
		if err := set(into[name.Value], fields[name.Value]); err != nil {
			return f.wrong(name, "%s: %s", name.Value, err)
		}
	}
	return nil
}

var providerName = regexp.MustCompile(`^[a-z0-9-]+$`)

// check returns an error that begins with the field of a provider that is out of its
// range, or does not go with those before.
func (p Provider) check(before []Provider) error {
	same := func(q Provider) bool { return q.Name == p.Name }
	return cmp.Or(
		check(providerName.MatchString(p.Name), "name must be lower-case letters, digits and hyphens"),
		check(!slices.ContainsFunc(before, same), "name is that of another provider too"),
		checkBaseURL("base_url", p.BaseURL),
		check(p.KeyEnv == "" || p.KeyFile == "", "key_env and key_file exclude each other"),
		check(p.ConnectTimeout >= 0 && p.IdleTimeout >= 0, "connect_timeout and idle_timeout must not be negative"),
		check(slices.Contains([]string{"", "auto", "responses", "chat"}, p.Protocol), "protocol must be auto, responses or chat, not %q", p.Protocol),
		check(slices.Contains([]string{"", "none", "end_user"}, p.SafetyID), "safety_identifier must be none or end_user, not %q", p.SafetyID),
		check(p.MaxConcurrent >= 0, "max_concurrent must be 0 or more, not %d", p.MaxConcurrent),
		check(!p.AnyPrefix || !slices.ContainsFunc(before, func(q Provider) bool { return q.AnyPrefix }), "any_prefix is for one provider"),
	)
}

// checkProviders returns an error if the variable of a provider's key is not set. Who
// asks no model needs none.
func (s *Settings) checkProviders() error {
	for _, p := range s.Providers {
		if s.Works() && p.KeyEnv != "" && Secret(os.Getenv(p.KeyEnv)) == "" {
			return fmt.Errorf("%s: provider %q: key_env: the environment variable %s is not set", s.File, p.Name, p.KeyEnv)
		}
	}
	return nil
}

// fieldsOf returns the fields of what dst points to by their names in the file, and
// these in order.
func fieldsOf(dst any) (map[string]reflect.Value, []string) {
	fields, names := make(map[string]reflect.Value), []string{}
	for field, value := range reflect.ValueOf(dst).Elem().Fields() {
		name := field.Tag.Get("yaml")
		fields[name], names = value, append(names, name)
	}
	return fields, names
}

// set reads a value into a field.
func set(field reflect.Value, n *yaml.Node) error {
	if limits, ok := field.Addr().Interface().(*[]rota.RateLimit); ok {
		return setRateLimits(limits, n)
	}
	if n.Kind != yaml.ScalarNode {
		return fmt.Errorf("must be a single value")
	}
	into := field.Addr().Interface()
	if d, ok := into.(*Duration); ok {
		return d.UnmarshalText([]byte(n.Value))
	}
	kind := field.Kind()
	if kind == reflect.Pointer {
		kind = field.Type().Elem().Kind()
	}
	number, err := strconv.ParseFloat(n.Value, 64)
	fraction := err == nil && number != math.Trunc(number) // which would be cut off
	if !fraction && n.Decode(into) == nil {
		return nil
	}
	switch kind {
	case reflect.Bool:
		return fmt.Errorf("must be true or false, not %q", n.Value)
	case reflect.Int, reflect.Int64:
		return fmt.Errorf("must be a whole number, not %q", n.Value)
	}
	return fmt.Errorf("cannot be %q", n.Value)
}

// setRateLimits reads limits that are a list, or separated by commas; 0 is none.
func setRateLimits(limits *[]rota.RateLimit, n *yaml.Node) (err error) {
	*limits = []rota.RateLimit{}
	switch {
	case n.Kind == yaml.ScalarNode && n.Value == "0":
		return nil
	case n.Kind == yaml.ScalarNode:
		*limits, err = rota.ParseRateLimits(n.Value)
		return err
	case n.Kind != yaml.SequenceNode:
		return errors.New("must be a limit such as 600/minute, or a list of them")
	}
	for _, one := range n.Content {
		var l rota.RateLimit
		if err := l.UnmarshalText([]byte(one.Value)); err != nil {
			return err
		}
		*limits = append(*limits, l)
	}
	return nil
}
