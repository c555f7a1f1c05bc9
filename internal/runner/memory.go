package runner

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/answer"
	"github.com/rota-run/rota/internal/budget"
	"github.com/rota-run/rota/internal/gateway"
)

// A memory is what a run goes on from: what a conversation has, or a chain of responses.
// A nil one is that of a run that begins afresh.
type memory struct {
	before []rota.Turn
	tools  []json.RawMessage
	past   *answer.Past // nil until the request is made
}

// remember takes room for what the run goes on from, and reads it.
func (r *Runner) remember(ctx context.Context, log *slog.Logger, w rota.Work, room *budget.Account) (*memory, error) {
	if !w.Run.Remembers() {
		return nil, nil
	}
	conversation, previous := w.Run.Conversation.ID(), rota.ResponseID("")
	if w.Run.PreviousResponseID != nil {
		previous = rota.ResponseID(*w.Run.PreviousResponseID)
	}
	if !w.Run.Conversation.IsZero() && previous != "" {
		return nil, rejected("previous_response_id cannot be used together with conversation")
	}
	m := &memory{}
	err := read(ctx, log, func() error {
		size, err := r.Store.TurnBytes(ctx, w.Owner, conversation, previous)
		if err == nil {
			err = room.Hold(ctx, room.Held()+inputCost*int64(size))
		}
		if err == nil {
			m.before, err = r.Store.TurnsBefore(ctx, w.Owner, conversation, previous)
		}
		return err
	})
	if text, ok := refusal(err); ok {
		return nil, rejected(text)
	}
	return m, err
}

// refusal returns what is wrong with what a run goes on from, or false if err says
// something else.
func refusal(err error) (string, bool) {
	var e *rota.Error
	switch {
	case !errors.As(err, &e):
		return "", false
	case e.Code == rota.NotFound:
		return "there is no such conversation: it may have been deleted", true
	case e.Code == rota.PreviousNotFound, e.Code == rota.Invalid:
		return e.Field + ": " + e.Msg, true
	}
	return "", false
}

func rejected(text string) error { return &gateway.Error{Code: rota.RunErrRejected, Message: text} }

// with returns the member input of a request: what came before, and the run's input.
func (m *memory) with(input json.RawMessage) (json.RawMessage, error) {
	if m == nil {
		return input, nil
	}
	if m.past == nil {
		items, err := answer.ReadInput(input)
		if err == nil {
			m.past = answer.NewPast(m.before, answer.Apart(m.before, items), m.tools)
			err = m.past.Check()
		}
		if text, ok := refusal(err); ok {
			return nil, rejected(text)
		}
		if err != nil {
			return nil, err
		}
	}
	return m.past.Input(), nil
}

// shorten drops the oldest turns if the model has refused the request as too long, and
// reports whether it has.
func (m *memory) shorten(err error) bool {
	var f *gateway.Error
	return m != nil && errors.As(err, &f) && f.TooLong() && m.past.Halve()
}

// notSent names the turns that are not sent.
func (m *memory) notSent() []string {
	if m == nil {
		return nil
	}
	return m.past.NotSent()
}

// keep makes the answer one that others can go on from.
func (c call) keep(w rota.Work, end *rota.Result) {
	if w.AgentOwner != w.Owner {
		c.body = withoutTools(c.body)
	}
	t := answer.RunAnswer{
		Work: w, Provider: c.provider, Before: c.memory.before, Input: c.memory.past.Next, Asked: c.body,
		Status: rota.ResponseStatus(end.Phase), Response: c.resp.Body, Usage: end.Usage, NotSent: c.resp.NotSent,
		StartedAt: w.StartedAt, EndedAt: end.CompletedAt,
	}.Turn()
	end.Turn, end.ResponseID = &t, string(t.Response.ID)
	end.Response = raw(answer.Whole(t.Response.Object, t.Output))
}
