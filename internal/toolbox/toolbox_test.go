package toolbox_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/answer"
	"github.com/rota-run/rota/internal/seal"
	"github.com/rota-run/rota/internal/toolbox"
)

var (
	at       = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	run      = answer.Caller{Owner: rota.Owner{Account: "acme", EndUser: "ada"}, Tools: rota.Owner{Account: "acme"}, ID: "run_1", Run: "run_1", Agent: "agt_1"}
)

func box(t *testing.T, allowed []netip.Prefix, secrets string) (*toolbox.Toolbox, seal.Ring) {
	t.Helper()
	ring, err := seal.Parse(secrets)
	require.NoError(t, err)
	return toolbox.New(ring, allowed, nil, func() time.Time { return at }), ring
}

func call(url string) answer.Call {
	return answer.Call{Turn: 1, Number: 2, CallID: "call_x", Arguments: `{"place":"Bern"}`, Tool: answer.Tool{Kind: answer.Function, Function: "ftool_1", Name: "weather", URL: url, Timeout: 5 * time.Second}}
}

const (
	newer = "new-secret-new-secret-new-secret-new"
	older = "old-secret-old-secret-old-secret-old"
)

// A receiver that has the secret of either of the server's can tell that a call is Rota's.
func TestACallIsSigned(t *testing.T) {
	var got *http.Request
	var body []byte
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		_, _ = io.WriteString(w, `{"celsius": 3}`)
	}))
	defer h.Close()
	b, ring := box(t, loopback, newer+" "+older)
	r, err := b.Call(t.Context(), run, call(h.URL))
	require.NoError(t, err)
	require.Equal(t, answer.Result{Output: `{"celsius": 3}`}, r)
	require.JSONEq(t, `{"type":"function.call","timestamp":"2026-11-23T09:00:00.000Z","data":{"call_id":"run_1-1-2","function_tool_id":"ftool_1","name":"weather",
		"arguments":{"place":"Bern"},"end_user":"ada","run_id":"run_1","agent_id":"agt_1"}}`, string(body))
	require.Equal(t, "run_1-1-2", got.Header.Get("webhook-id"))
	require.Equal(t, "1795424400", got.Header.Get("webhook-timestamp"))
	var want []string
	for _, secret := range ring.Derive(rota.WebhookPurpose(run.Tools, "ftool_1")) {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte("run_1-1-2.1795424400." + string(body)))
		want = append(want, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	require.Len(t, want, 2)
	require.Equal(t, strings.Join(want, " "), got.Header.Get("webhook-signature"))
	require.NotEqual(t, ring.Derive(rota.WebhookPurpose(run.Tools, "ftool_1")), ring.Derive(rota.WebhookPurpose(run.Owner, "ftool_1")))
}

func TestArgumentsThatAreNoJSONAreAText(t *testing.T) {
	var body []byte
	h := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { body, _ = io.ReadAll(r.Body) }))
	defer h.Close()
	b, _ := box(t, loopback, newer)
	c := call(h.URL)
	c.Arguments = `{"place":`
	r, err := b.Call(t.Context(), run, c)
	require.NoError(t, err)
	require.Equal(t, answer.Result{}, r, "an empty answer is one")
	var p struct{ Data struct{ Arguments any } }
	require.NoError(t, json.Unmarshal(body, &p))
	require.Equal(t, `{"place":`, p.Data.Arguments)
}

func TestWhatGoesWrongIsAResult(t *testing.T) {
	silent := make(chan struct{})
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, "/ok", http.StatusTemporaryRedirect)
		case "/500":
			http.Error(w, "no database", http.StatusInternalServerError)
		case "/large":
			_, _ = io.WriteString(w, strings.Repeat("x", answer.MaxResult+10))
		case "/broken":
			panic(http.ErrAbortHandler)
		case "/silent":
			<-silent
		case "/ok":
			t.Error("the redirect was followed")
		}
	}))
	defer h.Close()
	defer close(silent)
	b, _ := box(t, loopback, newer)
	for path, want := range map[string]string{
		"/redirect": "The function answered 307, a redirect, which is not followed.",
		"/500":      "The function answered 500: no database\n",
		"/broken":   "The connection to the function broke. What came of the call is not known.",
		"/silent":   "The function did not answer within 50ms. What came of the call is not known.",
	} {
		c := call(h.URL + path)
		if path == "/silent" {
			c.Timeout = 50 * time.Millisecond
		}
		r, err := b.Call(t.Context(), run, c)
		require.NoError(t, err)
		require.Equal(t, answer.Result{Output: want, Code: answer.ResultFailed}, r, path)
	}
	r, err := b.Call(t.Context(), run, call(h.URL+"/large"))
	require.NoError(t, err)
	require.Equal(t, answer.Result{Output: strings.Repeat("x", answer.MaxResult) + "\n[cut: the result has more than 262144 bytes]"}, r)
}

// A caller that ends the call does not get a result that nobody knows.
func TestACallThatIsInterruptedHasNoResult(t *testing.T) {
	stopped := errors.New("stopped")
	ctx, stop := context.WithCancelCause(t.Context())
	h := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server does not see who has gone
		stop(stopped)
		<-r.Context().Done()
	}))
	defer h.Close()
	b, _ := box(t, loopback, newer)
	_, err := b.Call(ctx, run, call(h.URL))
	require.ErrorIs(t, err, stopped)
}

func TestWithoutASecretNothingIsCalled(t *testing.T) {
	b := toolbox.New(seal.Ring{}, loopback, nil, func() time.Time { return at })
	r, err := b.Call(t.Context(), run, call("http://127.0.0.1:1"))
	require.NoError(t, err)
	require.Equal(t, answer.Result{Output: "The call was not made: this server has no secret key to sign it with", Code: answer.ResultFailed}, r)
}

// Whatever a private address is spelled like, it is not connected to.
func TestPrivateAddressesAreRefused(t *testing.T) {
	reached := 0
	h := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	defer h.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(h.URL, "http://"), ":")
	t.Setenv("HTTP_PROXY", h.URL)
	b, _ := box(t, []netip.Prefix{netip.MustParsePrefix("10.1.2.0/24")}, newer)
	for _, host := range []string{
		"127.0.0.1", "127.1.2.3", "localhost", "LOCALHOST", "localhost.", "0.0.0.0", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]",
		"[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:0:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2002:a00:1::]", "[2001:0:7f00:1::]",
		"127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "0", "0x0", "127.0.0.1.", "127。0。0。1", "①②⑦.0.0.1",
		"10.0.0.1", "10.1.3.1", "10.255.255.255", "172.16.0.1", "172.31.255.254", "192.168.0.1", "192.168.255.255", "[::ffff:10.0.0.1]", "[::ffff:192.168.1.1]",
		"169.254.169.254", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "[fd00:ec2::254]", "[fe80::1]", "[fe80::1%25lo]", "[fc00::1]", "[fdff::1]",
		"100.64.0.1", "100.100.100.200", "192.0.0.1", "192.0.0.192", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "[ff02::1]", "[2001:db8::1]", "[100::1]",
	} {
		c := call("http://" + host + ":" + port)
		r, err := b.Call(t.Context(), run, c)
		require.NoError(t, err, host)
		require.Equal(t, answer.ResultFailed, r.Code, host)
		require.Contains(t, r.Output, "The call was not made:", host)
	}
	require.Zero(t, reached)
}

func TestAnAllowedNetworkIsCalled(t *testing.T) {
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	defer h.Close()
	b, _ := box(t, loopback, newer)
	r, err := b.Call(t.Context(), run, call(strings.Replace(h.URL, "127.0.0.1", "localhost", 1)))
	require.NoError(t, err)
	require.Equal(t, answer.Result{Output: "ok"}, r)
}

// What Rota itself is, it answers without a network.
func TestOwnTools(t *testing.T) {
	b, _ := box(t, nil, seal.NewSecret())
	own := answer.Call{Turn: 1, Number: 1, Arguments: `{"action":"list"}`, Tool: answer.Tool{Kind: answer.Schedule, Name: "schedule"}}
	r, err := b.Call(t.Context(), run, own)
	require.NoError(t, err)
	require.Equal(t, answer.ResultFailed, r.Code, "nobody answers")
	b.Own = func(_ context.Context, from answer.Caller, c answer.Call) (answer.Result, error) {
		return answer.Result{Output: string(from.Agent) + " " + c.Arguments}, nil
	}
	r, err = b.Call(t.Context(), run, own)
	require.NoError(t, err)
	require.Equal(t, answer.Result{Output: `agt_1 {"action":"list"}`}, r)
}
