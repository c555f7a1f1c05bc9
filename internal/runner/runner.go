// Package runner makes one attempt of a run: it builds the request from the
// version of the agent that the run was made with, has the gateway ask the model, publishes what the model
// says, and writes down how it went. A failure that a repetition may mend
// sends the run back to the queue, in the database.
package runner

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/answer"
	"github.com/rota-run/rota/internal/budget"
	"github.com/rota-run/rota/internal/events"
	"github.com/rota-run/rota/internal/gateway"
	"github.com/rota-run/rota/internal/policy"
)

// A Runner makes attempts. Store, Gateway, Hub, Now, Log and Changed are required.
type Runner struct {
	Store   Store
	Gateway Gateway
	Hub     *events.Hub
	Now     func() time.Time
	Log     *slog.Logger
	Changed func() // the engine may have something to do

	// Memory is what attempts take before they build a request and read an answer. Nil
	// is no bound.
	Memory *budget.Budget

	// Tools makes the calls of tools that have a webhook. Nil makes none: runs that need
	// one fail.
	Tools Toolbox

	// LogContents says that log lines have what callers and providers have written:
	// the name of the schedule, and messages, which may quote the input.
	LogContents bool

	// OnPause is told of every schedule that the end of a run has paused; may be nil.
	OnPause func(rota.Paused)

	// OnDone is told of every run that ended, when that is durable, with the
	// text of its answer.
	OnDone func(w rota.Work, r rota.Result, output string)
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

	// Stored returns tools with what the vault has of the MCP servers that they name by
	// id. The error is Invalid if one is not there.
	Stored(ctx context.Context, o rota.Owner, tools []json.RawMessage) ([]json.RawMessage, error)

	// Leave says that a run makes no more calls. It does not block.
	Leave(from answer.Caller)
}

// Attempt makes one attempt of a claimed run and writes down how it went. It
// blocks until then. If ctx ends, the run stays as it is, to be resumed.
func (r *Runner) Attempt(ctx context.Context, w rota.Work) {
	log := r.logOf(w)
	var n notes
	defer n.writing.Wait()
	eventLog := r.Hub.Open(w.Run.ID)
	defer r.Hub.Rest(w.Run.ID, eventLog)
	room := r.Memory.Open()
	defer room.Release()
	w, err := r.whole(ctx, log, w, room)
	call := call{err: err}
	if err == nil {
		call.memory, call.err = r.remember(ctx, log, w, room)
	}
	if call.err == nil {
		call = r.answer(ctx, w, call.memory, log, eventLog, &n, room)
	}
	if call.err != nil && ctx.Err() != nil {
		log.Info("run interrupted")
		r.leave(w)
		return
	}
	n.ended.Store(true)
	if call.pause != nil {
		r.sleep(ctx, log, w, call)
		return
	}
	a, again := r.outcome(w, call)
	if again {
		r.delay(ctx, log, w, a, call.err)
		return
	}
	r.finish(ctx, log, w, r.end(w, call, a), call.resp.Output)
}

// logOf returns a log whose lines say which attempt they are about.
func (r *Runner) logOf(w rota.Work) *slog.Logger {
	log := r.Log.With("run_id", w.Run.ID, "agent_id", w.Run.AgentID, "account", w.Owner.Account, "end_user", w.Owner.EndUser, "attempt", w.Run.Attempt)
	if w.Run.ScheduleID == nil {
		return log
	}
	log = log.With("schedule_id", *w.Run.ScheduleID, "scheduled_for", w.Run.ScheduledFor)
	if r.LogContents {
		log = log.With("schedule_name", w.Fire.ScheduleName)
	}
	return log
}

// What attempts take of memory, as a multiple of what they hold, as measured: copies,
// and what the collector has not freed yet. See TestAnAnswerTakesNoMoreThanItIsCountedAs.
const (
	inputCost  = 8
	answerCost = 6
)

// A call is what came of asking a model.
type call struct {
	request *rota.RunRequest // nil if nothing was sent
	resp    gateway.Response
	output  bool // the model had begun to answer
	err     error

	usage []byte // of all questions of the attempt; nil if there was one

	asks []rota.Approval // calls that need one

	memory   *memory // nil of a run that has none
	provider string
	body     []byte // of the request

	pause *answer.Pause       // for which the run sleeps; nil if it does not
	steps []rota.ResponseStep // that are to go on record with it
}

// whole takes memory for the work, and then reads what of it was left out while it
// waited.
func (r *Runner) whole(ctx context.Context, log *slog.Logger, w rota.Work, room *budget.Account) (rota.Work, error) {
	size := max(w.Deferred, len(w.Run.Input.RawMessage))
	if err := room.Hold(ctx, inputCost*int64(size)); err != nil || w.Deferred == 0 {
		return w, err
	}
	err := read(ctx, log, func() error {
		rest, err := r.Store.WorkRest(ctx, w.Run.ID)
		if err == nil {
			w = w.Whole(rest)
		}
		return err
	})
	return w, err
}

// read reads something that an attempt needs, and tries again while the store cannot
// give it.
func read(ctx context.Context, log *slog.Logger, fn func() error) error {
	for {
		err := fn()
		if !errors.Is(err, rota.Unavailable) {
			return err
		}
		log.Error("what the run is to ask cannot be read; it is tried again", "err", err)
		select {
		case <-time.After(storeRetry):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// answer has the model answer into the run's log of events, with the calls of tools that
// this takes.
func (r *Runner) answer(ctx context.Context, w rota.Work, m *memory, log *slog.Logger, eventLog *events.Log, n *notes, room *budget.Account) call {
	provider, model, err := r.Gateway.Resolve(w.Model())
	if err != nil {
		return call{memory: m, provider: provider, err: &gateway.Error{Code: rota.RunErrMisconfigured, Message: "the model has no provider: " + err.Error(), Err: err}}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, time.Duration(w.Policy.TimeoutSeconds)*time.Second, context.DeadlineExceeded)
	defer cancel()
	a := &asker{
		Runner: r, w: w, memory: m, log: log, notes: n, room: room, provider: provider, model: model, begun: w.ResponseID,
		pub: publisher{log: eventLog, seq: events.FirstSeq(w.Run.Attempt), end: events.FirstSeq(w.Run.Attempt + 1), noDeltas: w.Run.NoDeltas},
	}
	state, err := a.loopState(ctx)
	if err != nil {
		return call{memory: m, provider: provider, err: err}
	}
	if !state.Loops() && w.Steps == 0 {
		return a.ask(ctx, idempotencyKey(w), func(b []byte) []byte { return b }, a.pub.publish)
	}
	return newLoop(a, state).run(ctx)
}

// loopState reads the tools of the agent, and returns the state of a loop that begins.
func (a *asker) loopState(ctx context.Context) (answer.State, error) {
	s := answer.State{ID: rota.ResponseID(a.w.Run.ID), Models: []string{a.w.Model()}, MaxCalls: answer.DefaultToolCalls, Sequential: !a.w.Agent.ParallelToolCalls}
	if most := a.w.Agent.MaxToolCalls; most != nil {
		s.MaxCalls = *most
	}
	var err error
	if a.tools, err = a.toolsOf(ctx, a.w); err != nil {
		return s, err
	}
	if err := s.Loop(a.tools, a.w.Agent.ToolChoice.RawMessage); err != nil {
		return s, misconfigured(publicOf(err))
	}
	return s, a.approvals(&s)
}

// approvals reads which calls the input of a run approves.
func (a *asker) approvals(s *answer.State) error {
	theirs := answer.Theirs(a.tools)
	var before []rota.Turn
	if a.memory != nil {
		a.memory.tools, before = a.tools, a.memory.before
	}
	if len(s.Servers) == 0 || !decides(a.w.Run.Input) {
		return nil
	}
	input, err := answer.ReadInput(a.w.Run.Input.RawMessage)
	if err != nil {
		return rejected(publicOf(err))
	}
	s.Approved = answer.Approvals(before, input, theirs)
	return nil
}

// decides reports whether an input may have decisions on calls.
func decides(in rota.Input) bool { return bytes.Contains(in.RawMessage, []byte("mcp_approval_")) }

// publicOf returns what a caller may be told of an error.
func publicOf(err error) string {
	var e *rota.Error
	if errors.As(err, &e) {
		return e.Field + ": " + e.Msg
	}
	return err.Error()
}

// An asker asks the model of an attempt.
type asker struct {
	*Runner
	w        rota.Work
	memory   *memory
	log      *slog.Logger
	notes    *notes
	room     *budget.Account
	provider string
	model    string            // as the provider names it
	begun    string            // a response that the provider has begun; empty for none
	used     bool              // tools have been called
	tools    []json.RawMessage // of the request, with the definitions of function tools
	pub      publisher
}

// ask asks the model once, or without the oldest turns if it takes no more. change makes
// the request what it is further on in a loop, and hear gets the events.
func (a *asker) ask(ctx context.Context, key string, change func(body []byte) []byte, hear func(gateway.Event)) call {
	c := call{memory: a.memory, provider: a.provider}
	before, first := a.room.Held(), key
	a.pub.spoke, a.pub.output = false, false
	guest := a.w.AgentOwner != a.w.Owner
	if guest {
		hear = heardAsGuest(hear)
	}
	for {
		body, sent, err := request(a.w, a.model, a.tools, a.memory)
		if err != nil {
			c.err = err
			return c
		}
		body = change(body)
		c.request, c.body = &sent, body
		c.resp, c.err = a.Gateway.Stream(ctx, gateway.Request{
			Provider:       a.provider,
			Owner:          a.w.Owner,
			Body:           body,
			IdempotencyKey: key,
			ResumeID:       a.begun,
			Hold:           func(ctx context.Context, bytes int) error { return a.room.Hold(ctx, before+answerCost*int64(bytes)) },
		}, func(id string) {
			a.notes.writing.Go(func() { a.note(a.log, a.notes, a.w.At(), id) })
		}, hear)
		if guest {
			c.asGuest()
		}
		if a.pub.output || !a.memory.shorten(c.err) {
			break
		}
		key = fmt.Sprintf("%s-from-%d", first, a.memory.past.From())
		a.log.Info("the model takes no more: it is asked without the oldest turns", "turns", a.memory.past.Count(), "not_sent", a.memory.past.From())
	}
	c.output = a.pub.output
	if names := slices.Concat(notSent(c), a.memory.notSent()); len(names) > 0 {
		c.request.NotSent = names
	}
	if !a.pub.spoke && !a.used {
		c.err = cmp.Or(c.err, c.empty())
	}
	return c
}

// used returns what the attempt has used, of which said was the last question's.
func (c call) used(said []byte) []byte {
	if c.usage != nil {
		return c.usage
	}
	return said
}

// empty returns a failure if an answer without words has nothing else either.
func (c call) empty() error {
	if c.err != nil || c.resp.Status != "completed" || c.resp.Output != "" || c.resp.ToolActivity {
		return nil
	}
	return &gateway.Error{
		Code: rota.RunErrEmptyOutput, Message: "the answer is empty and no tool was used",
		Response: c.resp.Body, Usage: c.resp.Usage, ResponseID: c.resp.ID,
	}
}

// stored returns what is stored of the request; nil if nothing was sent.
func (c call) stored(w rota.Work) *rota.RunRequest {
	if c.request == nil {
		return nil
	}
	return new(c.request.Stored(w.Agent, w.Run.Input))
}

func notSent(c call) []string {
	var f *gateway.Error
	if errors.As(c.err, &f) {
		return f.NotSent
	}
	return c.resp.NotSent
}

// notes are what is stored of an attempt while it lasts.
type notes struct {
	ended   atomic.Bool // the attempt is over: its end says all
	writing sync.WaitGroup
}

// note stores the response's id, beside the stream and not in its way.
func (r *Runner) note(log *slog.Logger, n *notes, a rota.Attempt, response string) {
	err := r.Store.Update(context.Background(), func(ctx context.Context, tx Tx) error {
		if n.ended.Load() {
			return nil
		}
		return tx.SetResponse(ctx, a, response)
	})
	if err != nil {
		log.Error("the response id could not be stored", "err", err)
	}
}

// outcome returns the attempt with its end, and whether another one follows.
func (r *Runner) outcome(w rota.Work, c call) (rota.RunAttempt, bool) {
	round, _ := rota.NextAttempt(w.Run.Attempts)
	a := rota.RunAttempt{
		Number: w.Run.Attempt, Round: round, Model: w.Model(), StartedAt: rota.InstantOf(w.StartedAt),
		EndedAt: rota.InstantOrNil(r.Now()), Usage: raw(c.used(c.resp.Usage)),
	}
	if c.err == nil {
		return a, false
	}
	f := failure(c.err)
	a.Usage = raw(c.used(f.Usage))
	a.Code, a.Message, a.Retryable = &f.Code, &f.Message, f.Retryable
	if f.RetryAfter > 0 {
		a.RetryAfterMS = new(f.RetryAfter.Milliseconds())
	}
	return policy.Failed(w, a, c.output)
}

// failure returns why a call failed.
func failure(err error) *gateway.Error {
	var f *gateway.Error
	if errors.As(err, &f) {
		return f
	}
	return &gateway.Error{Code: rota.RunErrBadResponse, Message: "the request could not be made", Err: err}
}

// end returns the end of the run after its last attempt.
func (r *Runner) end(w rota.Work, c call, a rota.RunAttempt) rota.Result {
	end := rota.Result{
		Phase: rota.Phase(c.resp.Status), ResponseID: c.resp.ID, Response: raw(c.resp.Body), Usage: raw(c.resp.Usage),
		Tokens: rota.TokensOf(append(slices.Clone(w.Run.Attempts), a)...), CompletedAt: a.EndedAt.Time, Last: &a, Request: c.stored(w),
	}
	if c.err == nil && c.memory != nil {
		c.keep(w, &end)
	}
	end.Approvals = c.approvals(end)
	if c.err != nil {
		f := failure(c.err)
		end.Phase, end.ResponseID, end.Response, end.Usage = rota.PhaseFailed, f.ResponseID, raw(f.Response), raw(f.Usage)
		end.Error = &rota.RunError{Code: f.Code, Message: f.Message}
		end.Attempt = w.Run.Attempt // an answer counts, whoever got it
	}
	return end
}

// approvals returns the calls that need an approval.
func (c call) approvals(end rota.Result) []rota.Approval {
	if end.Turn != nil {
		for i := range c.asks {
			c.asks[i].ResponseID = &end.Turn.Response.ID
		}
	}
	return c.asks
}

func raw(b []byte) rota.Any { return rota.Any{RawMessage: b} }

// leave lets go of a run that was interrupted. If it was cancelled, the log that
// this attempt may have opened after that ends too.
func (r *Runner) leave(w rota.Work) {
	run, err := r.Store.RunByID(context.Background(), w.Owner, w.Run.ID)
	if err == nil && run.CompletedAt != nil {
		r.Hub.End(w.Run.ID)
	}
}

func (r *Runner) delay(ctx context.Context, log *slog.Logger, w rota.Work, a rota.RunAttempt, why error) {
	wait := time.Duration(0)
	if a.WaitMS != nil {
		wait = time.Duration(*a.WaitMS) * time.Millisecond
	}
	d := rota.Delay{
		Owner: w.Owner, Attempt: w.At(), Attempts: append(w.Run.Attempts, a), Until: a.EndedAt.Add(wait),
		Answered: failure(why).Answered, Response: raw(failure(why).Response),
	}
	w.Run.Attempts = d.Attempts
	d.Provider, _, _ = r.Gateway.Resolve(w.Model())
	err := r.write(ctx, log, 0, func(ctx context.Context, tx Tx) error {
		return tx.DelayRun(ctx, d)
	})
	if err != nil {
		log.Error("the next attempt could not be stored; the run will be resumed", "err", err)
		return
	}
	r.Changed()
	log.Warn("attempt failed", append([]any{"code", *a.Code, "again_in", wait.Round(time.Millisecond), "next_model", w.Model()}, r.message(*a.Message)...)...)
	log.Debug("why the attempt failed", "err", why)
}

// sleep lets the run sleep, and another attempt go on with it.
func (r *Runner) sleep(ctx context.Context, log *slog.Logger, w rota.Work, c call) {
	a, _ := r.outcome(w, c)
	wait := max(0, c.pause.Until.Sub(a.EndedAt.Time)).Milliseconds()
	a.Slept, a.WaitMS = true, &wait
	s := rota.RunSleep{Sleep: c.pause.Sleep(a.EndedAt.Time), Attempt: w.At(), Attempts: append(w.Run.Attempts, a), Steps: c.steps}
	mine := false
	err := r.write(ctx, log, keepAnswer, func(ctx context.Context, tx Tx) error {
		var err error
		mine, err = tx.SleepRun(ctx, s)
		return err
	})
	if err != nil {
		log.Error("that the run sleeps could not be stored; it will be resumed", "err", err)
		return
	}
	r.Changed()
	if mine {
		log.Info("run sleeps", "until", s.Until)
	}
}

func (r *Runner) finish(ctx context.Context, log *slog.Logger, w rota.Work, end rota.Result, output string) {
	var done rota.Finish
	stay := time.Duration(0)
	if end.Error == nil {
		stay = keepAnswer
	}
	err := r.write(ctx, log, stay, func(ctx context.Context, tx Tx) error {
		var err error
		done, err = tx.FinishRun(ctx, w.Run.ID, end, policy.Settle)
		return err
	})
	if err != nil {
		log.Error("the end of the run could not be stored; it will be resumed", "err", err)
		return
	}
	r.Hub.End(w.Run.ID)
	if done.Due {
		r.Changed()
	}
	if !done.Ended {
		return // somebody cancelled it meanwhile
	}
	r.logEnd(log, end)
	if done.Paused != nil && r.OnPause != nil {
		r.OnPause(*done.Paused)
	}
	if r.OnDone != nil {
		r.OnDone(w, end, output)
	}
}

const (
	storeRetry = time.Second // before a write is tried again that the store could not take

	// keepAnswer is how long an answer is kept for a store that cannot take it, when
	// the attempt is to end: because the process is to stop, or because Temporal has
	// not heard of it for too long, most likely in the same outage.
	keepAnswer = 30 * time.Second
)

// write stores what the model has done, and tries again while the store cannot
// take it, until some time after ctx has ended: asking the model anew would cost
// more.
func (r *Runner) write(ctx context.Context, log *slog.Logger, stay time.Duration, fn func(context.Context, Tx) error) error {
	trying, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stay, stop) })()
	for {
		err := r.Store.Update(context.WithoutCancel(ctx), fn)
		if !errors.Is(err, rota.Unavailable) {
			return err
		}
		log.Error("what came of the run cannot be stored; it is tried again", "err", err)
		select {
		case <-time.After(storeRetry):
		case <-trying.Done():
			return err
		}
	}
}

func (r *Runner) logEnd(log *slog.Logger, end rota.Result) {
	if end.Error != nil {
		log.Warn("run ended", append([]any{"phase", end.Phase, "code", end.Error.Code}, r.message(end.Error.Message)...)...)
		return
	}
	log.Info("run ended", "phase", end.Phase)
}

// message returns an attribute with what an error says, if that is for the log: the
// provider's words may quote the input.
func (r *Runner) message(text string) []any {
	if !r.LogContents {
		return nil
	}
	return []any{"message", text}
}
