package httpapi

import (
	"bytes"
	"fmt"
	"io"
	"net/http"

	"github.com/rota-run/rota"
)

// mcpPath is where programs that speak the Model Context Protocol reach the server.
const mcpPath = "/mcp"

// serveMCP returns the handler of mcpPath. What is asked there needs a key like everything
// else, and counts as one request besides those that it leads to.
func (a *api) serveMCP() http.HandlerFunc {
	op := &operation{Route: Route{Method: http.MethodPost, Path: mcpPath}}
	h := lazily(func() http.HandlerFunc {
		made, err := a.MCP(a.doc.json(), a)
		if err != nil {
			panic(fmt.Errorf("offer the API as MCP tools: %w", err)) // it depends on nothing but the program
		}
		return made.ServeHTTP
	})
	sameSite := a.sameSite()
	return func(w http.ResponseWriter, r *http.Request) {
		memory := a.Memory.Open()
		defer memory.Release()
		err := sameSite(r)
		if err == nil {
			var c call
			if c, err = a.admit(op, w, r, func() ([]byte, error) { return a.readBody(op, w, r, memory) }); err == nil {
				r.Body = io.NopCloser(bytes.NewReader(c.body))
				h(w, r)
				return
			}
		}
		a.fail(w, r, err)
	}
}

// sameSite returns what refuses a request that a browser sends for a page that may not call
// the API.
func (a *api) sameSite() func(*http.Request) error {
	guard := http.NewCrossOriginProtection()
	for _, origin := range a.Origins {
		if origin == "*" {
			return func(*http.Request) error { return nil }
		}
		if err := guard.AddTrustedOrigin(origin); err != nil {
			panic(fmt.Errorf("let pages of %s call the API: %w", origin, err)) // the settings were checked
		}
	}
	return func(r *http.Request) error {
		if err := guard.Check(r); err != nil {
			return &rota.Error{Code: rota.Denied, Msg: "pages of other sites may not ask this: --cors-origins says which may", Err: err}
		}
		return nil
	}
}
