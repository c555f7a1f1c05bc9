package client

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/rota-run/rota"
)

// DefaultMaxAnswer is the longest answer that a client reads, in bytes, unless
// [WithMaxAnswer] says otherwise.
const DefaultMaxAnswer = 64 << 20

// A Client speaks to one server with one key. Its methods may be called from
// any goroutine. They block until the server has answered or the context ends.
type Client struct {
	Agents         Agents
	FunctionTools  FunctionTools
	MCPServers     MCPServers
	MemoryStores   MemoryStores
	MCPCredentials MCPCredentials
	Schedules      Schedules
	Runs           Runs
	Account        Account
	EndUsers       EndUsers
	Limits         Limits
	Keys           Keys
	ScopedKeys     ScopedKeys
	System         System
}

// New returns a client of the server at baseURL, such as
// "http://127.0.0.1:8080", that authenticates with key. It does not connect.
// If baseURL is not an http or https URL, every call returns rota.Invalid.
func New(baseURL, key string, opts ...Option) *Client {
	s := &sender{
		http:      http.DefaultClient,
		header:    http.Header{"User-Agent": {"rota-go"}},
		maxAnswer: DefaultMaxAnswer,
	}
	s.base, s.baseErr = parseBase(baseURL)
	if key != "" {
		s.header.Set("Authorization", "Bearer "+key)
	}
	for _, o := range opts {
		o(s)
	}
	s.http = withoutRedirects(s.http)
	return &Client{Agents: Agents{s}, FunctionTools: FunctionTools{s}, MCPServers: MCPServers{s}, MCPCredentials: MCPCredentials{s}, MemoryStores: MemoryStores{s}, Schedules: Schedules{s}, Runs: Runs{s}, Account: Account{s}, EndUsers: EndUsers{s}, Limits: Limits{s}, Keys: Keys{s}, ScopedKeys: ScopedKeys{s}, System: System{s}}
}

func parseBase(baseURL string) (*url.URL, error) {
	u, err := url.Parse(baseURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, rota.Errorf(rota.Invalid, "the server's address must be a URL such as https://rota.example.com")
	}
	return &url.URL{Scheme: u.Scheme, User: u.User, Host: u.Host, Path: strings.TrimRight(u.Path, "/")}, nil
}

// withoutRedirects returns h as it is but for redirects, which become
// refusals: following one would turn a POST into a GET.
func withoutRedirects(h *http.Client) *http.Client {
	c := *h
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// An Option sets up a client.
type Option func(*sender)

// WithHTTPClient sends requests through h instead of http.DefaultClient. A
// Timeout of h also ends the streams of [Runs.Events]. Redirects are not
// followed, whatever h says: they are rota.Invalid.
func WithHTTPClient(h *http.Client) Option {
	return func(s *sender) { s.http = h }
}

// OnBehalfOf acts for an end user of the account: the client sees and makes
// what belongs to that user. The user is 1 to 150 printable ASCII characters.
func OnBehalfOf(user string) Option {
	return func(s *sender) { s.header.Set("X-On-Behalf-Of", user) }
}

// WithUserAgent names the program in the server's log.
func WithUserAgent(name string) Option {
	return func(s *sender) { s.header.Set("User-Agent", name) }
}

// WithMaxAnswer sets the longest answer, or event of a stream, that the client
// reads, in bytes. A longer one is rota.TooLarge.
func WithMaxAnswer(bytes int) Option {
	return func(s *sender) { s.maxAnswer = bytes }
}
