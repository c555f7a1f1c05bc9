package httpapi_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/httpapi"
)

// A stuck keyring answers nobody who still waits, and counts those who have gone.
type stuck struct {
	keyring
	asked, gone atomic.Int64
}

func (s *stuck) KeyByHash(ctx context.Context, _ []byte) (rota.Key, []byte, error) {
	s.asked.Add(1)
	<-ctx.Done()
	s.gone.Add(1)
	return rota.Key{}, nil, ctx.Err()
}

// pipes is a listener whose connections are in memory.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{} }

// A caller who hangs up while the store keeps its request from being let in has
// started nothing: otherwise the request would go on beside its repeat.
func TestWhoHangsUpBeforeTheKeyIsReadStartsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys, l := new(stuck), make(pipes)
		web := &http.Server{Handler: newServer(t, errReached, func(c *httpapi.Config) { c.Keys = keys })}
		go func() { _ = web.Serve(l) }()
		here, there := net.Pipe()
		l <- there
		body := `{"input":"hi"}`
		_, err := fmt.Fprintf(here, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", runs, secret, len(body), body)
		require.NoError(t, err)
		synctest.Wait()
		require.EqualValues(t, 1, keys.asked.Load())
		require.NoError(t, here.Close())
		synctest.Wait()
		require.EqualValues(t, 1, keys.gone.Load())
		close(l)
	})
}
