package clients

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A proxy stands before a server. It delays what starts something, now and then
// for longer than the client waits, and hangs up when its caller does: what it
// still has in its hands then never arrives.
type proxy struct {
	url     string
	posts   atomic.Int64
	notable chan int64 // gets the number of each post that is a multiple of every
	every   int64
}

func startProxy(t *testing.T, target string, every int64) *proxy {
	t.Helper()
	to, err := url.Parse(target)
	require.NoError(t, err)
	p := &proxy{notable: make(chan int64, 64), every: every}
	carry := httputil.NewSingleHostReverseProxy(to)
	carry.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && !p.hold(r) {
			panic(http.ErrAbortHandler)
		}
		carry.ServeHTTP(w, r)
	}))
	s.Config.ErrorLog = nil
	t.Cleanup(s.Close)
	p.url = s.URL
	return p
}

// hold keeps a request back, and says whether its caller is still there.
func (p *proxy) hold(r *http.Request) bool {
	n := p.posts.Add(1)
	if n%p.every == 1 {
		select {
		case p.notable <- n:
		default:
		}
	}
	delay := time.Duration(n%20) * time.Millisecond
	if n%97 == 0 {
		delay = silence
	}
	select {
	case <-time.After(delay):
		return true
	case <-r.Context().Done():
		return false
	}
}
