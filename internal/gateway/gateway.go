// Package gateway asks models over the Responses API, or over chat completions where a
// server speaks nothing else. It makes one attempt at a time and says precisely how an attempt failed; when to try again is the
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
// A chat, POST {base}/chat/completions, is translated both ways by package
// responses/chat, and takes the same way.
//
// The model "echo" is built in and needs no network: it is a stand-in for a model
// that repeats what it was told, through the code that serves every provider. It
// answers nobody who did not ask for it by that name, but in a [Demo].
package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rota-run/rota"
)

// A Provider is one server that answers POST {BaseURL}/responses, or
// {BaseURL}/chat/completions.
type Provider struct {
	// Name is unique and consists of lower-case letters, digits and hyphens.
	// "echo" and "none" are taken.
	Name string

	// BaseURL is absolute, http or https, without user, query and fragment,
	// such as "https://api.openai.com/v1".
	BaseURL string

	// Key returns the secret that is sent as bearer token. It is called for
	// every request, so that a secret can change. Nil sends none.
	Key func() (string, error)

	// DefaultModel is the model that "auto" stands for; without one, "auto" is
	// an error.
	DefaultModel string

	// AnyPrefix says that a name whose prefix is that of no provider goes to this
	// one, whole, where there are several providers. One of them may say so.
	AnyPrefix bool

	ConnectTimeout time.Duration // for connecting, TLS included; zero is no limit
	IdleTimeout    time.Duration // for silence, from the request to the answer and between its bytes; zero is no limit
	Timeout        time.Duration // for one attempt as a whole; zero is no limit

	// MaxConcurrent is how many attempts may be under way at once; zero is no
	// limit. It is for the engine to keep: Stream does not wait.
	MaxConcurrent int

	// Background asks for background responses, to which a run can attach
	// again after a crash. Chat completions have none.
	Background bool

	// Protocol says in which protocol the provider is asked. Auto, or an empty one,
	// is Responses until the provider says that it has no such path, has never answered
	// there, and answers a chat; from then on it is chat completions, as long as the
	// gateway lives.
	Protocol Protocol

	// Detected is called once if the protocol was found out to be chat completions.
	// It may be called by any goroutine. Nil is fine.
	Detected func(Protocol)

	// Omit names members of requests that the provider does not take: metadata,
	// context_management, tool_choice or parallel_tool_calls. What else of these it
	// refuses is found out, and then left out as long as the gateway lives.
	Omit []string

	// SafetyIdentifier gives the provider a name of the end user for whom it is asked,
	// unless the request has one: see [SafetyIdentifier]. Over chat completions, it is not
	// sent.
	SafetyIdentifier bool

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
	standIn   *provider
	demo      bool // "auto" is the stand-in
}

// auto is the name that stands for a provider's default model.
const auto = "auto"

// StandIn is the name of the model that is built in, and of its provider.
const StandIn = "echo"

// Unserved is the provider of the models that no provider serves. It answers
// nothing: Stream fails.
const Unserved = "none"

// New returns a gateway to the providers, the first of which is the default, and to
// the stand-in. It fails if a provider is not as the comments on its fields demand.
func New(providers []Provider) (*Gateway, error) {
	g := &Gateway{}
	for _, p := range providers {
		if err := g.add(p); err != nil {
			return nil, fmt.Errorf("provider %q: %w", p.Name, err)
		}
	}
	var err error
	g.standIn, err = newProvider(echoProvider())
	return g, err
}

// Demo returns a gateway without providers in which "auto" is the stand-in too.
func Demo() (*Gateway, error) {
	g, err := New(nil)
	if err == nil {
		g.demo = true
	}
	return g, err
}

func (g *Gateway) add(settings Provider) error {
	p, err := newProvider(settings)
	switch {
	case err != nil:
		return err
	case p.Name == StandIn, p.Name == Unserved:
		return errors.New("the name is taken by what is built in")
	case g.named(p.Name) != nil:
		return errors.New("there are two of this name")
	}
	if other := g.first(takesAny); p.AnyPrefix && other != nil {
		return fmt.Errorf("any_prefix is for one provider, and %q has it", other.Name)
	}
	g.providers = append(g.providers, p)
	return nil
}

// named returns the provider of a name, or nil.
func (g *Gateway) named(name string) *provider {
	return g.first(func(p *provider) bool { return p.Name == name })
}

// any returns the provider that takes names with any prefix, or nil.
func (g *Gateway) any() *provider {
	if len(g.providers) == 1 {
		return g.providers[0]
	}
	return g.first(takesAny)
}

func takesAny(p *provider) bool { return p.AnyPrefix }

func (g *Gateway) first(is func(*provider) bool) *provider {
	if i := slices.IndexFunc(g.providers, is); i >= 0 {
		return g.providers[i]
	}
	return nil
}

// Providers lists the providers, the default first, then the stand-in and Unserved.
func (g *Gateway) Providers() []ProviderInfo {
	var infos []ProviderInfo
	for _, p := range g.providers {
		infos = append(infos, ProviderInfo{p.Name, p.MaxConcurrent})
	}
	return append(infos, ProviderInfo{Name: StandIn}, ProviderInfo{Name: Unserved})
}

// Resolve returns the provider that serves a model, and the model's name there.
//
//   - "echo" is the stand-in.
//   - "provider/model" goes to that provider; "provider/auto" is its default model.
//   - "auto" is the default model of the first provider.
//   - Another name without a prefix goes to the first provider.
//   - Another name with a prefix goes, whole, to the only provider, or to the one
//     that takes any prefix.
//
// The error is [rota.Invalid] if no agent should have the model. Any other error is
// for the operator to mend. With an error, the provider is [Unserved].
func (g *Gateway) Resolve(model string) (provider, name string, err error) {
	p, name, err := g.resolve(model)
	if err != nil {
		return Unserved, model, err
	}
	return p.Name, name, nil
}

func (g *Gateway) resolve(model string) (*provider, string, error) {
	prefix, rest, prefixed := strings.Cut(model, "/")
	named := g.named(prefix)
	switch {
	case model == StandIn, model == auto && g.demo:
		return g.standIn, StandIn, nil
	case len(g.providers) == 0:
		return nil, "", errors.New("no model provider is configured on this server: set --model-url, or providers in rota.yaml")
	case prefixed && named != nil:
		return named.serve(rest)
	case !prefixed:
		return g.providers[0].serve(model)
	case g.any() != nil:
		return g.any(), model, nil
	default:
		return nil, "", rota.Errorf(rota.Invalid, "%q begins with the name of no provider; these are: %s", model, g.names())
	}
}

func (g *Gateway) names() string {
	var names []string
	for _, p := range g.providers {
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
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
