package httpapi

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"html/template"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs.html
var docsPage string

//go:embed docs.css
var docsStyle string

// reference serves the document as one page for people, who reach the server at
// publicURL, or if that is empty where they asked. It needs no scripts and nothing from
// elsewhere.
func reference(d *document, publicURL string) http.HandlerFunc {
	page := renderReference(d)
	sum := sha256.Sum256([]byte(docsStyle))
	policy := fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		base64.StdEncoding.EncodeToString(sum[:]))
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		at := cmp.Or(strings.TrimSuffix(publicURL, "/"), address(r))
		constant("text/html; charset=utf-8", bytes.Replace(page, []byte(addressMark), []byte(html.EscapeString(at)), 1))(w, r)
	}
}

// addressMark stands in the page where the server's address goes.
const addressMark = "ADDRESS-OF-THIS-SERVER"

// hostname is what a Host header may be to be shown: the page has nothing else of a
// request.
var hostname = regexp.MustCompile(`^([A-Za-z0-9.-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?$`)

// address returns where a client has reached the server.
func address(r *http.Request) string {
	scheme, host := "http", r.Host
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	if !hostname.MatchString(host) {
		host = "127.0.0.1:8080"
	}
	return scheme + "://" + host
}

// firstPage is the pattern of the page that people who type the address see.
const firstPage = "GET /{$}"

// home shows people the first page, or leads them to the reference if it is nil. What
// shows no pages gets a line of text.
func home(first http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		shows := strings.Contains(r.Header.Get("Accept"), "text/html")
		if first != nil && shows {
			first.ServeHTTP(w, r)
			return
		}
		if !shows {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			defer fmt.Fprintln(w, "This is Rota. People read /docs, programs /openapi.json; the API is below /api/v1.") // behind the header
		}
		http.Redirect(w, r, "/docs", http.StatusFound)
	}
}

func renderReference(d *document) []byte {
	t := template.Must(template.New("docs").Funcs(template.FuncMap{"prose": prose, "path": pathHTML}).Parse(docsPage))
	var b bytes.Buffer
	if err := t.Execute(&b, newRefPage(d)); err != nil {
		panic(fmt.Errorf("render the reference: %w", err)) // it depends on nothing but the program
	}
	return b.Bytes()
}

// prose returns text in which backticks mark code.
func prose(text string) template.HTML {
	parts := strings.Split(html.EscapeString(text), "`")
	for i := range parts {
		if i%2 == 1 {
			parts[i] = "<code>" + parts[i] + "</code>"
		}
	}
	return template.HTML(strings.Join(parts, ""))
}

// pathHTML marks the parameters of a path.
func pathHTML(path string) template.HTML {
	return template.HTML(braces.ReplaceAllString(html.EscapeString(path), "<var>{$1}</var>"))
}

// The types below are what the page shows, in its order.
type (
	refPage struct {
		Title, Version, About string
		Style                 template.CSS
		Nouns                 []refNoun
		Failures              []refFailure
	}
	refNoun struct {
		Name, About string
		Operations  []refOperation
		Objects     []refObject
	}
	refOperation struct {
		ID, Method, Path, Scope, Summary, About string
		Params                                  []refField
		Body                                    []refField
		BodyOptional                            bool
		Answers                                 []refAnswer
		Curl                                    string
	}
	refObject struct {
		Name   string
		Fields []refField
	}
	refField struct {
		Name, In, Type, About, Rule string
		Required                    bool
		Fields                      []refField // of an object
	}
	refAnswer  struct{ Status, About, Object string }
	refFailure struct {
		Status       int
		Code, Family string
	}
)

// Anchor returns the place of the object on the page.
func (o refObject) Anchor() string { return o.Name + "-object" }

// Anchor returns the place of the answered object; of a list, of what is in it.
func (a refAnswer) Anchor() string { return strings.TrimSuffix(a.Object, "List") + "-object" }

func newRefPage(d *document) refPage {
	p := refPage{Title: d.openapi.Info.Title, Version: d.openapi.Info.Version, About: d.openapi.Info.Description, Style: template.CSS(docsStyle)}
	for _, tag := range d.openapi.Tags {
		n := refNoun{Name: tag.Name, About: tag.Description}
		for _, op := range d.ops {
			if op.tag == tag.Name {
				n.Operations = append(n.Operations, d.refOperation(op))
				n.Objects = d.refObject(n.Objects, op.output)
			}
		}
		p.Nouns = append(p.Nouns, n)
	}
	for code, k := range kinds {
		p.Failures = append(p.Failures, refFailure{k.status, string(code), k.family})
	}
	slices.SortFunc(p.Failures, func(a, b refFailure) int { return a.Status - b.Status })
	return p
}

func (d *document) refOperation(op *operation) refOperation {
	o := d.openapi.Paths[op.Path]
	about := map[string]*huma.Operation{http.MethodGet: o.Get, http.MethodPost: o.Post, http.MethodPut: o.Put, http.MethodDelete: o.Delete}[op.Method]
	ref := refOperation{
		ID: op.OperationID, Method: op.Method, Path: op.Path, Scope: string(op.Scope), Summary: op.summary, About: op.about,
		BodyOptional: op.optional,
		Curl:         curl(op),
	}
	for _, p := range about.Parameters {
		p = d.openapi.Components.Parameters[strings.TrimPrefix(p.Ref, "#/components/parameters/")]
		ref.Params = append(ref.Params, refField{Name: p.Name, In: p.In, About: p.Description, Required: p.Required, Type: d.typeName(p.Schema), Rule: rule(p.Schema)})
	}
	if op.input != nil {
		ref.Body = d.fields(op.schema)
	}
	for _, status := range slices.Sorted(maps.Keys(about.Responses)) {
		ref.Answers = append(ref.Answers, d.refAnswer(status, about.Responses[status]))
	}
	return ref
}

func (d *document) refAnswer(status string, r *huma.Response) refAnswer {
	a := refAnswer{Status: status, About: r.Description}
	if r.Ref != "" {
		a.About = d.openapi.Components.Responses[strings.TrimPrefix(r.Ref, "#/components/responses/")].Description
	}
	for contentType, m := range r.Content {
		a.Object = strings.TrimPrefix(m.Schema.Ref, refPrefix)
		if a.Object == "" {
			a.About = contentType
		}
	}
	return a
}

// refObject adds the object that an operation answers or lists, once.
func (d *document) refObject(objects []refObject, t reflect.Type) []refObject {
	if t == nil {
		return objects
	}
	if t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if data, ok := t.FieldByName("Data"); ok && strings.HasSuffix(componentName(t, ""), "List") {
		t = data.Type.Elem()
	}
	name := componentName(t, "")
	if slices.ContainsFunc(objects, func(o refObject) bool { return o.Name == name }) {
		return objects
	}
	return append(objects, refObject{Name: name, Fields: d.fields(ref(name))})
}

// fields returns the fields of an object, and for a union those of each
// variant under the name of the variant.
func (d *document) fields(s *huma.Schema) []refField {
	resolved := d.check.resolve(s)
	var fields []refField
	for _, variant := range variantsOf(resolved) {
		v := d.check.resolve(variant)
		fields = append(fields, refField{Name: fmt.Sprint(v.Properties["type"].Enum[0]), Type: "variant", Fields: d.fields(variant)})
	}
	for _, name := range d.order(s) {
		p := resolved.Properties[name]
		fields = append(fields, refField{
			Name: name, Type: d.typeName(p), About: p.Description, Rule: rule(d.check.resolve(p)),
			Required: slices.Contains(resolved.Required, name),
			Fields:   d.inner(p),
		})
	}
	return fields
}

// variantsOf returns the branches of a union of objects.
func variantsOf(s *huma.Schema) []*huma.Schema {
	if s.Discriminator == nil {
		return nil
	}
	return s.OneOf
}

// alternativesOf returns the branches of a union of different types.
func alternativesOf(s *huma.Schema) []*huma.Schema {
	if s.Discriminator != nil {
		return nil
	}
	return s.OneOf
}

// inner returns the fields of what a field holds.
func (d *document) inner(s *huma.Schema) []refField {
	switch r := d.check.resolve(s); {
	case r.OneOf != nil && s.Ref == "" && r.OneOf[0].Ref != "":
		return d.fields(r.OneOf[0]) // an object or null
	case r.Type == huma.TypeArray:
		return nil
	default:
		return d.fields(s)
	}
}

// order returns the names of an object's fields as they are declared.
func (d *document) order(s *huma.Schema) []string {
	properties := d.check.resolve(s).Properties
	names := slices.Sorted(maps.Keys(properties))
	if s.Ref == "" {
		return names
	}
	t := d.check.registry.TypeFromRef(s.Ref)
	if t == nil {
		return names
	}
	var declared []string
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); properties[name] != nil {
			declared = append(declared, name)
		}
	}
	return declared
}

func (d *document) typeName(s *huma.Schema) string {
	s = d.check.resolve(s)
	var names []string
	for _, branch := range alternativesOf(s) {
		names = append(names, d.typeName(branch))
	}
	switch {
	case names != nil:
		return strings.Join(names, " | ")
	case s.Discriminator != nil:
		return "object"
	case s.Type == "":
		return "any JSON"
	case s.Type == huma.TypeArray:
		return "array of " + d.typeName(s.Items)
	}
	name := s.Type
	if s.Format == formatInstant {
		name = formatInstant
	}
	if s.Nullable {
		name += " | null"
	}
	return name
}

// rule says in words what a schema accepts besides its type.
func rule(s *huma.Schema) string {
	var rules []string
	if s.Enum != nil {
		names := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			b, _ := json.Marshal(v) // strings, booleans and null always can
			names[i] = string(b)
		}
		rules = append(rules, alternatives(names))
	}
	if s.MinLength != nil || s.MaxLength != nil {
		rules = append(rules, span(s.MinLength, s.MaxLength, "character"))
	}
	if s.Minimum != nil || s.Maximum != nil {
		rules = append(rules, span(s.Minimum, s.Maximum, ""))
	}
	if s.MinItems != nil || s.MaxItems != nil {
		rules = append(rules, span(s.MinItems, s.MaxItems, "item"))
	}
	if s.Default != nil {
		rules = append(rules, fmt.Sprintf("default %v", s.Default))
	}
	return strings.Join(rules, "; ")
}

// curl returns a command that calls the operation.
func curl(op *operation) string {
	path := braces.ReplaceAllStringFunc(op.Path, func(p string) string { return "$" + strings.ToUpper(strings.Trim(p, "{}")) })
	lines := []string{`curl "$ROTA_SERVER` + path + `"`, `-H "Authorization: Bearer $ROTA_KEY"`}
	switch {
	case op.output == nil:
		lines[0] = strings.Replace(lines[0], "curl", "curl -N", 1)
	case op.example != "":
		lines = append(lines, `-H "Content-Type: application/json"`, "-d '"+op.example+"'")
	case op.Method != http.MethodGet:
		lines[0] = strings.Replace(lines[0], "curl", "curl -X "+op.Method, 1)
	}
	return strings.Join(lines, " \\\n  ")
}
