package httpapi

import (
	"crypto/sha256"
	"encoding/base64"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files")

const goldenOpenAPI = "../../docs/openapi.json"

func TestOpenAPIGolden(t *testing.T) {
	got := OpenAPI("dev")
	if *update {
		require.NoError(t, os.WriteFile(goldenOpenAPI, got, 0o644))
	}
	want, err := os.ReadFile(goldenOpenAPI)
	require.NoError(t, err)
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("docs/openapi.json is not what is served; run go test ./internal/httpapi -update\n%s", d)
	}
}

// Examples are shown to people, who will copy them.
func TestExamplesFitTheirSchemas(t *testing.T) {
	ops := new(api).operations()
	d := newDocument("test", ops)
	for _, op := range ops {
		if op.input == nil {
			require.Empty(t, op.example, op.OperationID)
			continue
		}
		in := reflect.New(op.input).Interface()
		require.NoError(t, d.check.decode([]byte(op.example), op.schema, in), op.OperationID)
	}
}

func TestComponentsHaveCleanNames(t *testing.T) {
	d := newDocument("test", new(api).operations())
	for name, s := range d.openapi.Components.Schemas.Map() {
		assert.Regexp(t, `^[A-Z][A-Za-z]+$`, name)
		assert.NotContains(t, name, "Opt", "an Opt has no alias in newRegistry")
		assert.NotContains(t, name, "Rota")
		walk(s, func(s *huma.Schema) {
			if s.Ref != "" {
				assert.NotNil(t, d.check.registry.SchemaFromRef(s.Ref), s.Ref)
			}
			assert.False(t, s.Nullable && s.Type == "", "%s would have the type [\"\", null]", name)
		})
	}
}

// Answers have every field, always; clients must be ready for new ones.
func TestAnswersAreWholeAndOpen(t *testing.T) {
	d := newDocument("test", new(api).operations())
	for _, name := range []string{"Agent", "Schedule", "Run", "Key", "NewKey", "Policy", "Retry", "AgentList", "AgentDeleted", "ErrorBody", "ErrorDetail", "CronSpec"} {
		s := d.openapi.Components.Schemas.Map()[name]
		require.NotNil(t, s, name)
		always := len(s.Properties)
		for _, sometimes := range []string{
			"warnings", // only of what was created or updated
			"request",  // only of one run
			"recent",   // only where it is asked for
			"count",    // likewise
			"count_is_minimum",
		} {
			if s.Properties[sometimes] != nil {
				always--
			}
		}
		assert.Len(t, s.Required, always, name)
		assert.Equal(t, true, s.AdditionalProperties, name)
	}
	for _, name := range []string{"AgentCreate", "AgentUpdate", "ScheduleCreate", "PolicyUpdate", "CronSpecInput", "KeyCreate"} {
		assert.Equal(t, false, d.openapi.Components.Schemas.Map()[name].AdditionalProperties, name)
	}
}

// What generators make of a document is theirs to say; test/generators runs them.
// These are the rules that they have taught us.
func TestGeneratorsCanReadTheDocument(t *testing.T) {
	var requests []*huma.Schema
	d := newDocument("test", new(api).operations())
	for _, op := range d.ops {
		if op.schema != nil {
			requests = append(requests, op.schema)
		}
	}
	typeName := func(component string) string { return strings.ToLower(strings.ReplaceAll(component, "_", "")) }
	parameters := make(map[string]bool)
	for name := range d.openapi.Components.Parameters {
		parameters[typeName(name)] = true
	}
	sent := reachable(d.check.registry, requests)
	for name, s := range d.openapi.Components.Schemas.Map() {
		assert.NotEqual(t, strings.ToLower(bearerAuth), strings.ToLower(name), "ogen makes types of both")
		assert.NotContains(t, []string{"ResponseError", "RequiredError", "FetchError"}, name, "TypeScript's clients have types of these names")
		assert.False(t, parameters[typeName(name)], "%s: oapi-codegen makes a type of the parameter of this name, too", name)
		walk(s, func(s *huma.Schema) {
			assert.Nil(t, s.AnyOf, "%s: some languages have no type for anyOf; use OneOf", name)
			if sent[name] {
				assert.Nil(t, s.Default, "%s: TypeScript demands a member that has a default", name)
				return
			}
			for member, p := range s.Properties {
				if member != "object" && member != "status" {
					assert.LessOrEqual(t, len(p.Enum), 1, "%s.%s: a word that is added stops clients of today", name, member)
				}
			}
			if s.Type == huma.TypeObject {
				assert.NotNil(t, s.AdditionalProperties, "%s: Java refuses members that it does not know", name)
				assert.NotEqual(t, false, s.AdditionalProperties, name)
			}
		})
	}
}

func TestOperationsNameTheirAnswers(t *testing.T) {
	d := newDocument("test", new(api).operations())
	for _, op := range d.ops {
		assert.NotEmpty(t, op.about, op.OperationID)
		responses := describe(d.check.registry, op).Responses
		for _, status := range []string{"400", "401", "403", "429", "500", "503"} {
			assert.Contains(t, responses, status, op.OperationID)
		}
		assert.Contains(t, responses[strconv.Itoa(op.Status)].Headers, headerRequestID)
	}
	answers := d.openapi.Components.Responses
	for name, a := range answers {
		assert.Contains(t, a.Headers, headerRequestID, name)
	}
	assert.Contains(t, answers["rate_limited"].Headers, headerRetryAfter)
	assert.Contains(t, answers["unavailable"].Headers, headerRetryAfter)
	assert.NotContains(t, answers, "method_not_allowed", "a method that a path does not have is no operation")
}

func TestVersionOfTheDocument(t *testing.T) {
	for version, want := range map[string]string{
		"dev": "0.0.0-dev", "(devel)": "0.0.0-dev", "": "0.0.0-dev", "v1.2": "0.0.0-dev",
		"v1.2.3": "1.2.3", "1.2.3-rc.1": "1.2.3-rc.1",
		"v0.0.0-20261129234600-10d47d9aabbc+dirty": "0.0.0-20261129234600-10d47d9aabbc+dirty",
	} {
		assert.Equal(t, want, semver(version), version)
	}
}

func TestReferenceHasEveryOperationAndField(t *testing.T) {
	ops := new(api).operations()
	d := newDocument("test", ops)
	w := httptest.NewRecorder()
	reference(d, "")(w, httptest.NewRequest(http.MethodGet, "/docs", nil))
	page := w.Body.String()
	for _, op := range ops {
		assert.Contains(t, page, `<article id="`+op.OperationID+`">`)
		assert.Contains(t, page, `<a href="#`+op.OperationID+`">`)
		assert.Contains(t, page, string(pathHTML(op.Path)))
	}
	for _, field := range []string{"interval_seconds", "run_at", "cron_expression", "pause_after_failures", "on_crash", "gateway_response", "Idempotency-Key"} {
		assert.Contains(t, page, "<code>"+field+"</code>")
	}
	for _, anchor := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(page, -1) {
		assert.Contains(t, page, `id="`+anchor[1]+`"`, "a link that leads nowhere")
	}
}

// TestReferenceTellsTheAddress: pasted, the examples reach the server that shows them.
func TestReferenceTellsTheAddress(t *testing.T) {
	d := newDocument("test", new(api).operations())
	for _, test := range []struct{ public, host, proto, want string }{
		{"", "rota.example.com", "", "http://rota.example.com"},
		{"", "127.0.0.1:27318", "", "http://127.0.0.1:27318"},
		{"", "[::1]:8080", "", "http://[::1]:8080"},
		{"", "rota.example.com", "https", "https://rota.example.com"},
		{"https://rota.example.com/", "10.0.0.7:8080", "", "https://rota.example.com"},
		{"", `a"><script>`, "", "http://127.0.0.1:8080"},
		{"", "a; rm -rf /", "", "http://127.0.0.1:8080"},
		{"", "", "", "http://127.0.0.1:8080"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/docs", nil)
		r.Host = test.host
		r.Header.Set("X-Forwarded-Proto", test.proto)
		w := httptest.NewRecorder()
		reference(d, test.public)(w, r)
		require.Contains(t, w.Body.String(), "export ROTA_SERVER="+test.want+"\n")
		require.NotContains(t, w.Body.String(), addressMark)
	}
}

// The policy of the page allows its own style and nothing else, so the page
// must not need anything else.
func TestReferenceNeedsNothingElse(t *testing.T) {
	w := httptest.NewRecorder()
	reference(newDocument("test", new(api).operations()), "")(w, httptest.NewRequest(http.MethodGet, "/docs", nil))
	page := strings.Replace(w.Body.String(), "ROTA_SERVER=http://example.com\n", "", 1) // which is told, not fetched
	page = strings.ReplaceAll(page, "https://mcp.example.com/mcp", "")                  // in an example
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(page)
	require.NotNil(t, style)
	sum := sha256.Sum256([]byte(style[1]))
	require.Contains(t, w.Header().Get("Content-Security-Policy"), "style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
	for _, no := range []string{"<script", "<img", "<link", "style=", "http://", "https://", "url("} {
		assert.NotContains(t, page, no)
	}
}
