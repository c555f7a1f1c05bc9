package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/engine"
	"github.com/rota-run/rota/internal/gateway"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
	"github.com/rota-run/rota/internal/rawjson"
	"github.com/rota-run/rota/internal/responses"
)

const responsesPath = "/api/v1/llm/responses"

// models are the stand-in, and a model that does what a test says.
type models struct {
	*gateway.Gateway
	server *gatewaytest.Server
}

func newModels(t *testing.T) *models {
	t.Helper()
	g, err := gateway.New(nil)
	require.NoError(t, err)
	return &models{Gateway: g}
}

// newLLM is newAPI with a model under the name test.
func newLLM(t *testing.T) *server {
	t.Helper()
	s := newAPI(t)
	s.models.server = gatewaytest.New(t)
	var err error
	s.models.Gateway, err = gateway.New([]gateway.Provider{{Name: "test", BaseURL: s.models.server.URL}})
	require.NoError(t, err)
	return s
}

// asked returns the bodies that the model was sent.
func (m *models) asked(t *testing.T) (bodies []map[string]json.RawMessage) {
	t.Helper()
	for _, c := range m.server.Calls() {
		var b map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(c.Body, &b))
		bodies = append(bodies, b)
	}
	return bodies
}

// create has a model answer, and returns the response.
func (c caller) create(body string) map[string]any {
	c.t.Helper()
	return c.send(http.MethodPost, responsesPath, body).is(http.StatusOK).object()
}

// events reads a stream, which must be a valid one from its first event on.
func (r reply) responseEvents() (data [][]byte) {
	r.t.Helper()
	require.Equal(r.t, "text/event-stream", r.Header.Get("Content-Type"), "%s", r.Body)
	for frame := range strings.SplitSeq(strings.TrimSuffix(string(r.Body), "\n\n"), "\n\n") {
		name, d, ok := strings.Cut(frame, "\ndata: ")
		require.True(r.t, ok, frame)
		require.Equal(r.t, strings.TrimPrefix(name, "event: "), rawjson.Text(rawjson.Get([]byte(d), "type")))
		data = append(data, []byte(d))
	}
	return data
}

func valid(t *testing.T, events [][]byte) {
	t.Helper()
	var c responses.Checker
	for _, e := range events {
		require.NoError(t, c.Event(e), "%s", e)
	}
	require.NoError(t, c.End())
}

func outputText(response map[string]any) string {
	var s strings.Builder
	for _, i := range response["output"].([]any) {
		for _, p := range i.(map[string]any)["content"].([]any) {
			s.WriteString(p.(map[string]any)["text"].(string))
		}
	}
	return s.String()
}

// What is answered is found again, word for word.
func TestAResponseIsStored(t *testing.T) {
	s := newLLM(t)
	c := s.acme()
	s.models.server.Script(gatewaytest.Text("Paris."))
	created := c.send(http.MethodPost, responsesPath, `{"model":"test/small","input":"The capital of France?","metadata":{"a":"b"},"user":"u","shade":"blue"}`).is(http.StatusOK)
	r := created.object()
	require.Equal(t, "completed", r["status"])
	require.Equal(t, "Paris.", outputText(r))
	require.Regexp(t, `^resp_[0-9a-f]{32}$`, r["id"])
	require.Equal(t, map[string]any{"a": "b"}, r["metadata"])
	require.Equal(t, string(created.Body), string(c.send(http.MethodGet, responsesPath+"/"+created.id(), "").is(http.StatusOK).Body))

	asked := s.models.asked(t)[0]
	require.Equal(t, `"small"`, string(asked["model"]))
	require.Equal(t, `"blue"`, string(asked["shade"]), "what nobody knows is carried")
	require.NotContains(t, asked, "store")

	items := c.send(http.MethodGet, responsesPath+"/"+created.id()+"/input_items", "").is(http.StatusOK).object()["data"].([]any)
	require.Len(t, items, 1)
	item := items[0].(map[string]any)
	require.Equal(t, "user", item["role"])
	require.Regexp(t, `^msg_`, item["id"])

	updated := c.send(http.MethodPost, responsesPath+"/"+created.id(), `{"metadata":{"c":"d"}}`).is(http.StatusOK).object()
	require.Equal(t, map[string]any{"c": "d"}, updated["metadata"])
	require.Equal(t, "Paris.", outputText(updated))

	second := c.create(`{"model":"echo","input":"hi"}`)
	page := c.send(http.MethodGet, responsesPath+"?limit=1", "").is(http.StatusOK).object()
	require.Equal(t, second["id"], page["data"].([]any)[0].(map[string]any)["id"], "the newest first")
	require.Equal(t, true, page["has_more"])

	c.send(http.MethodDelete, responsesPath+"/"+created.id(), "").is(http.StatusOK)
	c.send(http.MethodGet, responsesPath+"/"+created.id(), "").is(http.StatusNotFound)
}

// A stream is a valid one, and whoever asks later gets the same, from any point on.
func TestAResponseStreams(t *testing.T) {
	c := newAPI(t).acme()
	live := c.send(http.MethodPost, responsesPath, `{"model":"echo","input":"one two three four five","stream":true}`).is(http.StatusOK).responseEvents()
	valid(t, live)
	id := rawjson.Text(rawjson.Get(rawjson.Get(live[0], "response"), "id"))
	path := responsesPath + "/" + id
	for cut := range live {
		rest := c.send(http.MethodGet, path+"?stream=true&starting_after="+strconv.Itoa(cut), "").is(http.StatusOK)
		if cut == len(live)-1 {
			require.Empty(t, rest.Body)
			continue
		}
		require.Equal(t, live[cut+1:], rest.responseEvents())
	}
	require.Equal(t, live, c.send(http.MethodGet, path+"?stream=true", "").is(http.StatusOK).responseEvents())
	whole := c.send(http.MethodGet, path, "").is(http.StatusOK).Body
	require.JSONEq(t, string(whole), string(rawjson.Get(live[len(live)-1], "response")))
}

// What a turn sends begins with the bytes that the turn before it sent.
func TestAChainKeepsItsBytes(t *testing.T) {
	s := newLLM(t)
	c := s.acme()
	previous, first := "", ""
	for i := range 20 {
		body := `{"model":"test/m","input":[{"role":"user","content":"turn ` + strconv.Itoa(i) + `", "x" : 1}]`
		if previous != "" {
			body += `,"previous_response_id":"` + previous + `"`
		}
		r := c.create(body + `}`)
		previous = r["id"].(string)
		if i == 0 {
			first = previous
		}
	}
	var before []byte
	for _, b := range s.models.asked(t) {
		require.True(t, bytes.HasPrefix(b["input"], bytes.TrimSuffix(before, []byte("]"))), "%s\n%s", before, b["input"])
		require.NotContains(t, b, "previous_response_id")
		before = b["input"]
	}
	c.send(http.MethodDelete, responsesPath+"/"+first, "").is(http.StatusOK)
	refused := c.send(http.MethodPost, responsesPath, `{"model":"test/m","input":"go on","previous_response_id":"`+previous+`"}`).is(http.StatusBadRequest).failure()
	require.EqualValues(t, "previous_response_not_found", refused.Code)
	require.Equal(t, "previous_response_id", refused.param())
	require.Contains(t, refused.Message, first)
}

func TestAResponseThatIsNotKept(t *testing.T) {
	s := newLLM(t)
	c := s.acme()
	r := c.create(`{"model":"test/m","input":"hi","store":false}`)
	require.Equal(t, "completed", r["status"])
	require.Equal(t, false, r["store"])
	require.Equal(t, "false", string(s.models.asked(t)[0]["store"]))
	c.send(http.MethodGet, responsesPath+"/"+r["id"].(string), "").is(http.StatusNotFound)
	valid(t, c.send(http.MethodPost, responsesPath, `{"model":"echo","input":"hi","store":false,"stream":true}`).is(http.StatusOK).responseEvents())
}

// A model that refuses before it has said anything is the caller's to hear of. What may
// have cost something ends as a failed response: clients repeat what is answered by 5xx.
func TestAModelThatRefuses(t *testing.T) {
	s := newLLM(t)
	c := s.acme()
	for _, stream := range []string{"false", "true"} {
		body := `{"model":"test/m","input":"hi","stream":` + stream + `}`
		s.models.server.Script(gatewaytest.Status(400, nil, `{"error":{"message":"no such model"}}`))
		require.Contains(t, c.send(http.MethodPost, responsesPath, body).is(http.StatusBadRequest).failure().Message, "no such model")
		s.models.server.Script(gatewaytest.Status(429, map[string]string{"Retry-After": "7"}, "slow"))
		require.Equal(t, "7", c.send(http.MethodPost, responsesPath, body).is(http.StatusTooManyRequests).Header.Get("Retry-After"))
		s.models.server.Script(gatewaytest.Status(500, nil, "boom"))
		failed := c.send(http.MethodPost, responsesPath, body).is(http.StatusOK)
		if stream == "true" {
			events := failed.responseEvents()
			valid(t, events)
			require.Equal(t, "response.failed", rawjson.Text(rawjson.Get(events[len(events)-1], "type")))
			continue
		}
		require.Equal(t, "failed", failed.object()["status"])
		require.Equal(t, "server_error", failed.object()["error"].(map[string]any)["code"])
	}
	s.models.server.Script(gatewaytest.Status(500, nil, "boom"), gatewaytest.Text("I am another"))
	r := c.create(`{"model":"test/m","input":"hi","fallback_models":["test/n"]}`)
	require.Equal(t, "I am another", outputText(r))
}

func TestRequestsThatMakeNoSense(t *testing.T) {
	c := newAPI(t).acme()
	for body, want := range map[string]struct{ param, says string }{
		``:                        {"", "valid JSON"},
		`[]`:                      {"", "a JSON object"},
		`{"input":"x"}`:           {"model", "name of a model"},
		`{"model":"echo"}`:        {"input", "text or a list of items"},
		`{"model":3,"input":"x"}`: {"model", "a string"},
		`{"model":"echo","input":[{"type":"nonsense"}]}`:                                        {"input.0", "nonsense"},
		`{"model":"echo","input":[{"role":"user"}]}`:                                            {"input.0", "content"},
		`{"model":"echo","input":"x","stream":"yes"}`:                                           {"stream", "true or false"},
		`{"model":"echo","input":"x","background":true,"store":false}`:                          {"background", "store"},
		`{"model":"echo","input":"x","metadata":{"a":1}}`:                                       {"metadata.a", "a string"},
		`{"model":"echo","input":"x","conversation":{}}`:                                        {"conversation", "id of a conversation"},
		`{"model":"echo","input":"x","previous_response_id":"resp_none"}`:                       {"previous_response_id", "resp_none"},
		`{"model":"echo","input":"x","conversation":"c","store":false}`:                         {"conversation", "store"},
		`{"model":"echo","input":[{"type":"item_reference","id":"msg_1"}]}`:                     {"input.0", "no item \"msg_1\""},
		`{"model":"echo","input":[{"type":"function_call_output","call_id":"c","output":"x"}]}`: {"input.0", "no open function_call"},
	} {
		f := c.send(http.MethodPost, responsesPath, body).is(http.StatusBadRequest).failure()
		require.Equal(t, want.param, f.param(), body)
		require.Contains(t, f.Message, want.says, body)
	}
	c.send(http.MethodPost, responsesPath, `{"model":"echo","input":"x","webhook_url":"https://example.com"}`).is(http.StatusNotImplemented)
}

// leaving is a caller that goes away when it has read some words.
type leaving struct {
	*httptest.ResponseRecorder
	words string
	leave func()
}

func (l *leaving) Write(b []byte) (int, error) {
	if strings.Contains(string(b), l.words) {
		l.leave()
	}
	return l.ResponseRecorder.Write(b)
}

// A caller that goes away has its response cancelled, and what it has read stays.
func TestACallerThatGoesAway(t *testing.T) {
	s := newLLM(t)
	c := s.acme()
	release := make(chan struct{})
	defer close(release)
	s.models.server.Script(gatewaytest.Stall(release, gatewaytest.Created("resp_1"), gatewaytest.Delta("It was a")))
	ctx, leave := context.WithCancel(t.Context())
	r := c.request(http.MethodPost, responsesPath, `{"model":"test/m","input":"hi","stream":true}`).WithContext(ctx)
	require.PanicsWithValue(t, http.ErrAbortHandler, func() { c.handler.ServeHTTP(&leaving{httptest.NewRecorder(), "It was a", leave}, r) })
	require.Eventually(t, func() bool { return len(s.responder.Open()) == 0 }, time.Minute, time.Millisecond)
	kept := c.send(http.MethodGet, responsesPath, "").is(http.StatusOK).object()["data"].([]any)[0].(map[string]any)
	require.Equal(t, "cancelled", kept["status"])
	require.Equal(t, "It was a", outputText(kept))
	valid(t, c.send(http.MethodGet, responsesPath+"/"+kept["id"].(string)+"?stream=true", "").is(http.StatusOK).responseEvents())
	again := c.send(http.MethodPost, responsesPath+"/"+kept["id"].(string)+"/cancel", "").is(http.StatusOK).object()
	require.Equal(t, kept, again)
}

// One in the background goes on without its caller, and its stream is there afterwards.
func TestAResponseInTheBackground(t *testing.T) {
	s := newLLM(t)
	c := s.acme()
	working, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.responder.Run(working)
	}()
	r := c.create(`{"model":"echo","input":"hi","background":true}`)
	require.Equal(t, "queued", r["status"])
	events := c.send(http.MethodGet, responsesPath+"/"+r["id"].(string)+"?stream=true", "").is(http.StatusOK).responseEvents()
	valid(t, events)
	require.Equal(t, "completed", c.send(http.MethodGet, responsesPath+"/"+r["id"].(string), "").object()["status"])
	stop()
	<-done

	queued := c.create(`{"model":"echo","input":"hi","background":true}`)
	path := responsesPath + "/" + queued["id"].(string)
	require.Equal(t, "cancelled", c.send(http.MethodPost, path+"/cancel", "").is(http.StatusOK).object()["status"])
	c.send(http.MethodPost, responsesPath, `{"model":"echo","input":"x","previous_response_id":"`+queued["id"].(string)+`"}`).is(http.StatusBadRequest)
}

// Whoever has many responses in the background leaves workers to others, and no more are
// worked on than its limits and the provider allow.
func TestResponsesInTheBackgroundTakeTurns(t *testing.T) {
	s := newLLM(t)
	c := s.acme()
	entered, release := make(chan gatewaytest.Call, 20), make(chan struct{})
	s.models.server.Default(gatewaytest.Gate(entered, release, gatewaytest.Text("well")))
	s.keeper.Set("acme", rota.AllLimits{EndUser: rota.Limits{Workers: new(2)}})
	s.responder.Shares.Providers = []engine.Provider{{Name: "test", Max: 3}}
	for range 4 {
		c.as("ana").create(`{"model":"test/m","input":"of ana","background":true}`)
	}
	for range 2 {
		c.as("ben").create(`{"model":"test/m","input":"of ben","background":true}`)
	}
	working, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.responder.Run(working)
	}()
	of := func(n int) map[string]int {
		count := map[string]int{}
		for range n {
			call := <-entered
			count[regexp.MustCompile("of (ana|ben)").FindStringSubmatch(string(call.Body))[1]]++
		}
		return count
	}
	first := of(3)
	require.Equal(t, map[string]int{"ana": 2, "ben": 1}, first)
	require.Equal(t, 3, total(s.responder.Busy.Load()))
	require.Empty(t, entered)
	release <- struct{}{}
	require.Len(t, of(1), 1)
	close(release)
	of(2)
	stop()
	<-done
	require.Zero(t, total(s.responder.Busy.Load()))
}

func total(load map[rota.OwnerAt]int) (n int) {
	for _, each := range load {
		n += each
	}
	return n
}

// What a response goes on from may be deleted while it waits. Then it fails, and is not
// tried for ever.
func TestAResponseLosesWhatItGoesOnFrom(t *testing.T) {
	s := newLLM(t)
	c := s.acme()
	first := c.create(`{"model":"echo","input":"hi"}`)["id"].(string)
	waits := c.create(`{"model":"echo","input":"go on","background":true,"previous_response_id":"` + first + `"}`)["id"].(string)
	c.send(http.MethodDelete, responsesPath+"/"+first, "").is(http.StatusOK)
	working, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.responder.Run(working)
	}()
	valid(t, c.send(http.MethodGet, responsesPath+"/"+waits+"?stream=true", "").is(http.StatusOK).responseEvents())
	stop()
	<-done
	r := c.send(http.MethodGet, responsesPath+"/"+waits, "").is(http.StatusOK).object()
	require.Equal(t, "failed", r["status"])
	require.Contains(t, r["error"].(map[string]any)["message"], "there is no response")
}

// The same key gets the same response.
func TestAResponseUnderAKey(t *testing.T) {
	s := newLLM(t)
	c := s.acme()
	body := `{"model":"test/m","input":"hi"}`
	first := c.send(http.MethodPost, responsesPath, body, "Idempotency-Key", "k").is(http.StatusOK)
	second := c.send(http.MethodPost, responsesPath, body, "Idempotency-Key", "k").is(http.StatusOK)
	require.Equal(t, string(first.Body), string(second.Body))
	require.Len(t, s.models.server.Calls(), 1)
	c.send(http.MethodPost, responsesPath, `{"model":"test/m","input":"ho"}`, "Idempotency-Key", "k").is(http.StatusConflict)
}

// What the published API has beside responses and conversations is refused in words,
// whatever the path and the method.
func TestPartsThatAreNotOffered(t *testing.T) {
	s := newAPI(t)
	c := s.acme()
	for _, tt := range [][2]string{
		{http.MethodGet, "/skills"},
		{http.MethodPost, "/skills"},
		{http.MethodDelete, "/skills/skill_1"},
		{http.MethodGet, "/files/file_1/content"},
		{http.MethodPatch, "/evals/schedules/es_1"},
		{http.MethodGet, "/evals/suites"},
	} {
		f := c.sendUnlike(tt[0], "/api/v1/llm"+tt[1], "").is(http.StatusNotImplemented).failure() // the document has the first of each alone
		require.Contains(t, f.Message, "not offered", tt[1])
	}
	c.sendUnlike(http.MethodGet, "/api/v1/llm/skills2", "").is(http.StatusNotFound)
}

// A reference stands for an item of a response or a conversation of the caller. The model
// is told the item itself, and so is who asks for the input later.
func TestItemsThatAreReferredTo(t *testing.T) {
	s := newLLM(t)
	c := s.acme()
	s.models.server.Script(gatewaytest.Text("Paris."))
	first := c.create(`{"model":"test/m","input":"The capital of France?"}`)
	said := first["output"].([]any)[0].(map[string]any)["id"].(string)
	conversation := c.send(http.MethodPost, "/api/v1/llm/conversations", `{"items":[{"role":"user","content":"I am Ada."},{"type":"item_reference","id":"`+said+`"}]}`).is(http.StatusOK).id()
	items := c.send(http.MethodGet, "/api/v1/llm/conversations/"+conversation+"/items?order=asc", "").is(http.StatusOK).object()["data"].([]any)
	require.Len(t, items, 2)
	require.Equal(t, "assistant", items[1].(map[string]any)["role"])
	ada := items[0].(map[string]any)["id"].(string)

	r := c.create(`{"model":"test/m","input":[{"role":"user","content":"The capital of France?"},{"id":"` + said + `"},{"type":"item_reference","id":"` + ada + `"}]}`)
	asked := string(s.models.asked(t)[1]["input"])
	require.Contains(t, asked, "Paris.")
	require.Contains(t, asked, "I am Ada.")
	require.NotContains(t, asked, "item_reference")
	kept := c.send(http.MethodGet, responsesPath+"/"+r["id"].(string)+"/input_items?order=asc", "").is(http.StatusOK).object()["data"].([]any)
	require.Equal(t, said, kept[1].(map[string]any)["id"])

	refer := func(id string) string {
		return `{"model":"test/m","input":[{"type":"item_reference","id":"` + id + `"}]}`
	}
	for _, other := range []caller{s.key("globex", "rk_the-first-key-of-globex"), c.as("alice")} {
		f := other.send(http.MethodPost, responsesPath, refer(said)).is(http.StatusBadRequest).failure()
		require.Equal(t, "input.0", f.param(), "the items of others are not there")
	}
	c.send(http.MethodDelete, responsesPath+"/"+first["id"].(string), "").is(http.StatusOK)
	c.create(refer(said)) // the conversation and the second response have it
	unkept := c.create(`{"model":"echo","input":"hi","store":false}`)["output"].([]any)[0].(map[string]any)["id"].(string)
	c.send(http.MethodPost, responsesPath, refer(unkept)).is(http.StatusBadRequest)
}

// A response that is kept counts as a run does, until it has ended.
func TestResponsesCountAsOpenRuns(t *testing.T) {
	s := newLLM(t)
	c := s.acme()
	s.keeper.Set("acme", rota.AllLimits{EndUser: rota.Limits{OpenRuns: new(2)}, Account: rota.Limits{OpenRuns: new(3)}})
	begin := func(c caller) string {
		return c.create(`{"model":"echo","input":"hi","background":true}`)["id"].(string)
	}
	refused := func(c caller, limit string) {
		t.Helper()
		for _, body := range []string{`{"model":"echo","input":"hi"}`, `{"model":"echo","input":"hi","store":false}`, `{"model":"echo","input":"hi","stream":true}`} {
			f := c.send(http.MethodPost, responsesPath, body).is(http.StatusTooManyRequests).failure()
			require.EqualValues(t, rota.LimitReached, f.Code)
			require.Contains(t, f.Message, "(limits."+limit+".open_runs)")
		}
	}
	begin(c)
	last := begin(c)
	refused(c, "end_user")
	c.send(http.MethodPost, c.newAgent("a")+"/runs", `{"input":"hi"}`).is(http.StatusTooManyRequests)
	begin(c.as("ana"))
	refused(c.as("ana"), "account")
	used := s.key("acme", "rk_that-reads-the-account-of-acme", rota.ReadAccount).send(http.MethodGet, acmeLimits, "").is(http.StatusOK).object()["used"].(map[string]any)
	require.EqualValues(t, 3, used["open_runs"])
	c.send(http.MethodPost, responsesPath+"/"+last+"/cancel", "").is(http.StatusOK)
	c.create(`{"model":"echo","input":"hi"}`)
}

// Nothing sleeps yet, and what is not there cannot be woken.
func TestAResponseDoesNotSleep(t *testing.T) {
	c := newLLM(t).acme()
	id := c.create(`{"model":"test","input":"Hello."}`)["id"].(string)
	c.send(http.MethodPost, responsesPath+"/"+id+"/wake", `{"input":"Up!"}`).is(http.StatusConflict)
	c.send(http.MethodPost, responsesPath+"/resp_none/wake", `{"input":"Up!"}`).is(http.StatusNotFound)
}

// A page that ends before a response begins with those behind it.
func TestResponsesBeforeOne(t *testing.T) {
	c := newLLM(t).acme()
	var ids []any
	for range 3 {
		ids = append(ids, c.create(`{"model":"test","input":"Hello."}`)["id"])
	}
	l := c.send(http.MethodGet, responsesPath+"?order=asc&before="+ids[2].(string), "").is(http.StatusOK).object()
	require.Len(t, l["data"], 2)
	require.Equal(t, ids[0], l["first_id"])
}

func TestModels(t *testing.T) {
	c := newAPI(t).acme()
	all := c.send(http.MethodGet, "/api/v1/llm/models", "").is(http.StatusOK).object()["data"].([]any)
	require.Len(t, all, 2)
	require.Equal(t, "org/large", all[1].(map[string]any)["id"])
	require.Equal(t, all[1], any(c.send(http.MethodGet, "/api/v1/llm/models/org%2Flarge", "").is(http.StatusOK).object()))
	c.send(http.MethodGet, "/api/v1/llm/models/other", "").is(http.StatusNotFound)
}
