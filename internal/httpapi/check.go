package httpapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rota-run/rota"
)

// A checker checks JSON against the schemas of the OpenAPI document. It knows
// the part of JSON Schema that schemas.go uses. It differs from a general
// validator in what it is for: it names the one field that is wrong, and says
// what would have been accepted.
type checker struct {
	registry huma.Registry
	patterns *sync.Map       // of the schemas, by their text: *regexp.Regexp
	unknown  func(fieldPath) // is told of fields that no schema has; nil: they are refused
}

// decode reads a body that fits the schema into in, a pointer.
func (c checker) decode(body []byte, s *huma.Schema, in any) error {
	v, err := parse(body)
	if err != nil {
		return err
	}
	if v.kind() != jsonObject {
		return rota.Errorf(rota.Invalid, "the body must be a JSON object")
	}
	if err := c.check(nil, s, v); err != nil {
		return err
	}
	if err := json.Unmarshal(c.plain(s, v, strings.HasSuffix(s.Ref, "Update")), in); err != nil {
		return fmt.Errorf("decode a body that fits its schema: %w", err)
	}
	return nil
}

func (c checker) check(at fieldPath, s *huma.Schema, v value) error {
	s = c.resolve(s)
	switch {
	case v.kind() == jsonNull && s.Nullable:
		return nil
	case s.Discriminator != nil:
		return c.variant(at, s, v)
	case s.OneOf != nil:
		return c.either(at, s, v)
	case !fits(s, v.kind()):
		return at.invalid("%s", expected(phrase(s), v))
	}
	switch s.Type {
	case huma.TypeString:
		if loneSurrogate(v) {
			return at.invalid("%s", halfPair)
		}
		return c.text(at, s, v.text())
	case huma.TypeInteger, huma.TypeNumber:
		return checkNumber(at, s, string(v))
	case huma.TypeArray:
		return c.array(at, s, v)
	case huma.TypeObject:
		return c.object(at, s, v.members())
	}
	return nil
}

func (c checker) resolve(s *huma.Schema) *huma.Schema {
	for s.Ref != "" {
		s = c.registry.SchemaFromRef(s.Ref)
	}
	return s
}

// fits reports whether the type of s accepts the kind.
func fits(s *huma.Schema, k jsonKind) bool {
	switch s.Type {
	case "":
		return true
	case huma.TypeInteger:
		return k == jsonNumber
	default:
		return s.Type == string(k)
	}
}

// phrase names what s accepts.
func phrase(s *huma.Schema) string {
	p := map[string]string{
		huma.TypeString:  "a string",
		huma.TypeInteger: "a whole number",
		huma.TypeNumber:  "a number",
		huma.TypeBoolean: "true or false",
		huma.TypeArray:   "an array",
		huma.TypeObject:  "an object",
		"null":           "null",
	}[s.Type]
	if s.Nullable {
		p += " or null"
	}
	return p
}

func expected(phrase string, v value) string {
	if v.kind() == jsonNull {
		return "must be " + phrase + ", not null"
	}
	return "must be " + phrase
}

// either checks a union whose branches have different types.
func (c checker) either(at fieldPath, s *huma.Schema, v value) error {
	var phrases []string
	for _, branch := range s.OneOf {
		branch = c.resolve(branch)
		if fits(branch, v.kind()) {
			return c.check(at, branch, v)
		}
		phrases = append(phrases, phrase(branch))
	}
	return at.invalid("%s", expected(alternatives(phrases), v))
}

// variant checks a union whose branches are told apart by a member.
func (c checker) variant(at fieldPath, s *huma.Schema, v value) error {
	if v.kind() != jsonObject {
		return at.invalid("%s", expected("an object", v))
	}
	name := s.Discriminator.PropertyName
	members := v.members()
	i := slices.IndexFunc(members, func(m member) bool { return m.name == name })
	if i < 0 {
		return at.to(name).invalid("is required: %s", oneOf(variants(s)))
	}
	if ref, ok := mapped(s, members[i].value); ok {
		return c.object(at, c.resolve(ref), c.own(s, ref, members))
	}
	return at.to(name).invalid("must be %s", oneOf(variants(s)))
}

// own returns the members of a branch of a union without those that another one has
// and that are null: a client with one type for all branches writes them.
func (c checker) own(s, ref *huma.Schema, members []member) []member {
	chosen := c.resolve(ref).Properties
	return slices.DeleteFunc(slices.Clone(members), func(m member) bool {
		return m.value.kind() == jsonNull && chosen[m.name] == nil && slices.ContainsFunc(s.OneOf, func(branch *huma.Schema) bool {
			return c.resolve(branch).Properties[m.name] != nil
		})
	})
}

// mapped returns the branch that a value of the member that tells them apart
// names.
func mapped(s *huma.Schema, v value) (*huma.Schema, bool) {
	if v.kind() != jsonString {
		return nil, false
	}
	ref, ok := s.Discriminator.Mapping[v.text()]
	return &huma.Schema{Ref: ref}, ok
}

// variants returns the values that tell the branches apart, in their order.
func variants(s *huma.Schema) []any {
	var names []any
	for _, branch := range s.OneOf {
		for name, ref := range s.Discriminator.Mapping {
			if ref == branch.Ref {
				names = append(names, name)
			}
		}
	}
	return names
}

func (c checker) array(at fieldPath, s *huma.Schema, v value) error {
	most := math.MaxInt
	if s.MaxItems != nil {
		most = *s.MaxItems + 1
	}
	items := v.items(most)
	if !within(len(items), s.MinItems, s.MaxItems) {
		return at.invalid("must have %s", span(s.MinItems, s.MaxItems, "item"))
	}
	for i, item := range items {
		if s.Items == nil {
			break
		}
		if err := c.check(at.item(i), s.Items, item); err != nil {
			return err
		}
	}
	return nil
}

func (c checker) object(at fieldPath, s *huma.Schema, members []member) error {
	if !within(len(members), s.MinProperties, s.MaxProperties) {
		return at.invalid("must have %s", span(s.MinProperties, s.MaxProperties, "member"))
	}
	for _, m := range members {
		if err := c.member(at, s, m); err != nil {
			return err
		}
	}
	for _, name := range s.Required {
		if !slices.ContainsFunc(members, func(m member) bool { return m.name == name }) {
			return at.to(name).invalid("is required")
		}
	}
	return nil
}

func (c checker) member(at fieldPath, s *huma.Schema, m member) error {
	if _, checked := s.AdditionalProperties.(*huma.Schema); checked && (m.halfPair || strings.IndexByte(m.name, 0) >= 0) {
		return at.invalid("must not have names with the character U+0000 or half of a surrogate pair")
	}
	if p, ok := s.Properties[m.name]; ok {
		return c.check(at.to(m.name), p, m.value)
	}
	if names, ok := s.Extensions[propertyNames].(*huma.Schema); ok && !within(utf8.RuneCountInString(m.name), names.MinLength, names.MaxLength) {
		return at.invalid("must have names of %s", span(names.MinLength, names.MaxLength, "character"))
	}
	switch others := s.AdditionalProperties.(type) {
	case *huma.Schema:
		return c.check(at.to(m.name), others, m.value)
	case bool:
		switch {
		case !others && c.unknown != nil:
			c.unknown(at.to(m.name))
		case !others:
			return at.to(m.name).invalid("is not a field here; these are: %s", strings.Join(slices.Sorted(maps.Keys(s.Properties)), ", "))
		}
	}
	return nil
}

func (c checker) text(at fieldPath, s *huma.Schema, text string) error {
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, any(text)) {
		return at.invalid("must be %s", oneOf(s.Enum))
	}
	if !within(utf8.RuneCountInString(text), s.MinLength, s.MaxLength) {
		return at.invalid("must be %s long", span(s.MinLength, s.MaxLength, "character"))
	}
	if strings.IndexByte(text, 0) >= 0 {
		return at.invalid("must not contain the character U+0000")
	}
	if s.Pattern != "" && !c.compiled(s.Pattern).MatchString(text) {
		return at.invalid("must match the pattern %s", s.Pattern)
	}
	if s.Format == formatInstant {
		if new(rota.Instant).UnmarshalText([]byte(text)) != nil {
			return at.invalid("must be an RFC 3339 time with an offset, such as 2026-11-23T05:31:56Z, in the years 1 to 9999 of UTC")
		}
	}
	return nil
}

// compiled returns the regular expression of a pattern, compiled once.
func (c checker) compiled(pattern string) *regexp.Regexp {
	re, known := c.patterns.Load(pattern)
	if !known {
		re, _ = c.patterns.LoadOrStore(pattern, regexp.MustCompile(pattern))
	}
	return re.(*regexp.Regexp)
}

func checkNumber(at fieldPath, s *huma.Schema, digits string) error {
	n, _ := strconv.ParseFloat(digits, 64) // infinite if it is too large
	if s.Type == huma.TypeInteger && n != math.Trunc(n) {
		return at.invalid("must be a whole number")
	}
	if !within(n, s.Minimum, s.Maximum) {
		return at.invalid("must be %s", span(s.Minimum, s.Maximum, ""))
	}
	if _, ok := whole(digits); !ok && s.Type == huma.TypeInteger {
		return at.invalid("must be a whole number that fits into 64 bits")
	}
	return nil
}

// within reports whether n lies between bounds that may be nil.
func within[N int | float64](n N, low, high *N) bool {
	return (low == nil || n >= *low) && (high == nil || n <= *high)
}

// span names the whole range that is accepted. At least one bound is not nil.
func span[N int | float64](low, high *N, unit string) string {
	switch {
	case low == nil:
		return "at most " + amount(*high, unit)
	case high == nil:
		return "at least " + amount(*low, unit)
	case unit == "":
		return fmt.Sprintf("from %s to %s", amount(*low, unit), amount(*high, unit))
	default:
		return fmt.Sprintf("%v to %s", *low, amount(*high, unit))
	}
}

func amount[N int | float64](n N, unit string) string {
	digits := strconv.FormatFloat(float64(n), 'f', -1, 64)
	switch {
	case unit == "":
		return digits
	case n == 1:
		return digits + " " + unit
	default:
		return digits + " " + unit + "s"
	}
}

// oneOf names the values that are accepted.
func oneOf(values []any) string {
	names := make([]string, len(values))
	for i, v := range values {
		b, _ := json.Marshal(v) // strings and null always can
		names[i] = string(b)
	}
	if len(names) == 1 {
		return names[0]
	}
	return "one of " + alternatives(names)
}

// alternatives joins names as in "a, b or c".
func alternatives(names []string) string {
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
