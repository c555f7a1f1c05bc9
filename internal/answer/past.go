package answer

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/responses"
)

// A Past is what came before a request, with the request's own items, and how much of it
// a model is told.
type Past struct {
	Turns   []rota.Turn       // all that came before, the oldest first
	Next    []responses.Item  // the items of the request
	context responses.Context // what is sent before rest
	rest    []responses.Item
	theirs  []string // see [responses.Context]
}

// NewPast returns a past of which all is sent. tools are those of the request.
func NewPast(turns []rota.Turn, next []responses.Item, tools []json.RawMessage) *Past {
	p := &Past{Turns: turns, Next: next, theirs: Theirs(tools)}
	p.context, p.rest = p.whole()
	return p
}

func (p *Past) whole() (responses.Context, []responses.Item) {
	c := Context(p.Turns)
	c.Theirs = p.theirs
	return c.Since(p.Next)
}

// Check returns [rota.Invalid] if a provider that is strict would refuse the items of the
// request.
func (p *Past) Check() error {
	var wrong *responses.ItemError
	if errors.As(Context(p.Turns).Check(p.Next), &wrong) {
		return rota.InvalidField("input."+rawString(wrong.Index), "%s", wrong.Why)
	}
	return nil
}

// Input returns the member input of what a model is asked.
func (p *Past) Input() json.RawMessage { return p.context.Input(p.rest) }

// Halve leaves out about the older half of what is sent, for a model that refuses it as
// too long. It reports false if nothing is left that can be left out: what was asked last
// is always sent, and so is what a system or developer message says.
func (p *Past) Halve() bool {
	if p == nil {
		return false
	}
	whole := p.context.From == 0
	if whole {
		p.context, p.rest = p.context.Split(p.rest)
	}
	shorter, ok := p.context.Halve(p.rest)
	if ok {
		p.context = shorter
	} else if whole {
		p.context, p.rest = p.whole()
	}
	return ok
}

// From returns how many turns are left out.
func (p *Past) From() int { return p.context.From }

// Count returns how many turns there are before what was asked last.
func (p *Past) Count() int { return len(p.context.Turns) }

// NotSent names what is left out.
func (p *Past) NotSent() []string {
	if p == nil || p.context.From == 0 {
		return nil
	}
	return []string{fmt.Sprintf("the oldest %d of %d earlier turns", p.From(), p.Count())}
}
