package httpapi_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/httpapi"
)

func TestReadsAreConditional(t *testing.T) {
	c := newAPI(t).acme()
	agent := c.newAgent("A")
	schedule, run := c.newSchedule(agent), c.newRun(agent)
	for _, path := range []string{agent, agent + "/versions/1", schedule, run, "/openapi.json", "/docs"} {
		get := c.send
		if strings.Count(path, "/") == 1 {
			get = func(method, target, _ string, headers ...string) reply { return c.ask(method, target, headers...) }
		}
		tag := get(http.MethodGet, path, "").is(http.StatusOK).Header.Get("ETag")
		require.NotEmpty(t, tag, path)
		for _, known := range []string{tag, "W/" + tag, `"1", ` + tag, "*", strings.TrimSuffix(tag, `"`) + `-gzip"`, strings.TrimSuffix(tag, `"`) + `--gzip"`} {
			got := get(http.MethodGet, path, "", "If-None-Match", known).is(http.StatusNotModified)
			require.Equal(t, tag, got.Header.Get("ETag"), path)
			require.Empty(t, got.Body, path)
		}
		get(http.MethodHead, path, "", "If-None-Match", tag).is(http.StatusNotModified)
		get(http.MethodGet, path, "", "If-None-Match", `"1"`).is(http.StatusOK)
	}
	c.send(http.MethodGet, agent+"/runs", "", "If-None-Match", "*").is(http.StatusOK)
}

// TestETagsOfReadsTellTheContent: what changes without a new version is no 304.
func TestETagsOfReadsTellTheContent(t *testing.T) {
	c := newAPI(t).acme()
	agent := c.newAgent("A")
	schedule := c.newSchedule(agent)
	before := c.send(http.MethodGet, agent, "").Header.Get("ETag")
	c.send(http.MethodDelete, agent, "").is(http.StatusOK)
	after := c.send(http.MethodGet, agent, "", "If-None-Match", before).is(http.StatusOK)
	require.NotEqual(t, before, after.Header.Get("ETag"))
	require.True(t, strings.HasPrefix(after.Header.Get("ETag"), `"1-`), "the version is that of the configuration")
	c.send(http.MethodPost, agent+"/restore", "", "If-Match", before).is(http.StatusOK)

	tag := c.send(http.MethodGet, schedule, "").Header.Get("ETag")
	c.send(http.MethodPost, schedule+"/resume", "", "If-Match", "W/"+tag).is(http.StatusOK)
	now := c.send(http.MethodGet, schedule, "").Header.Get("ETag")
	c.send(http.MethodPost, schedule+"/resume", "", "If-Match", strings.TrimSuffix(now, `"`)+`-gzip"`).is(http.StatusOK)
	c.send(http.MethodPost, schedule+"/pause", "", "If-Match", tag).is(http.StatusPreconditionFailed)
}

func TestIfNoneMatchIsForReads(t *testing.T) {
	w := answer(newServer(t, errReached), request(http.MethodPost, agents, `{"name":"A","model":"auto"}`, "If-None-Match", "*"))
	require.Equal(t, http.StatusBadRequest, w.Code)
	require.Equal(t, "If-None-Match", failed(t, w).param())
}

func TestWhatIsCreatedHasALocation(t *testing.T) {
	c := newAPI(t).acme()
	tool := `{"type":"function","name":"f","parameters":{}}`
	agent := c.send(http.MethodPost, agents+"/", `{"name":"A","model":"auto"}`).is(http.StatusCreated)
	require.Equal(t, agents+"/"+agent.id(), agent.Header.Get("Location"))
	at := agents + "/" + agent.id()
	for path, body := range map[string]string{
		at + "/runs":               `{"input":"hi"}`,
		at + "/schedules":          `{"schedule":{"type":"interval","interval_seconds":60},"input":"hi"}`,
		agents + "/function-tools": tool,
	} {
		made := c.send(http.MethodPost, path, body).is(http.StatusCreated)
		require.Equal(t, path+"/"+made.id(), made.Header.Get("Location"))
		c.send(http.MethodGet, made.Header.Get("Location"), "").is(http.StatusOK)
	}
	key := c.send(http.MethodPost, keys, `{"name":"k"}`).is(http.StatusCreated)
	c.send(http.MethodDelete, key.Header.Get("Location"), "").is(http.StatusOK)
}

func TestReplaysAreMarkedAndComparedAsJSON(t *testing.T) {
	c := newAPI(t).acme()
	send := func(body string) reply {
		return c.send(http.MethodPost, agents, body, "Idempotency-Key", "k")
	}
	first := send(`{"name":"A","model":"auto","metadata":{"a":"1","b":"2"},"max_tool_calls":3}`).is(http.StatusCreated)
	require.Empty(t, first.Header.Get("Idempotency-Replayed"))
	for _, same := range []string{
		`{"name":"A","model":"auto","metadata":{"a":"1","b":"2"},"max_tool_calls":3}`,
		"\ufeff{ \"max_tool_calls\": 3.0,\n\"metadata\": {\"b\":\"\\u0032\",\"a\":\"1\"}, \"model\": \"auto\", \"name\": \"A\" }",
	} {
		again := send(same).is(http.StatusCreated)
		require.Equal(t, first.Body, again.Body)
		require.Equal(t, "true", again.Header.Get("Idempotency-Replayed"))
		require.Equal(t, first.Header.Get("Location"), again.Header.Get("Location"))
	}
	send(`{"name":"A","model":"auto","metadata":{"a":"2","b":"1"},"max_tool_calls":3}`).is(http.StatusConflict)
	send(`{"name":"A","model":"auto","metadata":{"a":"1","b":"2"},"max_tool_calls":4}`).is(http.StatusConflict)
}

func TestAByteOrderMarkIsPassedOver(t *testing.T) {
	c := newAPI(t).acme()
	c.send(http.MethodPost, agents, "\ufeff"+`{"name":"A","model":"auto"}`).is(http.StatusCreated)
	c.send(http.MethodPost, agents, "\ufeff\ufeff"+`{"name":"A","model":"auto"}`).is(http.StatusBadRequest)
}

// ask makes a request that is not held against the document: its answer is
// compressed, or the document does not describe it.
func (c caller) ask(method, target string, headers ...string) reply {
	w := answer(c.handler, c.request(method, target, "", headers...))
	return reply{t: c.t, Status: w.Code, Header: w.Header(), Body: w.Body.Bytes()}
}

func TestAnswersAreCompressed(t *testing.T) {
	c := newAPI(t).acme()
	agent := c.newAgent("A")
	c.send(http.MethodPost, agent, `{"instructions":"`+strings.Repeat("Sum up the news. ", 200)+`"}`).is(http.StatusOK)
	for _, path := range []string{agent, agents, "/openapi.json", "/docs"} {
		plain := c.ask(http.MethodGet, path).is(http.StatusOK)
		require.Empty(t, plain.Header.Get("Content-Encoding"))
		require.Contains(t, plain.Header.Values("Vary"), "Accept-Encoding", path)
		packed := c.ask(http.MethodGet, path, "Accept-Encoding", "gzip").is(http.StatusOK)
		require.Equal(t, "gzip", packed.Header.Get("Content-Encoding"), path)
		unpacked, err := gzip.NewReader(bytes.NewReader(packed.Body))
		require.NoError(t, err)
		body, err := io.ReadAll(unpacked)
		require.NoError(t, err)
		require.Equal(t, plain.Body, body, path)
		if tag := plain.Header.Get("ETag"); tag != "" {
			require.Equal(t, "W/"+tag, packed.Header.Get("ETag"), path)
			c.ask(http.MethodGet, path, "Accept-Encoding", "gzip", "If-None-Match", "W/"+tag).is(http.StatusNotModified)
		}
		require.Empty(t, c.ask(http.MethodGet, path, "Accept-Encoding", "gzip;q=0, identity").Header.Get("Content-Encoding"))
	}
	require.Empty(t, c.ask(http.MethodGet, "/healthz", "Accept-Encoding", "gzip").Header.Get("Content-Encoding"))
}

func TestEventsAreNotCompressed(t *testing.T) {
	c := newAPI(t).acme()
	run := c.newRun(c.newAgent("A"))
	c.send(http.MethodPost, run+"/cancel", "").is(http.StatusOK)
	got := c.ask(http.MethodGet, run+"/events", "Accept-Encoding", "gzip").is(http.StatusOK)
	require.Empty(t, got.Header.Get("Content-Encoding"))
	require.Contains(t, string(got.Body), "response.cancelled")
}

func TestAPanicWhileCompressingAnswers500(t *testing.T) {
	w := answer(newServer(t, nil), request(http.MethodGet, agent, "", "Accept-Encoding", "gzip"))
	require.Equal(t, http.StatusInternalServerError, w.Code)
	failed(t, w)
}

func TestPagesOfOtherOrigins(t *testing.T) {
	const origin = "https://console.example.com"
	preflight := func(h http.Handler, origin string) http.Header {
		r := request(http.MethodOptions, agent, "", "Origin", origin, "Access-Control-Request-Method", "DELETE",
			"Access-Control-Request-Headers", "authorization,content-type,idempotency-key,if-match,x-on-behalf-of")
		r.Header.Del("Authorization")
		return answer(h, r).Header()
	}
	closed := newServer(t, errReached)
	require.Empty(t, preflight(closed, origin).Get("Access-Control-Allow-Origin"))
	require.Empty(t, answer(closed, request(http.MethodGet, agent, "", "Origin", origin)).Header().Get("Access-Control-Allow-Origin"))

	h := newServer(t, errReached, func(c *httpapi.Config) { c.Origins = []string{origin} })
	allowed := preflight(h, origin)
	assert.Equal(t, origin, allowed.Get("Access-Control-Allow-Origin"))
	assert.Equal(t, "DELETE", allowed.Get("Access-Control-Allow-Methods"))
	assert.Equal(t, "authorization,content-type,idempotency-key,if-match,x-on-behalf-of", allowed.Get("Access-Control-Allow-Headers"))
	assert.Empty(t, allowed.Get("Access-Control-Allow-Credentials"))
	assert.Empty(t, preflight(h, "https://evil.example").Get("Access-Control-Allow-Origin"))

	got := answer(h, request(http.MethodGet, agent, "", "Origin", origin))
	require.Equal(t, http.StatusServiceUnavailable, got.Code)
	assert.Equal(t, origin, got.Header().Get("Access-Control-Allow-Origin"))
	assert.Contains(t, got.Header().Values("Vary"), "Origin")
	for _, name := range []string{"Etag", "Location", "Retry-After", "X-Request-Id", "Idempotency-Replayed"} {
		assert.Contains(t, got.Header().Get("Access-Control-Expose-Headers"), name)
	}
	got = answer(h, request(http.MethodGet, agent, "", "Origin", "https://evil.example"))
	assert.Empty(t, got.Header().Get("Access-Control-Allow-Origin"))
	require.Equal(t, http.StatusMethodNotAllowed, answer(h, request(http.MethodOptions, agent, "")).Code, "no preflight")
}

func TestTwoSlashesAreNoPath(t *testing.T) {
	for _, path := range []string{agents + "//", agents + "//x", "//", "///"} {
		w := answer(newServer(t, errReached), request(http.MethodGet, path, ""))
		require.Equal(t, http.StatusNotFound, w.Code, path)
		require.Empty(t, w.Header().Get("Allow"))
	}
}
