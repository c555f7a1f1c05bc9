// Package mcpserver lets programs that speak the Model Context Protocol use Rota: an
// assistant can look at schedules and what became of them, and change them.
//
// A tool is an operation of the API: its name, its words and its arguments come from the
// OpenAPI document, and a call of it is a request to the API with the key, and for the end
// user, of whoever asks. What a key may do, what is refused and why are the same for both.
package mcpserver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// maxAnswer is the most bytes that the answer of a tool has: what a model is told should
// fit into what it can read.
const maxAnswer = 512 << 10

const instructions = "Rota runs agents on schedules. An occurrence is a time at which a schedule was to run, with what became of it; a run is what an agent then did. " +
	"To find out why there was nothing at a time, list the occurrences of the schedule around it. All times are in UTC unless they say otherwise."

// New returns the handler of the protocol's streamable HTTP transport. document is the
// OpenAPI document of api, and api must authenticate and answer requests: the handler
// passes on the headers Authorization and X-On-Behalf-Of of what it is asked.
//
// It keeps no sessions, so that any process can answer any message.
func New(document []byte, api http.Handler) (http.Handler, error) {
	var d openAPI
	if err := json.Unmarshal(document, &d); err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	s := mcp.NewServer(&mcp.Implementation{Name: "rota", Title: "Rota", Version: d.Info.Version}, &mcp.ServerOptions{Instructions: instructions})
	for _, o := range offers {
		t, err := d.tool(o)
		if err != nil {
			return nil, err
		}
		s.AddTool(&t.Tool, t.handler(api))
	}
	return mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, &mcp.StreamableHTTPOptions{
		Stateless: true, JSONResponse: true,
		DisableLocalhostProtection: true, // a key is asked for, and a proxy on this machine has another host's name
	}), nil
}

// handler returns what calls the operation of the tool.
func (t tool) handler(api http.Handler) mcp.ToolHandler {
	return func(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		asked, err := t.request(ctx, req.Params.Arguments)
		if err != nil {
			return failed(err.Error()), nil
		}
		for _, name := range []string{"Authorization", "X-On-Behalf-Of"} {
			asked.Header[name] = req.Extra.Header.Values(name)
		}
		got := &answer{header: http.Header{}}
		broken := got.take(api, asked)
		switch {
		case broken && !got.tooLarge:
			return failed("the answer broke off: what came of it is not known"), nil
		case got.tooLarge:
			return failed(fmt.Sprintf("the answer has more than %d bytes: ask for less, as with limit", maxAnswer)), nil
		case got.status >= 300:
			return failed(got.body.String()), nil
		}
		return said(got.body.String()), nil
	}
}

func said(text string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: strings.TrimSpace(text)}}}
}

func failed(text string) *mcp.CallToolResult {
	r := said(text)
	r.IsError = true
	return r
}

// An answer is what the API answers, up to maxAnswer bytes.
type answer struct {
	header   http.Header
	status   int
	body     bytes.Buffer
	tooLarge bool
}

// take has the API answer a request, and reports whether it broke off: a handler says so
// with a panic, which must not reach whoever has called the tool.
func (a *answer) take(api http.Handler, r *http.Request) (broken bool) {
	defer func() {
		if p := recover(); p == http.ErrAbortHandler {
			broken = true
		} else if p != nil {
			panic(p)
		}
	}()
	api.ServeHTTP(a, r)
	return false
}

// Header implements [http.ResponseWriter].
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

// Write implements [http.ResponseWriter].
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.tooLarge = a.tooLarge || a.body.Len()+len(p) > maxAnswer; a.tooLarge {
		return 0, http.ErrContentLength
	}
	return a.body.Write(p)
}
