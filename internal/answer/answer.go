// Package answer decides how a response comes about: what its request means, what is
// asked of which model, and what follows from what is on record. It is pure.
//
//	asked ──► items ──► end
//	  ▲ └───► failed ─┐
//	  └── another model
//
// Every arrow is a step on record: see [Next]. A process that finds a response of another
// one, which is gone, goes on from there.
package answer

import (
	"cmp"
	"strconv"

	"github.com/rota-run/rota"
)

// A Question is what is asked of a model.
type Question struct {
	Model string // as the request has named it
	Key   string // the Idempotency-Key
}

// An Action is what comes next. One of both is there; neither if the response has ended.
type Action struct {
	Ask *Question
	End *End
}

// An End is how a response is to end.
type End struct {
	Status  rota.ResponseStatus // empty: as the last answer has it
	Code    string              // of a failure, in the words of a run's
	Message string
}

// A State is what is known of a response.
type State struct {
	ID     rota.ResponseID
	Models []string // in the order in which they are asked, the request's first
	Steps  []rota.ResponseStep

	// Shown says that something of the answer that is under way may have been read, or
	// that nobody waits for it any more. Then it is not asked for again: there would be
	// two texts under one number.
	Shown bool
}

// Next returns what comes next.
func Next(s State) Action {
	last := rota.ResponseStep{Kind: rota.StepAsked}
	if len(s.Steps) > 0 {
		last = s.Steps[len(s.Steps)-1]
	}
	switch last.Kind {
	case rota.StepAsked:
		if s.Shown {
			return Action{End: &End{rota.ResponseFailed, rota.RunErrWorkerLost, "the server stopped before the answer was whole"}}
		}
		return s.ask(max(0, s.asked()-1))
	case rota.StepItems:
		return Action{End: &End{}}
	case rota.StepFailed:
		if !s.Shown && s.asked() < len(s.Models) {
			return s.ask(s.asked())
		}
		return Action{End: &End{rota.ResponseFailed, cmp.Or(last.Code, rota.RunErrProvider), last.Message}}
	default:
		return Action{}
	}
}

// asked counts the models that have been asked. One that is asked again, because its
// answer was lost, is one.
func (s State) asked() int {
	keys := map[string]bool{}
	for _, step := range s.Steps {
		if step.Kind == rota.StepAsked {
			keys[step.Key] = true
		}
	}
	return len(keys)
}

func (s State) ask(n int) Action {
	return Action{Ask: &Question{Model: s.Models[n], Key: string(s.ID) + "-" + strconv.Itoa(n)}}
}
