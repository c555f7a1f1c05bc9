package clients

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
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
	notable chan struct{} // gets one for the first of every so many posts
	every   int

	mu    sync.Mutex // guards what follows
	posts int
	seen  map[string]bool // the bodies of posts
}

func startProxy(t *testing.T, target string, every int) *proxy {
	t.Helper()
	to, err := url.Parse(target)
	require.NoError(t, err)
	p := &proxy{notable: make(chan struct{}, 64), every: every, seen: make(map[string]bool)}
	carry := httputil.NewSingleHostReverseProxy(to)
	carry.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			p.hold(r)
		}
		carry.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	p.url = s.URL
	return p
}

// hold keeps a request back. It does not return to one whose caller has gone.
func (p *proxy) hold(r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	select {
	case <-time.After(p.delay(string(body))):
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	}
}

// delay counts a post, and says how long it is held: the first attempt of some
// for longer than the client waits.
func (p *proxy) delay(body string) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.posts++
	if p.posts%p.every == 1 {
		p.notable <- struct{}{}
	}
	again := p.seen[body]
	p.seen[body] = true
	if p.posts%97 == 0 && !again {
		return silence
	}
	return time.Duration(p.posts%20) * time.Millisecond
}
