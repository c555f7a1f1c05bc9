package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/build"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares got with the file, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "run the tests with -update if this is meant")
}

// A fake is a server that gives its answers in order, the last one again and
// again.
type fake struct {
	*httptest.Server
	answers []answer
	seen    []request
}

type answer struct {
	status int
	body   string
}

type request struct {
	method, uri, body string
	header            http.Header
}

func newFake(t *testing.T, answers ...answer) *fake {
	t.Helper()
	f := &fake{answers: answers}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		f.seen = append(f.seen, request{r.Method, r.RequestURI, string(body), r.Header})
		a := f.answers[min(len(f.seen), len(f.answers))-1]
		w.WriteHeader(a.status)
		io.WriteString(w, a.body)
	}))
	t.Cleanup(f.Close)
	t.Setenv("ROTA_SERVER", f.URL)
	t.Setenv("ROTA_KEY", "sesame")
	t.Setenv("COLUMNS", "")
	return f
}

// A result is what a command did.
type result struct {
	code     int
	out, err string
}

func rotaCmd(stdin string, args ...string) result {
	var out, errs bytes.Buffer
	code := run(context.Background(), args, stdio{in: strings.NewReader(stdin), out: &out, err: &errs})
	return result{code, out.String(), errs.String()}
}

func file(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	return name
}

// A verbCase is a command line, its words separated by |, and the request that it
// must become: method, target, body.
type verbCase struct{ args, want string }

func agentVerbs() []verbCase {
	return []verbCase{
		{"agents|create|--name|n|--model|m", `POST /api/v1/agents {"name":"n","model":"m"}`},
		{"agents|create|--name|n|--model|m|--description|d|--instructions|i|--max-tool-calls|3|--metadata|a=b;c|--metadata|d=e=f", `POST /api/v1/agents {"name":"n","model":"m","description":"d","instructions":"i","max_tool_calls":3,"metadata":{"a":"b;c","d":"e=f"}}`},
		{"agents|create|--body|{\"name\":\"n\", \"future\": 1}", `POST /api/v1/agents {"name":"n", "future": 1}`},
		{"agents|list", `GET /api/v1/agents `},
		{"agents|list|--limit|5|--order|asc|--after|agt_1", `GET /api/v1/agents?after=agt_1&limit=5&order=asc `},
		{"agents|list|--before|agt_1", `GET /api/v1/agents?before=agt_1 `},
		{"agents|list|--all", `GET /api/v1/agents?limit=100 `},
		{"agents|put|--by-key|a b/c|--name|n|--model|m", `PUT /api/v1/agents/by-key/a%20b%2Fc {"name":"n","model":"m"}`},
		{"agents|put|--by-key|k|--body|{\"future\": 1}", `PUT /api/v1/agents/by-key/k {"future": 1}`},
		{"agents|get|--agent-id|agt_1", `GET /api/v1/agents/agt_1 `},
		{"agents|get|--by-key|k", `GET /api/v1/agents/by-key/k `},
		{"agents|versions|--agent-id|agt_1|--limit|5", `GET /api/v1/agents/agt_1/versions?limit=5 `},
		{"agents|version|--agent-id|agt_1|--version|2", `GET /api/v1/agents/agt_1/versions/2 `},
		{"agents|restore|--agent-id|agt_1", `POST /api/v1/agents/agt_1/restore `},
		{"agents|list|--offset|40", `GET /api/v1/agents?offset=40 `},
		{"agents|versions|--agent-id|agt_1|--offset|1", `GET /api/v1/agents/agt_1/versions?offset=1 `},
		{"agents|list|--deleted", `GET /api/v1/agents?deleted=true `},
		{"function-tools|create|--name|f|--description|d|--parameters|{\"type\":\"object\"}", `POST /api/v1/agents/function-tools {"type":"function","name":"f","parameters":{"type":"object"},"description":"d"}`},
		{"function-tools|create|--body|{\"future\": 1}", `POST /api/v1/agents/function-tools {"future": 1}`},
		{"function-tools|list", `GET /api/v1/agents/function-tools `},
		{"function-tools|get|--function-tool-id|ftool_1", `GET /api/v1/agents/function-tools/ftool_1 `},
		{"function-tools|update|--function-tool-id|ftool_1|--name|f|--parameters|{}", `POST /api/v1/agents/function-tools/ftool_1 {"type":"function","name":"f","parameters":{}}`},
		{"function-tools|delete|--function-tool-id|ftool_1", `DELETE /api/v1/agents/function-tools/ftool_1 `},
		{"memory-stores|create|--name|n|--visibility|workspace|--metadata|a=b", `POST /api/v1/llm/memory_stores {"name":"n","visibility":"workspace","metadata":{"a":"b"}}`},
		{"memory-stores|create|--body|{\"future\": 1}", `POST /api/v1/llm/memory_stores {"future": 1}`},
		{"memory-stores|list", `GET /api/v1/llm/memory_stores `},
		{"memory-stores|get|--memory-store-id|mem_1", `GET /api/v1/llm/memory_stores/mem_1 `},
		{"memory-stores|update|--memory-store-id|mem_1|--description||--visibility|private", `POST /api/v1/llm/memory_stores/mem_1 {"description":null,"visibility":"private"}`},
		{"memory-stores|delete|--memory-store-id|mem_1", `DELETE /api/v1/llm/memory_stores/mem_1 `},
		{"memory-stores|entries|--memory-store-id|mem_1|--limit|5", `GET /api/v1/llm/memory_stores/mem_1/entries?limit=5 `},
		{"memory-stores|read|--memory-store-id|mem_1|--entry-id|memn_1", `GET /api/v1/llm/memory_stores/mem_1/entries/memn_1 `},
		{"memory-stores|add|--memory-store-id|mem_1|--path|a/b|--content|c", `POST /api/v1/llm/memory_stores/mem_1/entries {"path":"a/b","content":"c"}`},
		{"memory-stores|write|--memory-store-id|mem_1|--entry-id|memn_1|--content|d|--content-hash|h", `POST /api/v1/llm/memory_stores/mem_1/entries/memn_1 {"content":"d","if_match":"h"}`},
		{"memory-stores|forget|--memory-store-id|mem_1|--entry-id|memn_1", `DELETE /api/v1/llm/memory_stores/mem_1/entries/memn_1 {}`},
		{"agents|rollback|--agent-id|agt_1|--version|2", `POST /api/v1/agents/agt_1/versions/2/rollback `},
		{"agents|update|--agent-id|agt_1|--name|n", `POST /api/v1/agents/agt_1 {"name":"n"}`},
		{"agents|update|--agent-id|agt_1|--model|m|--description||--metadata|a=b", `POST /api/v1/agents/agt_1 {"model":"m","description":null,"metadata":{"a":"b"}}`},
		{"agents|update|--agent-id|agt_1", `POST /api/v1/agents/agt_1 {}`},
		{"agents|delete|--agent-id|agt_1", `DELETE /api/v1/agents/agt_1 `},
	}
}

func scheduleVerbs() []verbCase {
	return []verbCase{
		{"agent-schedules|create|--agent-id|agt_1|--every|1h|--input|go", `POST /api/v1/agents/agt_1/schedules {"schedule":{"type":"interval","interval_seconds":3600,"timezone":"UTC"},"input":"go"}`},
		{"agent-schedules|create|--agent-id|agt_1|--at|2026-12-01T09:00|--timezone|Europe/Madrid|--input|go", `POST /api/v1/agents/agt_1/schedules {"schedule":{"type":"once","run_at":"2026-12-01T09:00:00","timezone":"Europe/Madrid"},"input":"go"}`},
		{"agent-schedules|create|--agent-id|agt_1|--at|2026-12-01T09:00:00+01:00|--input|go", `POST /api/v1/agents/agt_1/schedules {"schedule":{"type":"once","run_at":"2026-12-01T09:00:00+01:00","timezone":"UTC"},"input":"go"}`},
		{"agent-schedules|create|--agent-id|agt_1|--cron|0 9 * * MON-FRI|--input|go|--name|n|--metadata|a=b|--conversation|conv_1|--previous-response-id|resp_1", `POST /api/v1/agents/agt_1/schedules {"schedule":{"type":"cron","cron_expression":"0 9 * * MON-FRI","timezone":"UTC"},"input":"go","name":"n","conversation":"conv_1","previous_response_id":"resp_1","metadata":{"a":"b"}}`},
		{"agent-schedules|create|--agent-id|agt_1|--every|1d|--input|go|--overlap|buffer_one|--missed|all|--max-lateness|2h|--jitter|30s|--start-at|2026-12-01T00:00:00Z|--end-at|2027-01-01T00:00:00+01:00|--max-runs|9|--pause-after-failures|3|--max-attempts|1|--on-crash|never|--timeout|5m", `POST /api/v1/agents/agt_1/schedules {"schedule":{"type":"interval","interval_seconds":86400,"timezone":"UTC"},"input":"go","policy":{"overlap":"buffer_one","missed":"all","max_lateness_seconds":7200,"jitter_seconds":30,"start_at":"2026-12-01T00:00:00.000Z","end_at":"2026-12-31T23:00:00.000Z","max_runs":9,"pause_after_failures":3,"retry":{"max_attempts":1,"on_crash":"never"},"timeout_seconds":300}}`},
		{"agent-schedules|list|--agent-id|agt_1", `GET /api/v1/agents/agt_1/schedules `},
		{"agent-schedules|create|--agent-id|agt_1|--description|d|--paused|--note|n|--every|60s|--input|go", `POST /api/v1/agents/agt_1/schedules {"schedule":{"type":"interval","interval_seconds":60,"timezone":"UTC"},"input":"go","description":"d","paused":true,"note":"n"}`},
		{"agent-schedules|put|--agent-id|agt_1|--by-key|k|--every|60s|--input|go", `PUT /api/v1/agents/agt_1/schedules/by-key/k {"schedule":{"type":"interval","interval_seconds":60,"timezone":"UTC"},"input":"go"}`},
		{"agent-schedules|get|--agent-id|agt_1|--by-key|k|--recent", `GET /api/v1/agents/agt_1/schedules/by-key/k?expand=recent `},
		{"agent-schedules|get|--agent-id|agt_1|--by-key|k", `GET /api/v1/agents/agt_1/schedules/by-key/k `},
		{"agent-schedules|get|--agent-id|agt_1|--schedule-id|asch_1", `GET /api/v1/agents/agt_1/schedules/asch_1 `},
		{"agent-schedules|get|--agent-id|agt_1|--schedule-id|asch_1|--include-deleted", `GET /api/v1/agents/agt_1/schedules/asch_1?include_deleted=true `},
		{"agent-schedules|update|--agent-id|agt_1|--schedule-id|asch_1|--context-management|", `POST /api/v1/agents/agt_1/schedules/asch_1 {"context_management":null}`},
		{"agent-schedules|update|--agent-id|agt_1|--schedule-id|asch_1|--name||--conversation||--previous-response-id|", `POST /api/v1/agents/agt_1/schedules/asch_1 {"name":null,"conversation":null,"previous_response_id":null}`},
		{"agent-schedules|update|--agent-id|agt_1|--schedule-id|asch_1|--every|90s|--input|go|--conversation|conv_1|--jitter|0s", `POST /api/v1/agents/agt_1/schedules/asch_1 {"schedule":{"type":"interval","interval_seconds":90,"timezone":"UTC"},"input":"go","conversation":"conv_1","policy":{"jitter_seconds":0}}`},
		{"agent-schedules|delete|--agent-id|agt_1|--schedule-id|asch_1", `DELETE /api/v1/agents/agt_1/schedules/asch_1 `},
		{"agent-schedules|pause|--agent-id|agt_1|--schedule-id|asch_1|--note|rest", `POST /api/v1/agents/agt_1/schedules/asch_1/pause {"note":"rest"}`},
		{"agent-schedules|resume|--agent-id|agt_1|--schedule-id|asch_1", `POST /api/v1/agents/agt_1/schedules/asch_1/resume {}`},
	}
}

func runAndKeyVerbs() []verbCase {
	return []verbCase{
		{"runs|get|arun_1", `GET /api/v1/runs/arun_1 `},
		{"approvals|list", `GET /api/v1/approvals `},
		{"approvals|list|--end-user|*|--status|pending|--run-id|arun_1", `GET /api/v1/approvals?end_user=%2A&run_id=arun_1&status=pending `},
		{"runs|list", `GET /api/v1/runs `},
		{
			"runs|list|--end-user|*|--agent-id|agt_1|--schedule-id|asch_1|--phase|failed|--error-code|timeout|--trigger|schedule|--from|2026-12-01T09:00|--to|2026-12-01T10:00|--timezone|Europe/Madrid",
			`GET /api/v1/runs?agent_id=agt_1&end_user=%2A&error_code=timeout&from=2026-12-01T08%3A00%3A00.000Z&phase=failed&schedule_id=asch_1&to=2026-12-01T09%3A00%3A00.000Z&trigger=schedule `,
		},
		{"occurrences|list", `GET /api/v1/occurrences `},
		{
			"occurrences|list|--end-user|ana|--agent-id|agt_1|--schedule-id|asch_1|--outcome|missed|--trigger|backfill|--from|2026-12-01T09:00|--limit|5",
			`GET /api/v1/occurrences?agent_id=agt_1&end_user=ana&from=2026-12-01T09%3A00%3A00.000Z&limit=5&outcome=missed&schedule_id=asch_1&trigger=backfill `,
		},
		{"end-users|list|--after|ana", `GET /api/v1/end-users?after=ana&order=asc `},
		{"retention|get", `GET /api/v1/account/retention `},
		{"retention|set|--runs|720h|--occurrences|0", `PUT /api/v1/account/retention {"runs_seconds":2592000,"occurrences_seconds":0}`},
		{"end-users|export|ana b", `GET /api/v1/end-users/ana%20b/export `},
		{"end-users|delete|ana|--yes", `DELETE /api/v1/end-users/ana `},
		{"agent-runs|delete|--agent-id|agt_1|--run-id|arun_1", `DELETE /api/v1/agents/agt_1/runs/arun_1 `},
		{"keys|self", `GET /api/v1/keys/self `},
		{"limits|get|--account-id|acme|--end-user|ana", `GET /api/v1/accounts/acme/limits?end_user=ana `},
		{"limits|set|--account-id|acme|--end-user-open-runs|7|--end-user-requests|20/second|--account-bytes|1000", `PUT /api/v1/accounts/acme/limits {"end_user":{"open_runs":7,"requests":["20/second"]},"account":{"bytes":1000}}`},
		{"limits|set|--account-id|acme|--body|{\"account\":{\"workers\":3}}", `PUT /api/v1/accounts/acme/limits {"account":{"workers":3}}`},
		{"agent-runs|create|--agent-id|agt_1|--input|go|--conversation|conv_1|--metadata|a=b", `POST /api/v1/agents/agt_1/runs {"input":"go","conversation":"conv_1","stream":true,"metadata":{"a":"b"}}`},
		{"agent-runs|create|--agent-id|agt_1|--input|go|--context-management|[{\"type\":\"compaction\",\"compact_threshold\":2000}]", `POST /api/v1/agents/agt_1/runs {"input":"go","context_management":[{"type":"compaction","compact_threshold":2000}],"stream":true}`},
		{"agent-runs|list|--agent-id|agt_1|--offset|20", `GET /api/v1/agents/agt_1/runs?offset=20 `},
		{"agent-runs|list|--agent-id|agt_1", `GET /api/v1/agents/agt_1/runs `},
		{"agent-runs|get|--agent-id|agt_1|--run-id|arun_1", `GET /api/v1/agents/agt_1/runs/arun_1 `},
		{"agent-runs|cancel|--agent-id|agt_1|--run-id|arun_1", `POST /api/v1/agents/agt_1/runs/arun_1/cancel `},
		{"agent-runs|wake|--agent-id|agt_1|--run-id|arun_1|--input|go on", `POST /api/v1/agents/agt_1/runs/arun_1/wake {"input":"go on"}`},
		{"approvals|get|mcpr_1", `GET /api/v1/approvals/mcpr_1 `},
		{"agent-runs|decide|--agent-id|agt_1|--run-id|arun_1|--approval-request-id|mcpr_1|--deny|--reason|no", `POST /api/v1/agents/agt_1/runs/arun_1/mcp-approvals {"approval_request_id":"mcpr_1","approve":false,"reason":"no"}`},
		{"keys|create|--name|ci|--account|acme|--scope|read:agents|--scope|write:agents", `POST /api/v1/keys {"name":"ci","account":"acme","scopes":["read:agents","write:agents"]}`},
		{"system", `GET /api/v1/system `},
		{"keys|list", `GET /api/v1/keys `},
		{"keys|revoke|--key-id|key_1", `DELETE /api/v1/keys/key_1 `},
		{"keys|revoke|--key-id|key_1|--descendants", `DELETE /api/v1/keys/key_1?descendants=true `},
		{"keys|list|--descends-from|key_1", `GET /api/v1/keys?descends_from=key_1 `},
		{"keys|exchange-token|--audience|a|--external-user-id|ana|--expires-in|1h|--permission|read:agents", `POST /api/v1/authentication/api-keys/exchange-token {"audience":"a","externalUserId":"ana","expiresIn":3600,"permissions":["read:agents"]}`},
		{"scoped-keys|create|--name|web|--scope|read:agents|--end-user|ana|--expires-in|1d", `POST /api/v1/authentication/api-key/scoped {"name":"web","teamId":"","scopes":["read:agents"],"expiresIn":86400,"onBehalfOf":{"serviceAccountId":"ana","userType":"service-account"}}`},
		{"scoped-keys|update|--key-id|key_1|--scope|read:agents|--name|n", `POST /api/v1/authentication/api-key/scoped/update {"keyId":"key_1","scopes":["read:agents"],"name":"n"}`},
		{"scoped-keys|regenerate|--key-id|key_1", `POST /api/v1/authentication/api-key/scoped/regenerate {"keyId":"key_1"}`},
		{"scoped-keys|delete|--key-id|key_1", `POST /api/v1/authentication/api-key/scoped/delete {"keyId":"key_1"}`},
		{"keys|create|--name|ci|--end-user|ana", `POST /api/v1/keys {"name":"ci","end_user":"ana"}`},
		{"keys|rotate-signing", `POST /api/v1/signing-keys/rotate {}`},
		{"keys|rotate-signing|--revoke", `POST /api/v1/signing-keys/rotate {"revoke":true}`},
	}
}

func allVerbs() []verbCase {
	return slices.Concat(agentVerbs(), scheduleVerbs(), occurrenceVerbs(), allSchedulesVerbs(), runAndKeyVerbs())
}

func TestVerbsSendRequests(t *testing.T) {
	for _, test := range allVerbs() {
		t.Run(test.args, func(t *testing.T) {
			body := `{"changed":1}`
			if strings.Contains(test.args, "|acknowledge|--") {
				body = `{"acknowledged":1}`
			}
			f := newFake(t, answer{200, body})
			got := rotaCmd("", strings.Split(test.args, "|")...)
			require.Equal(t, exitOK, got.code, got.err)
			if len(f.seen) == 2 { // whose zone is it?
				require.Equal(t, "GET /api/v1/agents/agt_1/schedules/asch_1?include_deleted=true", f.seen[0].method+" "+f.seen[0].uri)
				f.seen = f.seen[1:]
			}
			require.Len(t, f.seen, 1)
			require.Equal(t, test.want, f.seen[0].method+" "+f.seen[0].uri+" "+f.seen[0].body)
			require.Equal(t, "Bearer sesame", f.seen[0].header.Get("Authorization"))
		})
	}
}

// TestEveryOperationHasAVerb looks for the operations of the API among the
// requests of the verbs.
func TestEveryOperationHasAVerb(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "openapi.json"))
	require.NoError(t, err)
	var api struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
		} `json:"paths"`
	}
	require.NoError(t, json.Unmarshal(b, &api))
	require.NotEmpty(t, api.Paths)
	requests := "GET /api/v1/agents/agt_1/runs/arun_1/events \nGET /api/v1/changes \n"                          // TestEventsAreLines, TestChanges
	requests += "GET /api/v1/authentication/api-key/scoped/list \nGET /api/v1/authentication/api-key/scoped \n" // TestScopedKeys; the latter for older clients
	for _, v := range allVerbs() {
		requests += v.want + "\n"
	}
	for path, methods := range api.Paths {
		if path == "/api/v1/authentication/api-key/exchange-token" {
			continue // another name, for older clients
		}
		path = regexp.MustCompile(`\{[^}]+\}`).ReplaceAllString(path, `[^/?]+`)
		for method, op := range methods {
			if strings.Contains(path, "/connectors") {
				continue // not offered
			}
			if strings.HasPrefix(path, "/api/v1/llm/") {
				continue // for clients of the Responses API
			}
			require.Regexp(t, `(?m)^`+strings.ToUpper(method)+` `+path+`[ ?]`, requests, op.OperationID)
		}
	}
}

func TestBodyComesFromAFileOrStandardInput(t *testing.T) {
	const body = ` {"name":"n","model":"m"} `
	for _, arg := range []string{"-", "@" + file(t, body), body} {
		f := newFake(t, answer{201, `{}`})
		got := rotaCmd(body, "agents", "create", "--body", arg)
		require.Equal(t, exitOK, got.code, got.err)
		require.Equal(t, strings.TrimSpace(body), f.seen[0].body)
	}
}

func TestSharedFlags(t *testing.T) {
	keyFile := file(t, "from-file\n")
	for name, test := range map[string]struct {
		args []string
		want http.Header
	}{
		"flags":         {[]string{"--on-behalf-of", "u 1", "--if-match", "3", "--idempotency-key", "k"}, http.Header{"X-On-Behalf-Of": {"u 1"}, "If-Match": {`"3"`}, "Idempotency-Key": {"k"}}},
		"headers":       {[]string{"-H", "X-On-Behalf-Of: u 1", "-H", `if-match: "3"`, "-H", "idempotency-key:k"}, http.Header{"X-On-Behalf-Of": {"u 1"}, "If-Match": {`"3"`}, "Idempotency-Key": {"k"}}},
		"ETag":          {[]string{"--if-match", `W/"3-9f86d081884c7d65"`}, http.Header{"If-Match": {`"3"`}}},
		"key":           {[]string{"--key", "other"}, http.Header{"Authorization": {"Bearer other"}}},
		"key file":      {[]string{"--key-file", keyFile}, http.Header{"Authorization": {"Bearer from-file"}}},
		"who is asking": {nil, http.Header{"User-Agent": {"rota-cli/" + build.Version()}}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, args := range [][]string{
				append([]string{"agents", "update", "--agent-id", "agt_1"}, test.args...),
				append(test.args, "agents", "update", "--agent-id", "agt_1"),
			} {
				f := newFake(t, answer{200, `{}`})
				got := rotaCmd("", args...)
				require.Equal(t, exitOK, got.code, got.err)
				for name := range test.want {
					require.Equal(t, test.want[name], f.seen[0].header[name])
				}
			}
		})
	}
}

// wrongLines are command lines and the complaints about them.
func wrongLines() [][2]string {
	return [][2]string{
		{"agents|fetch", "rota: agents: unexpected argument fetch"},
		{"agents|get|agt_1", "rota: agents get: unexpected argument agt_1; give it as --agent-id"},
		{"agents|get", "rota: agents get: missing flags: --agent-id=ID or --by-key=KEY"},
		{"agents|get|--agent-id|agt_1|--colour", "rota: agents get: unknown flag --colour"},
		{"agents|create|--name|n", "rota: agents create: give --name and --model, or --body"},
		{"agent-schedules|put|--agent-id|agt_1|--by-key|k|--paused|--body|{}", "rota: agent-schedules put: --body is the whole request body; it cannot go with flags that write parts of it"},
		{"agents|create|--name|n|--body|{}", "rota: agents create: --body is the whole request body; it cannot go with flags that write parts of it"},
		{"agents|create|--metadata|a=b|--body|{}", "rota: agents create: --body is the whole request body; it cannot go with flags that write parts of it"},
		{"agents|create|--body|{", "rota: agents create: --body is not JSON: unexpected end of JSON input"},
		{"agents|create|--body|@/no/such/file", "rota: agents create: --body: /no/such/file: no such file or directory"},
		{"agents|create|--body|-", "rota: agents create: --body is not JSON: unexpected end of JSON input"},
		{"agents|list|--all|--before|agt_1", "rota: agents list: --before and --all can't be used together"},
		{"agents|list|--order|up", `rota: agents list: --order must be one of "asc","desc" but got "up"`},
		{"agents|list|--key-file|/no/such/file", "rota: agents list: --key-file ($ROTA_KEY_FILE): /no/such/file: no such file or directory"},
		{"agents|list|-H|Cookie: x", "rota: agents list: --header must be 'X-On-Behalf-Of: USER', 'If-Match: VERSION' or 'Idempotency-Key: ID'"},
		{"agents|list|-H|X-On-Behalf-Of: a|--on-behalf-of|b", "rota: agents list: X-On-Behalf-Of is given twice"},
		{"agent-runs|create|--agent-id|agt_1|--input|go|--context-management|{", `rota: agent-runs create: --context-management: "{" is not JSON`},
		{"agents|list|--if-match|new", `rota: agents list: --if-match must be a version such as 3, not "new"`},
		{"backup|-", "rota: backup: <file> must be the name of a file: a backup is checked before it is in place"},
		{"agent-schedules|create|--agent-id|agt_1|--input|go", "rota: agent-schedules create: give --every, --at or --cron, and --input; or --body"},
		{"agent-schedules|create|--agent-id|agt_1|--every|1h", "rota: agent-schedules create: give --every, --at or --cron, and --input; or --body"},
		{"agent-schedules|create|--agent-id|agt_1|--every|1h|--cron|@daily|--input|go", "rota: agent-schedules create: --every and --cron can't be used together"},
		{"agent-schedules|create|--agent-id|agt_1|--jitter|1s|--body|{}", "rota: agent-schedules create: --body is the whole request body; it cannot go with flags that write parts of it"},
		{"agent-schedules|update|--agent-id|agt_1|--schedule-id|asch_1|--timezone|UTC", "rota: agent-schedules update: --timezone goes with --every, --at or --cron"},
		{"agent-schedules|update|--agent-id|agt_1|--schedule-id|asch_1|--every|1.5s", `rota: agent-schedules update: --every: "1.5s" is not a time in whole seconds such as 90s, 1h30m or 7d`},
		{"agent-schedules|update|--agent-id|agt_1|--schedule-id|asch_1|--overlap|x", `rota: agent-schedules update: --overlap must be one of "skip","buffer_one","allow_all" but got "x"`},
		{"agent-runs|create|--agent-id|agt_1", "rota: agent-runs create: give --input, or --body"},
		{"agent-schedules|occurrences|--agent-id|agt_1", "rota: agent-schedules occurrences: missing flags: --schedule-id=ID"},
		{"agent-schedules|occurrences|--agent-id|agt_1|--schedule-id|asch_1|--from|yesterday", `rota: agent-schedules occurrences: --from: "yesterday" is not a time such as 2026-12-01T09:00, or 2026-12-01T09:00:00+01:00`},
		{"agent-schedules|occurrences|--agent-id|agt_1|--schedule-id|asch_1|--to|2026-02-30T09:00", `rota: agent-schedules occurrences: --to: "2026-02-30T09:00" is not a time such as 2026-12-01T09:00, or 2026-12-01T09:00:00+01:00`},
		{"agent-schedules|occurrences|--agent-id|agt_1|--schedule-id|asch_1|--outcome|lost", `rota: agent-schedules occurrences: --outcome must be one of "fired","skipped_overlap","skipped_requested","buffered","missed","blocked" but got "lost"`},
		{"agent-schedules|skip|--agent-id|agt_1|--schedule-id|asch_1", "rota: agent-schedules skip: missing flags: --scheduled-for=TIME"},
		{"agent-schedules|skip|--agent-id|agt_1|--schedule-id|asch_1|--scheduled-for|2026-12-24T09:00|--timezone|Madrid", `rota: agent-schedules skip: --timezone: "Madrid" is not a time zone; did you mean Europe/Madrid?`},
		{"schedules|preview|--count|3", "rota: schedules preview: give --every, --at or --cron; or --body"},
		{"schedules|preview|--count|3|--body|{}", "rota: schedules preview: --body is the whole request body; it cannot go with flags that write parts of it"},
		{"schedules|pause|--note|rest", "rota: schedules pause: give --agent-id, --metadata, --name or --search, or several of them; or --all"},
		{"schedules|resume|--all|--agent-id|agt_1", "rota: schedules resume: give --agent-id, --metadata, --name or --search, or several of them; or --all"},
		{"forecast|--timezone|Mars/Base", `rota: forecast: --timezone: "Mars/Base" is not a time zone; accepted is an IANA name such as Europe/Madrid, or UTC`},
		{"keys|create", "rota: keys create: give --name, or --body"},
		{"migrate|sqlite://a", `rota: migrate: expected "<target>"`},
		{"migrate|mysql://u:hunter2@h/d|sqlite://b", "rota: migrate: SOURCE must be like postgres://user:password@host:5432/name, or sqlite:// and a directory"},
		{"migrate|sqlite://a|u:hunter2@h/d", "rota: migrate: TARGET must be like postgres://user:password@host:5432/name, or sqlite:// and a directory"},
		{"migrate|sqlite://a|sqlite://b|postgres://u:hunter2@h/d", "rota: migrate: unexpected argument postgres://…@h/d"},
		{"completion|tcsh", `rota: completion: <shell> must be one of "bash","zsh","fish","powershell" but got "tcsh"`},
	}
}

func TestTheKeyStaysSecret(t *testing.T) {
	require.NotContains(t, fmt.Sprintf("%v %+v %s", remote{Key: "hunter2"}, &remote{Key: "hunter2"}, secret("hunter2")), "hunter2")
	for _, line := range wrongLines() {
		got := rotaCmd("", append([]string{"--key", "hunter2"}, strings.Split(line[0], "|")...)...)
		require.NotContains(t, got.err+got.out, "hunter2")
	}
	t.Setenv("ROTA_KEY", "hunter2")
	require.NotContains(t, rotaCmd("", "--help").out, "hunter2")
}

func TestTheKeyIsReadWithoutTheEndOfItsLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(file, []byte("\ufeffhunter2\r\n"), 0o600))
	for _, r := range []*remote{{Key: "hunter2\r\n"}, {KeyFile: file}} {
		got, err := r.key()
		require.NoError(t, err)
		require.Equal(t, "hunter2", got)
	}
}

func TestAKeyExpiresInTime(t *testing.T) {
	now := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	in := span(30 * day)
	body, err := json.Marshal(keyFlags{Name: new("ci"), ExpiresIn: &in}.create(now))
	require.NoError(t, err)
	require.JSONEq(t, `{"name":"ci","expires_at":"2026-12-31T09:00:00.000Z"}`, string(body))
}

func TestWrongCommandLines(t *testing.T) {
	for _, test := range wrongLines() {
		t.Run(test[0], func(t *testing.T) {
			f := newFake(t, answer{200, `{}`})
			got := rotaCmd("", strings.Split(test[0], "|")...)
			require.Equal(t, result{exitUsage, "", test[1] + "\n"}, got)
			require.Empty(t, f.seen)
		})
	}
}

func TestRefusals(t *testing.T) {
	refuse := func(status int, code, param string) answer {
		detail := map[string]any{"message": "must be at least 60", "type": "t", "code": code, "param": param}
		b, _ := json.Marshal(map[string]any{"error": detail})
		return answer{status, string(b)}
	}
	for _, test := range []struct {
		answer answer
		code   int
		want   string
	}{
		{refuse(400, "invalid", "schedule.interval_seconds"), exitRefused, "rota: agents get: schedule.interval_seconds: must be at least 60"},
		{refuse(401, "unauthenticated", ""), exitDenied, "rota: agents get: must be at least 60"},
		{refuse(403, "denied", ""), exitDenied, "rota: agents get: must be at least 60"},
		{refuse(409, "conflict", ""), exitConflict, "rota: agents get: must be at least 60"},
		{refuse(412, "precondition_failed", ""), exitConflict, "rota: agents get: must be at least 60"},
		{refuse(404, "not_found", ""), exitNotFound, "rota: agents get: must be at least 60"},
		{refuse(429, "rate_limited", ""), exitRefused, "rota: agents get: must be at least 60"},
		{refuse(500, "internal", ""), exitRefused, "rota: agents get: must be at least 60"},
		{refuse(503, "unavailable", ""), exitUnreachable, "rota: agents get: must be at least 60"},
		{answer{502, "<html>"}, exitUnreachable, "rota: agents get: the server answered 502 Bad Gateway"},
		{answer{200, "<html>"}, exitRefused, "rota: agents get: the answer does not come from a Rota server: invalid character '<' looking for beginning of value"},
		{answer{400, `{"error":{"message":"a\u001b[2Jb"}}`}, exitRefused, "rota: agents get: a [2Jb"},
	} {
		newFake(t, test.answer)
		got := rotaCmd("", "agents", "get", "--agent-id", "agt_1")
		require.Equal(t, test.want+"\n", got.err)
		require.Equal(t, test.code, got.code)
	}
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Request-ID", "req_1")
		w.Header().Set("Retry-After", "5")
		w.WriteHeader(503)
	}))
	defer srv.Close()
	got := rotaCmd("", "agents", "list", "--server", srv.URL)
	require.Equal(t, "rota: agents list: the server answered 503 Service Unavailable (request req_1); try again in 5s\n", got.err)
}

func TestAServerThatIsNotThere(t *testing.T) {
	f := newFake(t)
	f.Close()
	got := rotaCmd("", "agents", "list", "--key", "hunter2")
	require.Equal(t, exitUnreachable, got.code)
	require.Contains(t, got.err, "rota: agents list: cannot reach the server at 127.0.0.1:")
	require.NotContains(t, got.err, "hunter2")
}

func TestWhatTheClientRefusesIsWrongUsage(t *testing.T) {
	got := rotaCmd("", "agents", "list", "--server", "nonsense")
	require.Equal(t, exitUsage, got.code)
	require.Contains(t, got.err, "must be a URL")
	got = rotaCmd("", "agents", "delete", "--agent-id", "")
	require.Equal(t, exitUsage, got.code)
	require.Equal(t, "rota: agents delete: \"\" is not an id\n", got.err)
}

// TestAnInterruptDoesNotHideWhatWentWrong: a server that cannot stop says why.
func TestAnInterruptDoesNotHideWhatWentWrong(t *testing.T) {
	require.Equal(t, "did not stop", explain(errors.New("did not stop"), exitInterrupted))
	require.Equal(t, "interrupted", explain(fmt.Errorf("waiting: %w", context.Canceled), exitInterrupted))
}

func TestAnInterruptHasItsOwnExitCode(t *testing.T) {
	newFake(t, answer{200, `{}`})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	require.Equal(t, exitInterrupted, run(ctx, []string{"agents", "list"}, stdio{out: &out, err: &out}))
}

func TestErrorsAsJSON(t *testing.T) {
	newFake(t, answer{412, `{"error":{"message":"If-Match: old","type":"t","code":"precondition_failed","param":"If-Match"}}`})
	got := rotaCmd("", "agents", "get", "--agent-id", "agt_1", "-o", "json")
	require.Equal(t, exitConflict, got.code)
	require.Empty(t, got.out)
	require.JSONEq(t, `{"error":{"message":"If-Match: old","code":"precondition_failed","param":"If-Match","status":412,"exit_code":7}}`, got.err)

	got = rotaCmd("", "agents", "get", "--output=json", "--colour")
	require.JSONEq(t, `{"error":{"message":"unknown flag --colour","code":"usage","exit_code":2}}`, got.err)
	t.Setenv("ROTA_OUTPUT", "json")
	newFake(t).Close()
	require.Contains(t, rotaCmd("", "agents", "list").err, `"code": "unavailable"`)
}

func TestABulkChangeThatMatchedNothing(t *testing.T) {
	newFake(t, answer{200, `{"object":"schedule.bulk","changed":0}`})
	got := rotaCmd("", "schedules", "pause", "--all")
	require.Equal(t, result{exitNothing, "changed  0\n", "rota: schedules pause: nothing matched: no schedule that matches is active, of those that this key and --on-behalf-of can see\n"}, got)
	got = rotaCmd("", "schedules", "resume", "--all", "--pause-reason", "failures", "-o", "json")
	require.Equal(t, exitNothing, got.code)
	require.JSONEq(t, `{"object":"schedule.bulk","changed":0}`, got.out)
	require.Contains(t, got.err, `"code": "nothing_matched"`)
}

func TestWithoutAKey(t *testing.T) {
	newFake(t, answer{401, `{"error":{"message":"send the header Authorization: Bearer <key>","code":"unauthenticated"}}`})
	t.Setenv("ROTA_KEY", "")
	got := rotaCmd("", "agents", "list")
	require.Equal(t, result{exitDenied, "", "rota: agents list: set ROTA_KEY to a key of the server, or name a file that holds one with --key-file\n"}, got)
}

func TestEmptyVariables(t *testing.T) {
	for variable, flag := range map[string]string{"ROTA_SERVER": "--server", "ROTA_KEY_FILE": "--key-file", "ROTA_ON_BEHALF_OF": "--on-behalf-of", "ROTA_OUTPUT": "--output"} {
		for _, value := range []string{"", " \n"} {
			t.Run(variable, func(t *testing.T) {
				f := newFake(t, answer{200, `{}`})
				t.Setenv(variable, value)
				got := rotaCmd("", "agents", "list")
				require.Equal(t, result{exitUsage, "", "rota: agents list: " + flag + " ($" + variable + ") must not be empty: leave it out for the default\n"}, got)
				require.Empty(t, f.seen, "nobody is acted for by mistake")
			})
		}
	}
}

func TestTheEndUserOfTheEnvironment(t *testing.T) {
	f := newFake(t, answer{200, `{}`})
	t.Setenv("ROTA_ON_BEHALF_OF", "ana")
	rotaCmd("", "agents", "list")
	rotaCmd("", "agents", "list", "-H", "X-On-Behalf-Of: bob")
	rotaCmd("", "agents", "list", "--on-behalf-of", "eve")
	require.Equal(t, "ana", f.seen[0].header.Get("X-On-Behalf-Of"))
	require.Equal(t, "bob", f.seen[1].header.Get("X-On-Behalf-Of"))
	require.Equal(t, "eve", f.seen[2].header.Get("X-On-Behalf-Of"))
}

func TestScopedKeys(t *testing.T) {
	f := newFake(t, answer{200, `[{"id":"key_1","name":"web","start":"rk_ab","userId":"ana","expiresAt":null,"scopes":["read:agents"]}]`})
	got := rotaCmd("", "scoped-keys", "list")
	require.Equal(t, result{exitOK, "ID     NAME  SECRET  USER  EXPIRES\nkey_1  web   rk_ab…  ana   -\n", ""}, got)
	require.Equal(t, "/api/v1/authentication/api-key/scoped/list", f.seen[0].uri)

	newFake(t, answer{200, `{"token":"ey.J.x"}`})
	require.Equal(t, result{exitOK, "ey.J.x\n", ""}, rotaCmd("", "keys", "exchange-token", "--audience", "a", "--external-user-id", "ana"))
}

func TestRunsInAZone(t *testing.T) {
	run := `{"id":"arun_1","agent_id":"agt_1","phase":"completed","trigger":"schedule","scheduled_for":"2026-12-01T08:00:00Z","created_at":"2026-12-01T08:00:00Z"}`
	for _, args := range [][]string{{"runs", "get", "arun_1"}, {"agent-runs", "get", "--agent-id", "agt_1", "--run-id", "arun_1"}, {"agent-runs", "list", "--agent-id", "agt_1"}} {
		body := run
		if args[1] == "list" {
			body = `{"object":"list","data":[` + run + `],"has_more":false}`
		}
		newFake(t, answer{200, body}, answer{200, body})
		require.Contains(t, rotaCmd("", args...).out, "2026-12-01T08:00:00Z")
		got := rotaCmd("", append(args, "--timezone", "Europe/Madrid")...)
		require.Contains(t, got.out, "2026-12-01T09:00:00+01:00", got.err)
		require.NotContains(t, got.out, "Z")
		got = rotaCmd("", append(args, "--timezone", "Europe/Barcelona")...)
		require.Equal(t, exitUsage, got.code)
	}
}
