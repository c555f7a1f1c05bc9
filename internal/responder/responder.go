// Package responder works on responses of the Responses API: it has the gateway ask the
// model, writes the stream that callers read, and puts each step on record. What comes
// next is for package answer to say.
package responder

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/answer"
	"github.com/rota-run/rota/internal/budget"
	"github.com/rota-run/rota/internal/engine"
	"github.com/rota-run/rota/internal/events"
	"github.com/rota-run/rota/internal/gateway"
	"github.com/rota-run/rota/internal/rawjson"
	"github.com/rota-run/rota/internal/responses"
)

// A Responder works on responses. All fields but Memory and Freed are required; Memory is
// what requests and answers of models take, and nil is no bound.
type Responder struct {
	Store   Store
	Gateway Gateway
	Now     func() time.Time
	Log     *slog.Logger
	Memory  *budget.Budget
	Worker  string        // names this process; another one never has the name
	Wake    chan struct{} // of one place: see Changed
	Alone   bool          // no other process has the database
	Freed   func()        // a conversation is free, for which runs may wait
	Tools   Toolbox       // makes the calls of tools that have a webhook
	Busy    *Busy
	Shares  engine.Shares // who may have background responses worked on; the workers are this package's

	background sync.WaitGroup
	after      rota.Owner // who had the last turn

	mu   sync.Mutex
	open map[rota.ResponseID]*running // that are worked on here
}

// running is a response that is worked on here.
type running struct {
	kept   bool // it is on record
	cancel context.CancelCauseFunc
	ended  chan struct{} // closed when its end is on record
}

// Gateway asks models.
type Gateway interface {
	Resolve(model string) (provider, name string, err error)
	Stream(ctx context.Context, req gateway.Request, started func(id string), on func(gateway.Event)) (gateway.Response, error)
}

// A Toolbox makes calls.
type Toolbox interface {
	// Call blocks until there is a result, or ctx ends, whose error it returns then.
	Call(ctx context.Context, from answer.Caller, c answer.Call) (answer.Result, error)

	// List returns the step that has the tools of an MCP server. The error is a
	// [*answer.ServerError], or ctx's. It blocks as Call does.
	List(ctx context.Context, from answer.Caller, s answer.Server) (rota.ResponseStep, error)

	// Leave says that a response makes no more calls. It does not block.
	Leave(from answer.Caller)
}

// answerCost is what an answer takes of memory, as a multiple of its bytes: those of an
// attempt of a run, and the stream that is written beside it.
const answerCost = 8

// errCancelled says that a caller has cancelled the response.
var errCancelled = errors.New("the response was cancelled")

// errAsleep says that the response sleeps, and goes on later.
var errAsleep = errors.New("the response sleeps")

// errLeft says that the process stops, and that another one, or the next, goes on.
var errLeft = errors.New("the process stops")

// Answer works on a response until it has ended, which is on record if the response is
// kept. emit gets its events in order; the one that ends the stream when that is durable.
//
// If ctx ends, the response is cancelled; if the server stops, it fails. refused is how
// the model has refused the request before it had said anything; then nothing was
// emitted.
func (r *Responder) Answer(ctx context.Context, w rota.ResponseWork, emit func(events.Event)) (object json.RawMessage, refused error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	here := &running{kept: w.Kept, cancel: cancel, ended: make(chan struct{})}
	r.note(w.ID, here)
	defer r.forget(w.ID, here)
	memory := r.Memory.Open()
	defer memory.Release()
	j := newJob(r, ctx, w, emit, memory)
	return j.run()
}

// Room is how memory is taken for what is read before a response is worked on, and how
// all of it is given back. take blocks until there is as much, or ctx ends.
func (r *Responder) Room() (take func(ctx context.Context, bytes int64) error, release func()) {
	room := r.Memory.Open()
	return room.Take, room.Release
}

func (r *Responder) note(id rota.ResponseID, here *running) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		r.open = make(map[rota.ResponseID]*running)
	}
	r.open[id] = here
}

func (r *Responder) forget(id rota.ResponseID, here *running) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open[id] == here { // one that has slept may be worked on here again
		delete(r.open, id)
	}
	close(here.ended)
}

func (r *Responder) running(id rota.ResponseID) *running {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open[id]
}

// Cancel ends the work on a response here, and reports whether there was any. It blocks
// until the end is on record, or ctx ends.
func (r *Responder) Cancel(ctx context.Context, id rota.ResponseID) bool {
	here := r.running(id)
	if here == nil {
		return false
	}
	here.cancel(errCancelled)
	select {
	case <-here.ended:
	case <-ctx.Done():
	}
	return true
}

// A job is the work on one response.
type job struct {
	*Responder
	ctx    context.Context
	work   rota.ResponseWork
	memory *budget.Account
	state  answer.State
	past   *answer.Past
	fresh  []rota.ResponseStep // not on record yet
	writer *responses.Writer
	show   answer.Show
	calls  sync.Mutex // of what calls that are made side by side change
	emit   func(events.Event)
	seq    int64
	silent bool          // nobody is told: the request is refused
	last   *events.Event // ends the stream, and is held back until that is durable

	provider string
	notSent  []string
	usage    json.RawMessage
	refused  error // how the last model has refused; nil once one has answered
}

func newJob(r *Responder, ctx context.Context, w rota.ResponseWork, emit func(events.Event), memory *budget.Account) *job {
	j := &job{Responder: r, ctx: ctx, work: w, memory: memory, emit: emit, provider: w.Provider}
	j.state, j.past = answer.ForResponse(w, models(w)), answer.NewPast(w.Turns, answer.Items(w.Input), rawjson.List(rawjson.Get(w.Request, "tools")))
	j.writer = responses.NewWriter(rawjson.ReadObject(w.Object), func(prefix string) string { return rota.NewItemID(prefix, r.Now()) }, j.take)
	for _, t := range append(w.Turns, rota.Turn{Input: w.Input}) {
		for _, i := range slices.Concat(t.Input, t.Output) {
			j.writer.Reserve(i.ID)
		}
	}
	j.show = answer.Show{Writer: j.writer, Tools: j.state.Tools, ID: string(w.ID)}
	j.show.Again(j.state.Steps)
	j.usage = answer.Used(j.state.Steps)
	return j
}

// models returns those that are asked, in order.
func models(w rota.ResponseWork) []string {
	all := []string{w.Model}
	for _, m := range rawjson.List(rawjson.Get(w.Request, "fallback_models")) {
		all = append(all, rawjson.Text(m))
	}
	return all
}

// take passes an event on.
func (j *job) take(e responses.Event) {
	out := events.Event{Seq: j.seq, Data: e.Data}
	j.seq++
	switch {
	case j.silent:
	case responses.Terminal(e.Type):
		j.last = &out
	default:
		j.emit(out)
	}
}

func (j *job) run() (json.RawMessage, error) {
	if len(j.state.Servers) > 0 {
		defer j.Tools.Leave(j.caller())
	}
	for {
		next := j.next()
		switch {
		case context.Cause(j.ctx) == errLeft && !j.writer.Over():
			return nil, errLeft
		case next.Ask != nil:
			j.ask(*next.Ask)
		case len(next.List) > 0:
			if err := j.list(next.List); err != nil {
				return j.end(unlisted(err))
			}
		case len(next.Note) > 0:
			j.note(next.Note)
		case len(next.Call) > 0:
			if err := j.make(next.Call); err != nil {
				return j.end(answer.End{Status: rota.ResponseFailed, Code: rota.RunErrWorkerLost, Message: "calls were cut off"})
			}
		case next.Pause != nil:
			if j.ctx.Err() != nil {
				return j.end(answer.End{Status: rota.ResponseCancelled})
			}
			return nil, j.pause(*next.Pause)
		case next.End != nil:
			return j.end(*next.End)
		default:
			return j.work.Object, nil
		}
	}
}

// step puts a step on record, with the next transaction.
func (j *job) step(s rota.ResponseStep) {
	s.Number, s.At = len(j.state.Steps)+1, j.Now()
	j.state.Steps = append(j.state.Steps, s)
	j.fresh = append(j.fresh, s)
}

// ask asks a model. That it is asked is on record before.
func (j *job) ask(q answer.Question) {
	asked := q
	provider, model, err := j.Gateway.Resolve(q.Model)
	if err != nil {
		j.fail(&gateway.Error{Code: rota.RunErrMisconfigured, Message: "the model " + q.Model + " has no provider: " + err.Error(), Err: err})
		return
	}
	j.provider = provider
	if from := j.past.From(); from > 0 {
		q.Key += "-from-" + strconv.Itoa(from)
	}
	j.step(rota.ResponseStep{Kind: rota.StepAsked, Provider: provider, Model: model, Key: q.Key})
	if err := j.record(); err != nil {
		j.fail(&gateway.Error{Code: rota.RunErrConnection, Message: "the database does not answer", Err: err})
		return
	}
	n := responses.NewNormalizer(j.writer)
	n.Hold, n.Spent, j.state.Shown = j.state.Loops(), j.usage, j.work.Lost
	ending, resp, err := j.listen(n, provider, model, q)
	if j.shorten(err) {
		j.ask(asked)
		return
	}
	if err != nil {
		j.failed(n, ending, err)
		return
	}
	resp.NotSent = slices.Concat(resp.NotSent, j.past.NotSent())
	j.answered(n, ending, provider, model, resp)
}

// answered notes that a model has answered, and writes the end of its answer unless that
// asks for calls.
func (j *job) answered(n *responses.Normalizer, ending *gateway.Event, provider, model string, resp gateway.Response) {
	j.refused, j.notSent, j.usage = nil, resp.NotSent, responses.SumUsage(j.usage, resp.Usage)
	if j.asksForCalls(n, provider, model, resp) {
		return
	}
	n.Hold = false
	if ending != nil {
		n.Event(ending.Type, ending.Data, j.Now().Unix())
	}
	if !j.writer.Over() {
		j.writer.End(responses.End{Status: resp.Status, Usage: j.usage, At: j.Now().Unix()})
	}
	if dropped := n.Dropped(); len(dropped) > 0 {
		j.Log.Debug("parts of an answer were left out", "response_id", j.work.ID, "types", dropped)
	}
	j.step(rota.ResponseStep{
		Kind: rota.StepItems, ResponseID: resp.ID, Usage: rota.Any{RawMessage: resp.Usage}, NotSent: resp.NotSent,
		Items: len(rawjson.List(rawjson.Get(j.writer.Object(), "output"))),
	})
}

// shorten leaves out the oldest turns if the model has refused the request as too long and
// its caller wants that, and reports whether it has.
func (j *job) shorten(err error) bool {
	var f *gateway.Error
	if j.state.Shown || j.ctx.Err() != nil || !errors.As(err, &f) || !f.TooLong() || !answer.Truncates(j.work.Request) || !j.past.Halve() {
		return false
	}
	j.Log.Info("the model takes no more: it is asked without the oldest turns", "response_id", j.work.ID, "turns", j.past.Count(), "not_sent", j.past.From())
	return true
}

// listen asks a model, and passes on what it says. The event that ends its answer is
// held back: another model may be asked.
func (j *job) listen(n *responses.Normalizer, provider, model string, q answer.Question) (ending *gateway.Event, resp gateway.Response, err error) {
	before := j.memory.Held()
	resp, err = j.Gateway.Stream(j.ctx, gateway.Request{
		Provider: provider, Owner: j.work.Owner, Body: j.body(model, &q), IdempotencyKey: q.Key, NoStore: !j.work.Kept,
		Hold: func(ctx context.Context, bytes int) error { return j.memory.Hold(ctx, before+answerCost*int64(bytes)) },
	}, func(string) {}, func(e gateway.Event) {
		if terminal(e.Type) {
			ending = &e
			return
		}
		if e.Type != "error" {
			n.Event(e.Type, e.Data, j.Now().Unix())
		}
		j.state.Shown = j.state.Shown || strings.HasPrefix(e.Type, "response.output_item.") || e.Speaks()
	})
	return ending, resp, err
}

// body returns what a model is asked.
//
// Neither it nor next may be inlined: what they pass by value would be on the stack while the
// model is waited for, and make the stack of each response twice as large.
//
//go:noinline
func (j *job) body(model string, q *answer.Question) []byte {
	return answer.Body(j.work, j.past, model, *q, j.state)
}

//go:noinline
func (j *job) next() answer.Action {
	j.state.Now = j.Now()
	return answer.Next(j.state)
}

// terminal reports whether an event of a provider ends a response.
func terminal(kind string) bool {
	switch kind {
	case "response.completed", "response.failed", "response.incomplete", "response.cancelled", "response.canceled", "response.done":
		return true
	default:
		return false
	}
}

// failed notes that a model has not answered. What it had said stays said.
func (j *job) failed(n *responses.Normalizer, ending *gateway.Event, err error) {
	var f *gateway.Error
	if !errors.As(err, &f) {
		f = &gateway.Error{Code: rota.RunErrCancelled, Message: "the response was cancelled", Err: err}
	}
	if j.state.Shown && ending != nil {
		n.Event(ending.Type, ending.Data, j.Now().Unix())
	}
	j.notSent = f.NotSent
	if f.Usage != nil {
		j.usage = responses.SumUsage(j.usage, f.Usage)
	}
	j.fail(f)
}

func (j *job) fail(f *gateway.Error) {
	if !j.state.Shown {
		j.refused = f
	}
	j.Log.Info("a model has not answered", "response_id", j.work.ID, "provider", j.provider, "code", f.Code)
	j.Log.Debug("why a model has not answered", "response_id", j.work.ID, "err", f)
	j.step(rota.ResponseStep{
		Kind: rota.StepFailed, ResponseID: f.ResponseID, Usage: rota.Any{RawMessage: f.Usage}, NotSent: f.NotSent, Code: f.Code, Message: f.Message,
	})
	if j.ctx.Err() != nil {
		j.state.Models = j.state.Models[:1] // nobody waits for another
	}
}
