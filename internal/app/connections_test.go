package app

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/settings"
)

// pipes is a listener whose connections come from a channel.
type pipes struct {
	conns chan net.Conn
	err   error
}

func (p *pipes) Accept() (net.Conn, error) {
	conn, ok := <-p.conns
	if !ok {
		return nil, errors.Join(p.err, net.ErrClosed)
	}
	return conn, nil
}
func (p *pipes) Close() error   { close(p.conns); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func TestConnectionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &pipes{conns: make(chan net.Conn, 1)}
		c := newConnections(l, 2, slog.New(slog.DiscardHandler))
		dial := func() (client net.Conn) {
			client, server := net.Pipe()
			l.conns <- server
			return client
		}
		isOpen := func(client net.Conn) bool { return client.SetReadDeadline(time.Time{}) == nil }
		accepted := make(chan net.Conn, 10)
		go func() {
			for {
				conn, err := c.Accept()
				if err != nil {
					close(accepted)
					return
				}
				accepted <- conn
			}
		}()
		first, second := dial(), dial()
		one, two := <-accepted, <-accepted
		c.note(one, http.StateActive)
		third := dial()
		three := <-accepted
		require.True(t, isOpen(first), "it has a request")
		require.False(t, isOpen(second), "it has waited for the longest time")
		c.note(two, http.StateClosed)

		c.note(three, http.StateActive)
		fourth := dial()
		synctest.Wait()
		require.Empty(t, accepted, "all have a request")
		c.note(three, http.StateClosed)
		<-accepted
		require.True(t, isOpen(first) && isOpen(third) && isOpen(fourth))

		c.note(one, http.StateIdle)
		fifth := dial()
		<-accepted
		require.False(t, isOpen(fourth))
		require.True(t, isOpen(first) && isOpen(fifth))

		for conn := range c.places {
			c.note(conn, http.StateActive)
		}
		last := dial()
		synctest.Wait()
		require.NoError(t, c.Close())
		_, more := <-accepted
		require.False(t, more)
		require.False(t, isOpen(last))
	})
}

func TestFilesAreDivided(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for name, tt := range map[string]struct {
		limit, asked, connections, runs int
	}{
		"none":        {0, 0, mostConnections, 256},
		"none, asked": {0, 9000, 9000, 256},
		"few":         {64, 0, 16, 16},
		"fewer":       {16, 0, fewest, fewest},
		"some":        {1024, 0, 1024 - filesBeside - 256, 256},
		"many":        {1 << 20, 0, mostConnections, 256},
		"many, asked": {1 << 20, 9000, 9000, 256},
		"asked less":  {1024, 10, 10, 256},
		"asked more":  {1024, 9000, 1024 - filesBeside - 256, 256},
	} {
		got := fitFiles(settings.Settings{Database: "sqlite", MaxConcurrentRuns: 256, MaxConnections: tt.asked}, tt.limit, log)
		require.Equal(t, []int{tt.connections, tt.runs}, []int{got.MaxConnections, got.MaxConcurrentRuns}, name)
	}
}
