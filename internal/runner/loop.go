package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/answer"
	"github.com/rota-run/rota/internal/gateway"
	"github.com/rota-run/rota/internal/rawjson"
	"github.com/rota-run/rota/internal/responses"
)

// A loop is an attempt of a run whose agent has tools that Rota calls. What comes next
// is for package answer to say, by the steps on record.
type loop struct {
	*asker
	id     string // of the response
	writer *responses.Writer
	heard  *responses.Normalizer // of the last answer; nil if it asked for calls
	last   call                  // the last question

	mu    sync.Mutex // of what follows, while calls are made side by side
	state answer.State
	show  answer.Show
	fresh []rota.ResponseStep // not on record yet
}

func newLoop(a *asker, state answer.State) *loop {
	now := a.Now()
	l := &loop{asker: a, id: string(rota.ResponseOf(a.w.Run.ID)), state: state}
	l.writer = responses.NewWriter(responses.NewObject(l.id, now.Unix(), a.w.Model(), []byte(`{}`)),
		func(prefix string) string { return rota.NewItemID(prefix, a.Now()) },
		func(e responses.Event) { a.pub.append(gateway.Event{Type: e.Type, Data: e.Data}) })
	l.show = answer.Show{Writer: l.writer, Tools: state.Tools, ID: string(a.w.Run.ID)}
	return l
}

// errOver says that another attempt, or a cancellation, has taken the place of this one.
var errOver = errors.New("the attempt is over")

// run asks the model and makes its calls until there is an answer.
func (l *loop) run(ctx context.Context) call {
	if len(l.state.Servers) > 0 && l.Tools != nil {
		defer l.Tools.Leave(l.caller())
	}
	if err := l.restore(ctx); err != nil {
		return l.fail(err)
	}
	for {
		l.state.Now = l.Now()
		next := answer.Next(l.state)
		var err error
		switch {
		case next.Pause != nil:
			return l.pause(*next.Pause)
		case next.Ask != nil:
			err = l.question(ctx, *next.Ask)
		case len(next.List) > 0:
			err = l.list(ctx, next.List)
		case len(next.Call) > 0:
			err = l.make(ctx, next.Call)
		case len(next.Note) > 0:
			l.note(next.Note)
		default:
			return l.end(*next.End)
		}
		if err != nil {
			return l.fail(err)
		}
	}
}

// restore reads what is on record of earlier attempts.
func (l *loop) restore(ctx context.Context) error {
	if l.w.Steps == 0 {
		return nil
	}
	err := read(ctx, l.log, func() error {
		steps, err := l.Store.RunSteps(ctx, l.w.Run.ID)
		l.state.Steps = steps
		return err
	})
	if err != nil {
		return err
	}
	size := 0
	for _, raw := range l.state.Said() {
		size += len(raw)
	}
	if err := l.room.Hold(ctx, l.room.Held()+inputCost*int64(size)); err != nil {
		return err
	}
	l.used = true
	l.state.Learn()
	l.show.Again(l.state.Steps)
	return nil
}

// question asks the model. Its answer goes on record if it asks for calls.
func (l *loop) question(ctx context.Context, q answer.Question) error {
	if err := l.record(ctx); err != nil {
		return err
	}
	n := responses.NewNormalizer(l.writer)
	n.Hold, n.Spent, l.heard = true, l.total(), n
	key := idempotencyKey(l.w)
	if q.Turn > 0 {
		key = fmt.Sprintf("%s-turn-%d", key, q.Turn)
	}
	l.last = l.ask(ctx, key, func(body []byte) []byte { return q.GoOn(body, l.state) }, func(e gateway.Event) {
		l.pub.hear(e)
		if !terminal(e.Type) && e.Type != "error" {
			n.Event(e.Type, e.Data, l.Now().Unix())
		}
	})
	l.begun = "" // another question is another response
	if l.last.err != nil {
		return l.last.err
	}
	step := rota.ResponseStep{Kind: rota.StepItems, Provider: l.provider, Model: l.model, ResponseID: l.last.resp.ID, Usage: raw(l.last.resp.Usage)}
	if l.last.resp.Status == responses.Completed {
		step.Output = l.state.Tools.Answered(rawjson.List(rawjson.Get(l.last.resp.Body, "output")))
	}
	if step.Output != nil {
		if !l.writer.Begun() {
			l.writer.Begin()
		}
		n.Settle(l.last.resp.Body)
		l.show.Turn(step)
		l.heard, l.used = nil, true
	}
	l.step(step)
	return nil
}

// step adds steps, which go on record with the next transaction.
func (l *loop) step(steps ...rota.ResponseStep) {
	for _, s := range steps {
		s.Number, s.At, s.Attempt = len(l.state.Steps)+1, l.Now(), l.w.Run.Attempt
		l.state.Steps = append(l.state.Steps, s)
		l.fresh = append(l.fresh, s)
	}
}

// note adds results of calls, and approved calls.
func (l *loop) note(results []rota.ResponseStep) {
	l.step(results...)
	l.show.Note(results...)
}

// record puts the fresh steps on record.
func (l *loop) record(ctx context.Context) error {
	if len(l.fresh) == 0 {
		return nil
	}
	l.notes.writing.Wait() // or the id of a response that is on record were noted as one to go on with
	steps, mine := l.fresh, false
	l.fresh = nil
	err := l.write(ctx, l.log, keepAnswer, func(ctx context.Context, tx Tx) error {
		var err error
		mine, err = tx.AddRunSteps(ctx, l.w.At(), steps...)
		return err
	})
	if err == nil && !mine {
		return errOver
	}
	return err
}

// errNoTools says that the process makes no calls.
var errNoTools = &gateway.Error{Code: rota.RunErrMisconfigured, Message: "this server calls no tools"}

// list has the tools of MCP servers listed, which goes on record before the next question.
func (l *loop) list(ctx context.Context, servers []answer.Server) error {
	if l.Tools == nil {
		return errNoTools
	}
	steps, err := l.show.List(servers, func(s answer.Server) (rota.ResponseStep, error) { return l.Tools.List(ctx, l.caller(), s) })
	var failed *answer.ServerError
	if errors.As(err, &failed) {
		return &gateway.Error{Code: rota.RunErrMCPServer, Message: failed.Error(), Retryable: !failed.Lasting, Err: err}
	}
	if err != nil {
		return err
	}
	l.step(steps...)
	l.state.Learn()
	return nil
}

// make makes calls side by side. That they are made is on record before, and each result
// when it is there.
func (l *loop) make(ctx context.Context, calls []answer.Call) error {
	l.step(answer.Called(calls)...)
	if err := l.record(ctx); err != nil {
		return err
	}
	var group errgroup.Group
	for _, c := range calls {
		group.Go(func() error {
			if l.Tools == nil {
				return errNoTools
			}
			r, err := l.Tools.Call(ctx, l.caller(), c)
			if err != nil {
				return err
			}
			l.log.Info("tool called", "tool", c.Name, "call_id", c.ID(string(l.w.Run.ID)), "again", c.Again, "result", cmp.Or(r.Code, "ok"))
			l.mu.Lock()
			defer l.mu.Unlock()
			l.note([]rota.ResponseStep{c.Step(r)})
			return l.record(ctx)
		})
	}
	return group.Wait()
}

// pause ends the attempt with a call of sleep, which goes on record when that does.
func (l *loop) pause(p answer.Pause) call {
	if p.Since.IsZero() {
		called := p.Called()
		l.step(called)
		l.show.Sleeping(called)
	}
	l.notes.writing.Wait()
	c := l.last
	c.memory, c.provider, c.usage, c.pause, c.steps = l.memory, l.provider, l.ofAttempt(), &p, l.fresh
	return c
}

func (l *loop) caller() answer.Caller {
	return answer.Caller{
		Owner: l.w.Owner, Tools: l.w.AgentOwner, ID: string(l.w.Run.ID), Run: l.w.Run.ID, Agent: l.w.Run.AgentID, Schedule: l.w.Run.ScheduleID, ScheduledFor: l.w.Run.ScheduledFor,
	}
}

// end ends the response.
func (l *loop) end(how answer.End) call {
	now := l.Now().Unix()
	if l.heard != nil && how.Status == "" {
		l.heard.Hold = false
		kind := "response." + l.last.resp.Status
		l.heard.Event(kind, rawjson.Object{{Name: "type", Value: rawjson.String(kind)}, {Name: "response", Value: l.last.resp.Body}}.Encode(), now)
	} else {
		l.writer.End(responses.End{
			Status: cmp.Or(string(how.Status), responses.Completed), Reason: how.Code, Code: how.Code, Text: how.Message, Usage: l.total(), At: now,
		})
	}
	c := l.last
	c.memory, c.provider, c.usage = l.memory, l.provider, l.ofAttempt()
	object := l.writer.Object()
	if how.Status == rota.ResponseFailed {
		c.err = &gateway.Error{Code: how.Code, Message: how.Message, Response: object, ResponseID: l.id, Usage: l.total(), Answered: true}
		return c
	}
	run := l.w.Run
	c.asks = l.state.Requests(rawjson.List(rawjson.Get(object, "output")), rota.Approval{Owner: l.w.Owner, AgentID: &run.AgentID, ScheduleID: run.ScheduleID, RunID: &run.ID}, l.Now())
	if l.w.AgentOwner != l.w.Owner {
		asksAsGuest(c.asks)
	}
	c.resp = gateway.Response{
		ID: l.id, Status: rawjson.Text(rawjson.Get(object, "status")), Body: object, Usage: l.total(), Output: l.last.resp.Output, ToolActivity: true,
		NotSent: l.last.resp.NotSent,
	}
	return c
}

// fail returns the call of an attempt that has not come to an end. What there is of its
// response is kept.
func (l *loop) fail(err error) call {
	c := l.last
	c.memory, c.provider, c.err = l.memory, l.provider, err
	var f *gateway.Error
	switch {
	case errors.As(err, &f):
	case errors.Is(err, context.DeadlineExceeded):
		f = &gateway.Error{Code: rota.RunErrTimeout, Message: "timeout_seconds passed while tools were called", Err: err}
	default:
		return c
	}
	if !l.used {
		c.usage, c.err = nil, f
		return c
	}
	told := *f
	c.usage = responses.SumUsage(l.ofAttempt(), f.Usage)
	if !l.writer.Over() {
		l.writer.End(responses.End{Status: responses.Failed, Code: f.Code, Text: f.Message, Usage: responses.SumUsage(l.total(), f.Usage), At: l.Now().Unix()})
	}
	told.Response, told.ResponseID = l.writer.Object(), l.id
	c.err = &told
	return c
}

// total returns what all answers have used.
func (l *loop) total() []byte {
	return answer.Used(l.state.Steps)
}

// ofAttempt returns what the answers have used that are in no attempt that has ended:
// those of this one, and of attempts that crashes have cut off.
func (l *loop) ofAttempt() []byte {
	return answer.Used(slices.DeleteFunc(slices.Clone(l.state.Steps), func(s rota.ResponseStep) bool {
		return slices.ContainsFunc(l.w.Run.Attempts, func(a rota.RunAttempt) bool { return a.Number == s.Attempt && a.EndedAt != nil })
	}))
}
