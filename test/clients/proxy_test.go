package clients

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A proxy stands before a server. It delays what starts something, now and then
// for longer than the client waits, and hangs up when its caller does: what it
// still has in its hands then never arrives.
type proxy struct {
	url     string
	began   time.Time
	notable chan struct{} // gets one for the first of every so many posts, to freeze the database
	every   int

	mu     sync.Mutex // guards what follows
	posts  int
	next   int              // which post is notable
	frozen bool             // whether the database is
	held   int              // bodies that were held for long and have no answer yet
	made   map[string]*post // what became of posts by their bodies
	open   map[*http.Request]time.Time
}

// A post is what the proxy knows of all posts with one body.
type post struct {
	answers int      // of the server that something was made
	held    bool     // whether the first was held for longer than its caller waits
	late    bool     // whether its caller was about to hang up when the server was free to answer
	story   []string // when its callers came, and what they got
}

// patience is how long a caller has waited that may hang up any moment.
const patience = 3 * time.Second

func startProxy(t *testing.T, target string, every int) *proxy {
	t.Helper()
	to, err := url.Parse(target)
	require.NoError(t, err)
	p := &proxy{began: time.Now(), notable: make(chan struct{}, 64), every: every, made: make(map[string]*post), open: make(map[*http.Request]time.Time)}
	carry := httputil.NewSingleHostReverseProxy(to)
	carry.ModifyResponse = p.answered
	carry.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			var done func()
			r, done = p.hold(r)
			defer done()
		}
		carry.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	p.url = s.URL
	return p
}

type bodyKey struct{}

// answered counts what the server says that it has made.
func (p *proxy) answered(resp *http.Response) error {
	body, ok := resp.Request.Context().Value(bodyKey{}).(string)
	if !ok {
		return nil
	}
	p.note(body, resp.Status)
	if resp.StatusCode == http.StatusCreated {
		p.mu.Lock()
		defer p.mu.Unlock()
		what := p.made[body]
		if what.held && what.answers == 0 {
			p.held--
		}
		what.answers++
	}
	return nil
}

// note adds to the story of the posts with a body.
func (p *proxy) note(body, what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	post := p.made[body]
	post.story = append(post.story, p.since()+" "+what)
}

// free notes whose answer may be under way in the moment in which their callers hang
// up, when the server is free to answer.
func (p *proxy) free() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen = false
	for r, since := range p.open {
		if time.Since(since) > patience {
			p.made[r.Context().Value(bodyKey{}).(string)].late = true
		}
	}
}

// lost reports whether an answer to a post with the input may have been lost after
// the server had written it, which no server can know.
func (p *proxy) lost(input string) bool {
	what := p.post(input)
	return what.answers > 1 || what.late
}

// post returns what became of the posts with an input.
func (p *proxy) post(input string) post {
	p.mu.Lock()
	defer p.mu.Unlock()
	for body, what := range p.made {
		if strings.Contains(body, fmt.Sprintf("%q", input)) {
			return *what
		}
	}
	return post{}
}

// hold keeps a request back. It does not return to one whose caller has gone. The
// function that it returns must be called when the request has been answered.
func (p *proxy) hold(r *http.Request) (held *http.Request, done func()) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r = r.WithContext(context.WithValue(r.Context(), bodyKey{}, string(body)))
	r.Body = io.NopCloser(bytes.NewReader(body))
	delay := p.delay(r, string(body))
	p.note(string(body), "came")
	select {
	case <-time.After(delay):
		p.note(string(body), "passed on")
		return r, func() { p.close(r) }
	case <-r.Context().Done():
		p.close(r)
		panic(http.ErrAbortHandler)
	}
}

func (p *proxy) close(r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, r)
	if r.Context().Err() != nil {
		what := p.made[r.Context().Value(bodyKey{}).(string)]
		what.story = append(what.story, p.since()+" hung up")
	}
}

// since is how old the proxy is.
func (p *proxy) since() string { return time.Since(p.began).Round(time.Millisecond).String() }

// delay counts a post, and says how long it is held: the first attempt of some for
// longer than the client waits. That and a frozen database would together be more than
// the client has patience for.
func (p *proxy) delay(r *http.Request, body string) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.posts++
	if p.posts > p.next && p.held == 0 {
		p.next, p.frozen = p.posts+p.every, true
		p.notable <- struct{}{}
	}
	p.open[r] = time.Now()
	again := p.made[body] != nil
	if !again {
		p.made[body] = new(post)
	}
	if len(p.made)%100 == 70 && !again && !p.frozen {
		p.made[body].held = true
		p.held++
		return silence
	}
	return time.Duration(p.posts%20) * time.Millisecond
}
