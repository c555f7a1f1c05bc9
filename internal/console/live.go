package console

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
)

// An EventWriter answers with events until they end, or admitted returns an error.
type EventWriter func(w http.ResponseWriter, r *http.Request, events control.EventReader, admitted func() error)

// changes tells a page what changes of the things that it shows.
func (c *console) changes(w http.ResponseWriter, r *http.Request) {
	v, ok := c.enter(w, r)
	if !ok {
		return
	}
	after, err := resumedAt(r)
	if err != nil {
		c.problem(w, v, err)
		return
	}
	events, err := c.Control.Changes(r.Context(), v.who, v.owners(), after)
	if err != nil {
		c.problem(w, v, err)
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // it would end with the time to read the request
	c.Events(w, r, events, func() error { return c.stillSignedIn(r) })
}

// resumedAt returns the number after which changes are told; -1 for from now on.
func resumedAt(r *http.Request) (int64, error) {
	mark := r.Header.Get("Last-Event-ID")
	if mark == "" {
		mark = r.URL.Query().Get("starting_after")
	}
	if mark == "" {
		return -1, nil
	}
	n, err := strconv.ParseInt(mark, 10, 64)
	if err != nil || n < 0 {
		return 0, rota.InvalidField("starting_after", "must be the number of a message, a whole number from 0")
	}
	return n, nil
}

// stillSignedIn returns an error if the session has ended. A store that does not answer is
// no reason to end what was let in.
func (c *console) stillSignedIn(r *http.Request) error {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return err
	}
	if _, err = c.Sessions.Caller(r.Context(), cookie.Value, c.Now()); errors.Is(err, rota.Unauthenticated) {
		return err
	}
	return nil
}
