package enginetest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway"
)

// A model answers as its script says. A model without a script answers at once.
type model struct {
	now func() time.Time // the wall clock

	mu     sync.Mutex
	script func(n int) reply // of the n-th call; 1 is the first
	asked  []call
	atWork int
}

// A reply is what a call gets.
type reply struct {
	takes time.Duration
	until <-chan struct{} // if not nil, in place of takes
	err   *gateway.Error
}

// A call is one time that the model was asked.
type call struct {
	at       time.Time // by the wall clock
	provider string
	key      string
	run      rota.RunID
	nominal  string
	beside   int       // how many calls were under way
	ended    time.Time // zero while it lasts
	err      error     // how it ended; nil while it lasts
}

// Models implements control.Models: nobody asks.
func (m *model) Models(context.Context) []rota.Model { return nil }

// Resolve implements runner.Gateway: a model is named provider/model.
func (m *model) Resolve(name string) (string, string, error) {
	provider, rest, _ := strings.Cut(name, "/")
	return provider, rest, nil
}

// Stream implements runner.Gateway.
func (m *model) Stream(ctx context.Context, req gateway.Request, started func(string), _ func(gateway.Event)) (gateway.Response, error) {
	n, r := m.begin(req)
	err := wait(ctx, r)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.atWork--
	m.asked[n].ended, m.asked[n].err = m.now(), err
	if err != nil {
		return gateway.Response{}, err
	}
	return gateway.Response{ID: "resp_1", Status: "completed", Body: []byte(`{"id":"resp_1"}`), Output: "ok"}, nil
}

func (m *model) begin(req gateway.Request) (int, reply) {
	var body struct{ Metadata map[string]string }
	if err := json.Unmarshal(req.Body, &body); err != nil {
		panic(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, call{
		at: m.now(), provider: req.Provider, key: req.IdempotencyKey, beside: m.atWork,
		run: rota.RunID(body.Metadata["rota_run_id"]), nominal: body.Metadata["rota_scheduled_for"],
	})
	m.atWork++
	var r reply
	if m.script != nil {
		r = m.script(len(m.asked))
	}
	return len(m.asked) - 1, r
}

func wait(ctx context.Context, r reply) error {
	if r.until == nil {
		passed := make(chan struct{})
		defer time.AfterFunc(r.takes, func() { close(passed) }).Stop()
		r.until = passed
	}
	select {
	case <-r.until:
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return &gateway.Error{Code: rota.RunErrTimeout, Message: "too long", Err: ctx.Err()}
		}
		return ctx.Err()
	}
	if r.err != nil {
		return r.err
	}
	return nil
}

// will sets what the calls from now on get.
func (m *model) will(script func(n int) reply) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.script = script
}

// takes makes every call from now on take so long.
func (m *model) takes(d time.Duration) { m.will(func(int) reply { return reply{takes: d} }) }

// holds makes every call from now on last until the function that it returns
// is called.
func (m *model) holds() (release func()) {
	gate := make(chan struct{})
	m.will(func(int) reply { return reply{until: gate} })
	return func() { close(gate) }
}

// calls returns how often the model was asked, and how.
func (m *model) calls() []call {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]call(nil), m.asked...)
}

// runs returns the runs that the model was asked for, in order.
func (m *model) runs() []rota.RunID {
	var ids []rota.RunID
	for _, c := range m.calls() {
		ids = append(ids, c.run)
	}
	return ids
}

// of returns the calls for a run.
func (m *model) of(id rota.RunID) []call {
	return slices.DeleteFunc(m.calls(), func(c call) bool { return c.run != id })
}

// forget forgets the calls so far, none of which may be under way.
func (m *model) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = nil
}
