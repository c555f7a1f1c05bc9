package gateway

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rota-run/rota"
)

const (
	idleConns     = 1024 // per provider, so that a burst of runs finds its connections again
	idleConnsTime = 90 * time.Second
)

// provider is a Provider whose settings have been checked.
type provider struct {
	Provider
	endpoint     string // of POST, of the Responses API
	chatEndpoint string // the same of chat completions
	omits        omissions
	answered     atomic.Bool // over the Responses API: what lacks the path now had it before
	inChat       atomic.Bool // it was found out that the provider speaks chat completions only
}

func newProvider(p Provider) (*provider, error) {
	if err := checkProvider(p); err != nil {
		return nil, err
	}
	p.Protocol = cmp.Or(p.Protocol, ProtocolAuto)
	if p.Transport == nil {
		p.Transport = newTransport(p.ConnectTimeout)
	}
	return &provider{
		Provider: p, endpoint: strings.TrimRight(p.BaseURL, "/") + "/responses",
		chatEndpoint: strings.TrimRight(p.BaseURL, "/") + "/chat/completions", omits: omissions{names: slices.Clone(p.Omit)},
	}, nil
}

func checkProvider(p Provider) error {
	if ok, _ := regexp.MatchString(`^[a-z0-9-]+$`, p.Name); !ok {
		return errors.New("a name consists of lower-case letters, digits and hyphens")
	}
	if min(p.ConnectTimeout, p.IdleTimeout, p.Timeout) < 0 || p.MaxConcurrent < 0 {
		return errors.New("limits are zero or more")
	}
	if !slices.Contains([]Protocol{"", ProtocolAuto, ProtocolResponses, ProtocolChat}, p.Protocol) {
		return fmt.Errorf("the protocol is auto, responses or chat, not %q", p.Protocol)
	}
	return checkBaseURL(p.BaseURL)
}

func checkBaseURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		// The parser's error quotes the URL, which may hold a password.
		return errors.New("the base URL is not a URL")
	case u.User != nil:
		return errors.New("the base URL has a user in it; a key belongs into the key's setting")
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return fmt.Errorf("the base URL %q does not begin with http:// or https:// and a host", s)
	case u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("the base URL %q has a query or a fragment", u.Redacted())
	}
	return nil
}

func newTransport(connect time.Duration) *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: connect}).DialContext,
		TLSHandshakeTimeout: connect,
		ForceAttemptHTTP2:   true, // a dialer of one's own turns it off otherwise
		MaxIdleConnsPerHost: idleConns,
		IdleConnTimeout:     idleConnsTime,
		DisableCompression:  true, // see Accept-Encoding
	}
}

// serve returns the provider, and the name that a model has there.
func (p *provider) serve(name string) (*provider, string, error) {
	if name != "" && name != auto {
		return p, name, nil
	}
	if p.DefaultModel == "" {
		return nil, "", rota.Errorf(rota.Invalid,
			"auto stands for the default model, and the provider %s has none: name a model, or set its default_model (--model with --model-url)", p.Name)
	}
	return p, p.DefaultModel, nil
}

// secret returns the provider's key, or an Error that does not quote it.
func (p *provider) secret() (string, error) {
	if p.Key == nil {
		return "", nil
	}
	key, err := p.Key()
	if err != nil {
		return "", &Error{Code: rota.RunErrMisconfigured, Message: "the provider's key cannot be read", Err: err}
	}
	if strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", &Error{Code: rota.RunErrMisconfigured, Message: "the provider's key has characters that no key has, such as a line break"}
	}
	return key, nil
}

// speaks returns the protocol in which to ask.
func (p *provider) speaks() Protocol {
	if p.Protocol == ProtocolAuto && p.inChat.Load() {
		return ProtocolChat
	}
	return p.Protocol
}

// learnChat notes that the provider speaks chat completions only.
func (p *provider) learnChat() {
	if p.inChat.CompareAndSwap(false, true) && p.Detected != nil {
		p.Detected(ProtocolChat)
	}
}

// ask returns the request for a new response.
func (p *provider) ask(ctx context.Context, secret, endpoint string, body []byte, idempotencyKey string) (*http.Request, error) {
	if body == nil {
		return nil, &Error{Code: rota.RunErrRejected, Message: "the request is not a JSON object"}
	}
	req, err := p.request(ctx, secret, http.MethodPost, endpoint, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if idempotencyKey != "" {
		// Under the name's canonical spelling http.Transport takes the header as
		// leave to send the request twice, and one attempt is one request.
		req.Header["idempotency-key"] = []string{idempotencyKey}
	}
	return req, nil
}

// attach returns the request that attaches to a response.
func (p *provider) attach(ctx context.Context, secret, id string) (*http.Request, error) {
	return p.request(ctx, secret, http.MethodGet, p.endpoint+"/"+url.PathEscape(id)+"?stream=true", nil)
}

func (p *provider) request(ctx context.Context, secret, method, url string, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, &Error{Code: rota.RunErrMisconfigured, Message: "the provider's base URL does not work", Err: err}
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Accept-Encoding", "identity") // a compressor on the way would hold back small events
	req.Header.Set("User-Agent", "rota")
	if secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	return req, nil
}

// body returns the JSON object with the fields that are the gateway's, or nil if it is
// none.
func (p *provider) body(object []byte, noStore bool) []byte {
	rest, ok := bytes.CutPrefix(bytes.TrimSpace(object), []byte("{"))
	if !ok {
		return nil
	}
	fields := `{"stream":true`
	switch {
	case p.Background:
		fields = `{"stream":true,"background":true,"store":true`
	case noStore:
		fields = `{"stream":true,"store":false`
	}
	body := append(make([]byte, 0, len(fields)+1+len(rest)), fields...)
	if rest = bytes.TrimSpace(rest); !bytes.HasPrefix(rest, []byte("}")) {
		body = append(body, ',')
	}
	return append(body, rest...)
}
