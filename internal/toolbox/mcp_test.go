package toolbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/answer"
	"github.com/rota-run/rota/internal/seal"
	"github.com/rota-run/rota/internal/toolbox"
)

// remote is an MCP server, and what it was asked.
type remote struct {
	*httptest.Server
	mu       sync.Mutex
	headers  []http.Header
	sessions map[string]bool
	ended    atomic.Int32
}

type place struct {
	City string `json:"city"`
}

func newRemote(t *testing.T) *remote {
	t.Helper()
	s := mcp.NewServer(&mcp.Implementation{Name: "weather", Version: "1"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "write", Description: "Writes."}, func(context.Context, *mcp.CallToolRequest, place) (*mcp.CallToolResult, any, error) {
		return nil, nil, errors.New("the disk is full")
	})
	mcp.AddTool(s, &mcp.Tool{Name: "read", Description: "Reads.", Annotations: &mcp.ToolAnnotations{ReadOnlyHint: true}}, func(_ context.Context, _ *mcp.CallToolRequest, p place) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{
			&mcp.TextContent{Text: "3 degrees in " + p.City}, &mcp.ImageContent{MIMEType: "image/png", Data: []byte("abc")},
		}}, nil, nil
	})
	mcp.AddTool(s, &mcp.Tool{Name: "large"}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: strings.Repeat("x", 5<<20)}}}, nil, nil
	})
	r := &remote{sessions: map[string]bool{}}
	h := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, nil)
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		r.headers = append(r.headers, req.Header)
		if id := req.Header.Get("Mcp-Session-Id"); id != "" {
			r.sessions[id] = true
		}
		r.mu.Unlock()
		if req.Method == http.MethodDelete {
			r.ended.Add(1)
		}
		h.ServeHTTP(w, req)
	}))
	t.Cleanup(r.Close)
	return r
}

// asked returns the headers of the requests so far. A session may end after the call that had it, so one more may come.
func (r *remote) asked() []http.Header {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.headers)
}

// server reads the tool of a request that names an MCP server.
func server(t *testing.T, url, more string) answer.Server {
	t.Helper()
	all, err := answer.ReadServers([]json.RawMessage{json.RawMessage(`{"type":"mcp","server_label":"w","server_url":"` + url + `"` + more + `}`)})
	require.NoError(t, err)
	require.Len(t, all, 1)
	return all[0]
}

func mcpCall(s answer.Server, name, arguments string) answer.Call {
	return answer.Call{Turn: 1, Number: 1, Arguments: arguments, Tool: answer.Tool{Kind: answer.MCP, Name: name, Title: name, Server: s.Label, MCP: s, Timeout: s.Timeout}}
}

func TestMCPTools(t *testing.T) {
	r := newRemote(t)
	b, _ := box(t, loopback, newer)
	s := server(t, r.URL, `,"authorization":"canary-1","headers":{"X-Key":"canary-2"},"allowed_tools":["write","read","gone"]`)
	step, err := b.List(t.Context(), run, s)
	require.NoError(t, err)
	require.Equal(t, rota.StepListed, step.Kind)
	require.Equal(t, "w", step.Tool)
	var tools []answer.Listed
	require.NoError(t, json.Unmarshal([]byte(*step.Result), &tools))
	require.Equal(t, []string{"read", "write"}, []string{tools[0].Name, tools[1].Name}, "always in one order")
	require.Len(t, tools, 2)
	require.True(t, tools[0].Annotations.ReadOnly)
	require.Contains(t, string(tools[0].InputSchema), `"city"`)

	got, err := b.Call(t.Context(), run, mcpCall(s, "read", `{"city":"Bern"}`))
	require.NoError(t, err)
	require.Equal(t, answer.Result{Output: "3 degrees in Bern\n[an image of the type image/png with 3 bytes, which is not shown]"}, got)
	got, err = b.Call(t.Context(), run, mcpCall(s, "write", `{"city":"Bern"}`))
	require.NoError(t, err)
	require.Equal(t, answer.Result{Output: "the disk is full", Code: answer.ResultFailed}, got)
	for _, c := range []answer.Call{mcpCall(s, "read", `{"city":`), mcpCall(s, "read", `[1]`)} {
		got, err = b.Call(t.Context(), run, c)
		require.NoError(t, err)
		require.Equal(t, answer.Result{Output: "The call was not made: its arguments are no JSON object.", Code: answer.ResultFailed}, got)
	}
	got, err = b.Call(t.Context(), run, mcpCall(s, "none", ``))
	require.NoError(t, err)
	require.Contains(t, got.Output, "The MCP server w gave no result: it answered the error -32602")

	large := mcpCall(s, "large", `{}`)
	got, err = b.Call(t.Context(), run, large)
	require.NoError(t, err)
	require.Contains(t, *large.Step(got).Result, "[cut: the result had 5242880 bytes")

	b.Leave(run)
	require.Eventually(t, func() bool { return r.ended.Load() == 1 }, 10*time.Second, time.Millisecond)
	require.Len(t, r.sessions, 1, "one session for all")
	for _, h := range r.asked() {
		require.Equal(t, "Bearer canary-1", h.Get("Authorization"))
		require.Equal(t, "canary-2", h.Get("X-Key"))
	}
}

// A server that has forgotten a session has done nothing, and is asked in another one.
func TestALostSessionIsOpenedAgain(t *testing.T) {
	r := newRemote(t)
	lost := atomic.Bool{}
	p := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if lost.Load() && req.Header.Get("Mcp-Session-Id") != "" {
			lost.Store(false)
			http.Error(w, "session not found", http.StatusNotFound)
			return
		}
		r.Config.Handler.ServeHTTP(w, req)
	}))
	defer p.Close()
	b, _ := box(t, loopback, newer)
	s := server(t, p.URL, "")
	_, err := b.List(t.Context(), run, s)
	require.NoError(t, err)
	lost.Store(true)
	got, err := b.Call(t.Context(), run, mcpCall(s, "read", `{"city":"Bern"}`))
	require.NoError(t, err)
	require.Contains(t, got.Output, "3 degrees in Bern")
	b.Leave(run)
}

// faulty is a server that does one thing wrong, from the request on that asks for it.
func faulty(t *testing.T, do func(w http.ResponseWriter, r *http.Request)) string {
	t.Helper()
	h := httptest.NewServer(http.HandlerFunc(do))
	t.Cleanup(func() { h.CloseClientConnections(); h.Close() })
	return h.URL
}

func TestFaultyMCPServers(t *testing.T) {
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	reached := atomic.Bool{}
	for name, c := range map[string]struct {
		do      func(w http.ResponseWriter, r *http.Request)
		text    string
		lasting bool
	}{
		"silent": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			select {
			case <-over:
			case <-r.Context().Done():
			}
		}, "it did not answer in time. What came of it is not known", false},
		"endless": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}, "its answer has more than 8 MiB", true},
		"broken": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"jsonrpc":"2.0",`)
		}, "the connection broke, or what it answered is not of the protocol. What came of it is not known", false},
		"html": {func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, `<html>`) }, "the connection broke, or what it answered is not of the protocol. What came of it is not known", false},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" {
				reached.Store(true)
			}
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, "it answered 307, a redirect, which is not followed", true},
		"forbidden": {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) }, "it answered 403", true},
		"busy":      {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, "it answered 503", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, _ := box(t, loopback, newer)
			s := server(t, faulty(t, c.do), "")
			if name == "silent" {
				s.Timeout = 50 * time.Millisecond
			} else {
				s.Timeout = 30 * time.Second
			}
			_, err := b.List(t.Context(), run, s)
			var failed *answer.ServerError
			require.ErrorAs(t, err, &failed)
			require.Equal(t, answer.ServerError{Label: "w", Text: "its tools were not listed: " + c.text, Lasting: c.lasting}, *failed)
			got, err := b.Call(t.Context(), run, mcpCall(s, "read", `{}`))
			require.NoError(t, err)
			require.Equal(t, answer.ResultFailed, got.Code)
			b.Leave(run)
		})
	}
	require.False(t, reached.Load())
}

// A slow call ends at its deadline, and one that is interrupted has no result.
func TestAnMCPCallThatDoesNotReturn(t *testing.T) {
	r := newRemote(t)
	over := make(chan struct{})
	defer close(over)
	began := make(chan struct{}, 2)
	p := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		if strings.Contains(string(body), "tools/call") {
			began <- struct{}{}
			select {
			case <-over:
			case <-req.Context().Done():
			}
			return
		}
		req.Body = io.NopCloser(strings.NewReader(string(body)))
		r.Config.Handler.ServeHTTP(w, req)
	}))
	defer p.Close()
	defer p.CloseClientConnections()
	b, _ := box(t, loopback, newer)
	s := server(t, p.URL, "")
	c := mcpCall(s, "read", `{}`)
	c.Timeout = 100 * time.Millisecond
	_, err := b.List(t.Context(), run, s)
	require.NoError(t, err)
	got, err := b.Call(t.Context(), run, c)
	require.NoError(t, err)
	require.Equal(t, answer.Result{Output: "The MCP server w gave no result: it did not answer in time. What came of it is not known", Code: answer.ResultFailed}, got)
	<-began
	c.Timeout = time.Minute
	stopped := errors.New("stopped")
	ctx, stop := context.WithCancelCause(t.Context())
	go func() {
		<-began
		stop(stopped)
	}()
	_, err = b.Call(ctx, run, c)
	require.ErrorIs(t, err, stopped)
	b.Leave(run)
}

func TestMCPServersAtPrivateAddressesAreRefused(t *testing.T) {
	r := newRemote(t)
	b, _ := box(t, nil, newer)
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "169.254.169.254", "2130706433"} {
		_, port, _ := strings.Cut(strings.TrimPrefix(r.URL, "http://"), ":")
		_, err := b.List(t.Context(), run, server(t, fmt.Sprintf("http://%s:%s", host, port), ""))
		require.ErrorContains(t, err, "the MCP server w: its tools were not listed: it", host)
	}
	require.Empty(t, r.asked())
}

// stored is a vault with one server.
type stored struct {
	url     string
	refused error
}

func (v stored) Server(_ context.Context, _ rota.Owner, id rota.MCPServerID) (rota.MCPServer, error) {
	return rota.MCPServer{ID: id, MCPServerConfig: rota.MCPServerConfig{
		ServerLabel: "w", ServerURL: v.url, AllowedTools: rota.AnyOf([]string{"write", "read"}), RequireApproval: "never",
	}}, nil
}

func (v stored) Headers(_ context.Context, o rota.Owner, _ rota.MCPServerID, credential rota.MCPCredentialID) (map[string]string, error) {
	return map[string]string{"Authorization": "Bearer canary", "X-Owner": o.Account, "X-Credential": string(credential)}, v.refused
}

func TestStoredMCPServers(t *testing.T) {
	r := newRemote(t)
	ring, _ := seal.Parse(seal.NewSecret())
	of := func(v stored) *toolbox.Toolbox {
		return toolbox.New(ring, loopback, v, func() time.Time { return at })
	}
	b := of(stored{url: r.URL})
	server := func(v stored) rota.MCPServer {
		s, err := v.Server(t.Context(), run.Owner, "mcp_srv_1")
		require.NoError(t, err)
		return s
	}
	names, err := b.Tools(t.Context(), run.Owner, server(stored{url: r.URL}))
	require.NoError(t, err)
	require.Equal(t, []string{"read", "write"}, names)
	for _, h := range r.asked() {
		require.Equal(t, "Bearer canary", h.Get("Authorization"))
		require.Equal(t, run.Owner.Account, h.Get("X-Owner"))
	}

	inline := newRemote(t)
	b = of(stored{url: inline.URL})
	filled, err := b.Stored(t.Context(), run.Owner, []json.RawMessage{json.RawMessage(`{"type":"mcp","mcp_server_id":"mcp_srv_1","mcp_credential_id":"mcp_cred_7","authorization":"mine"}`)})
	require.NoError(t, err)
	servers, err := answer.ReadServers(filled)
	require.NoError(t, err)
	_, err = b.List(t.Context(), run, servers[0])
	require.NoError(t, err)
	b.Leave(run)
	require.Equal(t, "Bearer mine", inline.asked()[0].Get("Authorization"))
	require.Equal(t, "mcp_cred_7", inline.asked()[0].Get("X-Credential"))

	for _, bad := range []struct {
		vault stored
		want  string
	}{
		{stored{url: r.URL, refused: rota.Errorf(rota.Invalid, "the credential has expired")}, "the credential has expired"},
		{stored{url: "http://10.1.2.3/"}, "private"},
	} {
		_, err := of(bad.vault).Tools(t.Context(), run.Owner, server(bad.vault))
		require.ErrorIs(t, err, rota.UpstreamFailed)
		require.ErrorContains(t, err, bad.want)
	}
}
