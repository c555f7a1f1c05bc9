package toolbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/answer"
	"github.com/rota-run/rota/internal/build"
	"github.com/rota-run/rota/internal/rawjson"
)

// The bounds of what MCP servers send.
const (
	mcpVersion = "2025-11-25" // of the protocol, which servers may answer with an older one
	maxMCPBody = 8 << 20      // bytes of one answer
	maxPages   = 50           // of a list of tools
	maxTools   = 2000         // of a server
	maxError   = 2 << 10      // bytes of what a server says of a failure
	notSent    = -32005       // the code that the SDK gives what its transport refuses
)

// sessions are the connections to MCP servers. One is kept for as long as a run or response
// makes calls.
type sessions struct {
	mu   sync.Mutex
	open map[place]*session
}

// A place is where a session is for.
type place struct{ caller, label string }

// A session is a connection to an MCP server.
type session struct {
	ready  chan struct{} // closed when it is there, or is not to be had
	client *mcp.ClientSession
	err    error
	web    *web
}

// session returns that of a caller and a server, and makes it if there is none. It blocks
// until it is there, or ctx ends.
func (b *Toolbox) session(ctx context.Context, from answer.Caller, s answer.Server) (*session, error) {
	at := place{from.ID, s.Label}
	b.mcp.mu.Lock()
	one, there := b.mcp.open[at]
	if !there {
		one = &session{ready: make(chan struct{}), web: newWeb(b.transport)}
		if b.mcp.open == nil {
			b.mcp.open = map[place]*session{}
		}
		b.mcp.open[at] = one
		go b.connect(at, one, from.Tools, s)
	}
	b.mcp.mu.Unlock()
	select {
	case <-one.ready:
		return one, one.err
	case <-ctx.Done():
		return one, context.Cause(ctx)
	}
}

// connect opens a session. It has a deadline of its own, since the SDK may go on for seconds
// after that of a caller.
func (b *Toolbox) connect(at place, one *session, o rota.Owner, s answer.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), s.Timeout)
	defer cancel()
	if one.err = b.show(ctx, one.web, o, s); one.err != nil {
		close(one.ready)
		b.drop(at, one)
		return
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "rota", Version: build.Version()}, &mcp.ClientOptions{Capabilities: &mcp.ClientCapabilities{}})
	one.client, one.err = client.Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: s.URL, HTTPClient: one.web.client(), MaxRetries: -1, DisableStandaloneSSE: true, MaxEventSize: maxMCPBody,
	}, &mcp.ClientSessionOptions{ProtocolVersion: mcpVersion})
	close(one.ready)
	if one.err != nil {
		b.drop(at, one)
	}
}

// show says what a server is shown: its credential in the vault, and over it what the tool
// itself has.
func (b *Toolbox) show(ctx context.Context, w *web, o rota.Owner, s answer.Server) error {
	if s.Stored != "" {
		headers, err := b.vault.Headers(ctx, o, s.Stored, s.Credential)
		if errors.Is(err, rota.Invalid) {
			w.note(err.Error(), true)
		}
		if err != nil {
			return err
		}
		w.shows(headers)
	}
	if s.Authorization != "" {
		value := s.Authorization
		if !strings.Contains(value, " ") {
			value = "Bearer " + value
		}
		w.shows(map[string]string{"Authorization": value})
	}
	w.shows(s.Headers)
	return nil
}

// drop forgets a session that is of no use any more, and closes it aside.
func (b *Toolbox) drop(at place, one *session) {
	b.mcp.mu.Lock()
	if b.mcp.open[at] == one {
		delete(b.mcp.open, at)
	}
	b.mcp.mu.Unlock()
	go one.close()
}

func (s *session) close() {
	<-s.ready
	if s.client != nil {
		_ = s.client.Close()
	}
}

// Leave closes the sessions of a caller. It does not block.
func (b *Toolbox) Leave(from answer.Caller) {
	b.mcp.mu.Lock()
	defer b.mcp.mu.Unlock()
	for at, one := range b.mcp.open {
		if at.caller == from.ID {
			delete(b.mcp.open, at)
			go one.close()
		}
	}
}

// with does something in a session, aside: the SDK may go on after the deadline. A server
// that has forgotten the session is asked once more in another one; it has done nothing.
func with[T any](ctx context.Context, b *Toolbox, from answer.Caller, s answer.Server, do func(context.Context, *mcp.ClientSession) (T, error)) (T, *session, error) {
	type outcome struct {
		value T
		err   error
	}
	var none T
	for again := false; ; again = true {
		one, err := b.session(ctx, from, s)
		if err != nil {
			return none, one, err
		}
		came := make(chan outcome, 1)
		go func() {
			value, err := do(ctx, one.client)
			came <- outcome{value, err}
		}()
		select {
		case <-ctx.Done():
			return none, one, context.Cause(ctx)
		case o := <-came:
			if o.err == nil || errors.As(o.err, new(*jsonrpc.Error)) {
				return o.value, one, o.err
			}
			b.drop(place{from.ID, s.Label}, one)
			if again || !errors.Is(o.err, mcp.ErrSessionMissing) {
				return none, one, o.err
			}
		}
	}
}

// List returns the step that has the tools of an MCP server. The error is a
// [*answer.ServerError], or that of ctx if it ends.
func (b *Toolbox) List(ctx context.Context, from answer.Caller, s answer.Server) (rota.ResponseStep, error) {
	tools, err := b.list(ctx, from, s)
	if err != nil {
		return rota.ResponseStep{}, err
	}
	return s.ListedStep(tools)
}

func (b *Toolbox) list(ctx context.Context, from answer.Caller, s answer.Server) ([]answer.Listed, error) {
	within, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	tools, one, err := with(within, b, from, s, listTools)
	if err == nil {
		return tools, nil
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	text, lasting := one.web.why(err)
	return nil, &answer.ServerError{Label: s.Label, Text: "its tools were not listed: " + text, Lasting: lasting}
}

// names returns the names of the tools of a server that may be called.
func (b *Toolbox) names(ctx context.Context, from answer.Caller, s answer.Server) ([]string, error) {
	tools, err := b.list(ctx, from, s)
	var names []string
	for _, t := range tools {
		if s.Allows(t) {
			names = append(names, t.Name)
		}
	}
	slices.Sort(names)
	return names, err
}

var errTooMany = errors.New("its list of tools does not end")

func listTools(ctx context.Context, client *mcp.ClientSession) (all []answer.Listed, err error) {
	cursor := ""
	for range maxPages {
		page, err := client.ListTools(ctx, &mcp.ListToolsParams{Cursor: cursor})
		if err != nil {
			return nil, err
		}
		for _, t := range page.Tools {
			all = append(all, listed(t))
		}
		if cursor = page.NextCursor; cursor == "" {
			return all, nil
		}
		if len(all) > maxTools {
			break
		}
	}
	return nil, errTooMany
}

func listed(t *mcp.Tool) answer.Listed {
	l := answer.Listed{Name: t.Name, Description: t.Description, InputSchema: rota.AnyOf(t.InputSchema).RawMessage}
	if a := t.Annotations; a != nil {
		l.Annotations = answer.Annotations{Title: a.Title, ReadOnly: a.ReadOnlyHint, Idempotent: a.IdempotentHint, Destructive: a.DestructiveHint, OpenWorld: a.OpenWorldHint}
	}
	return l
}

func (b *Toolbox) callMCP(ctx context.Context, from answer.Caller, c answer.Call) (answer.Result, error) {
	args := json.RawMessage(c.Arguments)
	if strings.TrimSpace(c.Arguments) == "" {
		args = json.RawMessage("{}")
	}
	if !json.Valid(args) || rawjson.Kind(args) != '{' {
		return failed("The call was not made: its arguments are no JSON object."), nil
	}
	within, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	res, one, err := with(within, b, from, c.MCP, func(ctx context.Context, client *mcp.ClientSession) (*mcp.CallToolResult, error) {
		return client.CallTool(ctx, &mcp.CallToolParams{Name: c.Title, Arguments: args})
	})
	switch {
	case err == nil:
		return result(res), nil
	case ctx.Err() != nil:
		return answer.Result{}, context.Cause(ctx)
	}
	text, _ := one.web.why(err)
	return failed("The MCP server " + c.Server + " gave no result: " + text), nil
}

// result returns what a server has answered, as a text.
func result(r *mcp.CallToolResult) answer.Result {
	var parts []string
	for _, c := range r.Content {
		parts = append(parts, text(c))
	}
	if len(parts) == 0 && r.StructuredContent != nil {
		parts = append(parts, string(rota.AnyOf(r.StructuredContent).RawMessage))
	}
	out := strings.ToValidUTF8(strings.Join(parts, "\n"), "\uFFFD")
	if r.IsError {
		return failed(out)
	}
	return answer.Result{Output: out}
}

// text returns a part of a result as a model can be told it.
func text(c mcp.Content) string {
	switch c := c.(type) {
	case *mcp.TextContent:
		return c.Text
	case *mcp.ImageContent:
		return fmt.Sprintf("[an image of the type %s with %d bytes, which is not shown]", c.MIMEType, len(c.Data))
	case *mcp.AudioContent:
		return fmt.Sprintf("[audio of the type %s with %d bytes, which is not played]", c.MIMEType, len(c.Data))
	case *mcp.EmbeddedResource:
		if c.Resource != nil && c.Resource.Text != "" {
			return c.Resource.Text
		}
	}
	raw, err := c.MarshalJSON()
	if err != nil {
		return "[a part that cannot be shown]"
	}
	return string(raw)
}

// A web is how a server is reached: with its credentials, without redirects, and with
// bounds. It remembers what went wrong last.
type web struct {
	base    http.RoundTripper
	headers http.Header

	mu      sync.Mutex
	trouble string
	lasting bool
}

func newWeb(base http.RoundTripper) *web {
	return &web{base: base, headers: http.Header{"User-Agent": {"rota"}}}
}

func (w *web) shows(headers map[string]string) {
	for name, value := range headers {
		w.headers.Set(name, value)
	}
}

func (w *web) client() *http.Client {
	return &http.Client{Transport: w, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// RoundTrip implements [http.RoundTripper].
func (w *web) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	for name, values := range w.headers {
		req.Header[name] = values
	}
	res, err := w.base.RoundTrip(req)
	if err != nil {
		w.noteError(err)
		return nil, err
	}
	switch code := res.StatusCode; {
	case code >= 300 && code < 400:
		w.note(fmt.Sprintf("it answered %d, a redirect, which is not followed", code), true)
	case code >= 400 && req.Method == http.MethodPost:
		w.note(fmt.Sprintf("it answered %d", code), code < 500 && code != http.StatusRequestTimeout && code != http.StatusTooManyRequests && code != http.StatusNotFound)
	}
	res.Body = &bounded{ReadCloser: res.Body, left: maxMCPBody, over: func() {
		w.note(fmt.Sprintf("its answer has more than %d MiB", maxMCPBody>>20), true)
	}}
	return res, nil
}

func (w *web) noteError(err error) {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.Is(err, errForbidden):
		w.note(errForbidden.Error(), true)
	case errors.As(err, &dns):
		w.note("its host is not known", false)
	case errors.As(err, &op) && op.Op == "dial":
		w.note("it cannot be reached", false)
	}
}

func (w *web) note(text string, lasting bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trouble, w.lasting = text, lasting
}

// why says in words why something failed, and whether it would again. It quotes no error
// of the network, which names addresses.
func (w *web) why(err error) (text string, lasting bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var told *jsonrpc.Error
	switch {
	case errors.As(err, &told) && told.Code != notSent:
		return "it answered the error " + fmt.Sprint(told.Code) + ": " + shortened(told.Message), true
	case errors.Is(err, context.DeadlineExceeded):
		return "it did not answer in time. What came of it is not known", false
	case errors.Is(err, errTooMany):
		return errTooMany.Error(), true
	case w.trouble != "":
		return w.trouble, w.lasting
	default:
		return "the connection broke, or what it answered is not of the protocol. What came of it is not known", false
	}
}

func shortened(s string) string {
	if len(s) > maxError {
		s = s[:maxError]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

var errBody = errors.New("the answer is too long")

// bounded is a body that ends with an error when it is too long.
type bounded struct {
	io.ReadCloser
	left int
	over func()
}

// Read implements [io.Reader].
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		b.over()
		return 0, errBody
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
