package app

import (
	"container/list"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
)

// connections is a listener that has no more than so many connections open at once. A
// new one gets the place of the one that has been without a request for the longest
// time. If all have one, it waits for one that is closed.
type connections struct {
	net.Listener
	most int
	log  *slog.Logger

	mu     sync.Mutex                 // guards what follows
	free   sync.Cond                  // one was closed
	places map[net.Conn]*list.Element // nil while there is a request
	idle   list.List                  // of net.Conn without a request, the longest first
	closed bool
}

// newConnections bounds a listener. The server must tell the state of connections.
func newConnections(l net.Listener, most int, log *slog.Logger) *connections {
	c := &connections{Listener: l, most: most, log: log, places: make(map[net.Conn]*list.Element)}
	c.free.L = &c.mu
	return c
}

// Accept implements [net.Listener].
func (c *connections) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		if isTooManyFiles(err) {
			c.log.Error("no more files can be opened, and connections wait: raise the limit (ulimit -n, LimitNOFILE) or lower --max-connections", "err", err)
			c.makeRoom()
		}
		return nil, err
	}
	if !c.enter(conn) {
		return nil, errors.Join(net.ErrClosed, conn.Close())
	}
	return conn, nil
}

// Close implements [net.Listener].
func (c *connections) Close() error {
	c.mu.Lock()
	c.closed = true
	c.free.Broadcast()
	c.mu.Unlock()
	return c.Listener.Close()
}

// enter finds a place for a connection, and reports false if the listener is closed.
func (c *connections) enter(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.places) >= c.most && !c.closed {
		if !c.evict() {
			c.free.Wait()
		}
	}
	if !c.closed {
		c.places[conn] = c.idle.PushBack(conn)
	}
	return !c.closed
}

// makeRoom closes the connection that has been without a request for the longest time.
func (c *connections) makeRoom() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.evict()
}

// evict reports false if all connections have a request.
func (c *connections) evict() bool {
	longest := c.idle.Front()
	if longest == nil {
		return false
	}
	conn := c.idle.Remove(longest).(net.Conn)
	delete(c.places, conn)
	c.log.Warn("connections without a request are closed to make room for others: see --max-connections", "most", c.most)
	_ = conn.Close()
	return true
}

// note is told of the state of connections, as [http.Server.ConnState].
func (c *connections) note(conn net.Conn, s http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	place, ok := c.places[conn]
	if !ok {
		return // it was evicted
	}
	if place != nil {
		c.idle.Remove(place)
	}
	c.places[conn] = nil
	switch s {
	case http.StateNew, http.StateIdle:
		c.places[conn] = c.idle.PushBack(conn)
	case http.StateClosed, http.StateHijacked:
		delete(c.places, conn)
	}
	c.free.Broadcast()
}

func isTooManyFiles(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}
