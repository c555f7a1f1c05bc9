// Package gateway asks models over the Responses API. It makes one attempt at
// a time and says precisely how an attempt failed; when to try again is the
// engine's business.
//
//	Stream ──► POST {base}/responses ──► 200, events ──► response.completed ──► Response
//	  │                  │                    │
//	  │ ResumeID         │ 3xx 4xx 5xx        │ response.failed, .incomplete, error,
//	  ▼                  │ no connection      │ silence, an end without an answer
//	GET {base}/responses/{id}                 │
//	  │ 400 404 405      ▼                    ▼
//	  └──► POST          *Error              *Error
//
// The provider "echo" is built in and needs no network: it is a stand-in for a
// model that repeats what it was told, through the code that serves every
// other provider.
package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// A Provider is one server that answers POST {BaseURL}/responses.
type Provider struct {
	// Name is unique and consists of lower-case letters, digits and hyphens.
	// "echo" is taken.
	Name string

	// BaseURL is absolute, http or https, without user, query and fragment,
	// such as "https://api.openai.com/v1".
	BaseURL string

	// Key returns the secret that is sent as bearer token. It is called for
	// every request, so that a secret can change. Nil sends none.
	Key func() (string, error)

	// DefaultModel is the model that "auto" stands for; empty leaves "auto" to
	// the provider.
	DefaultModel string

	ConnectTimeout time.Duration // for connecting, TLS included; zero is no limit
	IdleTimeout    time.Duration // for silence, from the request to the answer and between its bytes; zero is no limit
	Timeout        time.Duration // for one attempt as a whole; zero is no limit

	// MaxConcurrent is how many attempts may be under way at once; zero is no
	// limit. It is for the engine to keep: Stream does not wait.
	MaxConcurrent int

	// Background asks for background responses, to which a run can attach
	// again after a crash.
	Background bool

	// Omit names members of requests that the provider does not take: metadata,
	// context_management, tool_choice or parallel_tool_calls. What else of these it
	// refuses is found out, and then left out as long as the gateway lives.
	Omit []string

	// Omitted is called once for each member that is left out from then on, because
	// the provider refused it. It may be called by many goroutines at once. Nil is
	// fine.
	Omitted func(member string)

	// Transport carries the requests. Nil is a transport of its own, made for
	// many streams to one host. It never sees a redirect's target.
	Transport http.RoundTripper
}

// ProviderInfo is what the engine knows of a provider.
type ProviderInfo struct {
	Name          string
	MaxConcurrent int // zero is no limit
}

// A Gateway knows the providers. It may be used by many goroutines at once.
type Gateway struct {
	providers []*provider // the default first
	byName    map[string]*provider
}

// auto is the name that stands for a provider's default model.
const auto = "auto"

// New returns a gateway to the providers, the first of which serves the models
// that name no provider, and to echo, which serves them if there are no others.
// It fails if a provider is not as the comments on its fields demand.
func New(providers []Provider) (*Gateway, error) {
	g := &Gateway{byName: make(map[string]*provider, len(providers)+1)}
	for _, p := range providers {
		if p.Name == echoName {
			return nil, fmt.Errorf("provider %q: the name is taken by the built-in stand-in", p.Name)
		}
		if err := g.add(p); err != nil {
			return nil, fmt.Errorf("provider %q: %w", p.Name, err)
		}
	}
	return g, g.add(echoProvider())
}

func (g *Gateway) add(settings Provider) error {
	p, err := newProvider(settings)
	if err != nil {
		return err
	}
	if g.byName[p.Name] != nil {
		return fmt.Errorf("there are two of this name")
	}
	g.providers = append(g.providers, p)
	g.byName[p.Name] = p
	return nil
}

// Providers lists the providers, the default first and echo last.
func (g *Gateway) Providers() []ProviderInfo {
	infos := make([]ProviderInfo, len(g.providers))
	for i, p := range g.providers {
		infos[i] = ProviderInfo{p.Name, p.MaxConcurrent}
	}
	return infos
}

// Resolve returns the provider that serves a model, and the model's name
// there. "provider/model" goes to that provider if it is configured; every
// other name goes to the default provider as it is. "auto" and
// "provider/auto" become the provider's default model. "echo" alone is the
// provider of that name.
func (g *Gateway) Resolve(model string) (provider, name string) {
	if model == echoName {
		model = echoName + "/" + auto
	}
	p := g.providers[0]
	if prefix, rest, ok := strings.Cut(model, "/"); ok && g.byName[prefix] != nil {
		p, model = g.byName[prefix], rest
	}
	return p.Name, p.model(model)
}

// Close closes the connections that no attempt uses. Attempts that are under
// way go on.
func (g *Gateway) Close() {
	for _, p := range g.providers {
		if t, ok := p.Transport.(interface{ CloseIdleConnections() }); ok {
			t.CloseIdleConnections()
		}
	}
}
