// Package answer decides how a response comes about: what its request means, what is
// asked of which model, and what follows from what is on record. It is pure.
//
//	asked ──► items ──► end
//	  ▲ └───► failed ─┐ └──► called ──► result ─┐
//	  ├── another model                         │
//	  └──────────────── the model is told ◄─────┘
//
// Every arrow is a step on record: see [Next]. A process that finds a response of another
// one, which is gone, goes on from there.
package answer

import (
	"cmp"
	"encoding/json"
	"strconv"
	"time"

	"github.com/rota-run/rota"
)

// A Question is what is asked of a model.
type Question struct {
	Model   string // as the request has named it
	Key     string // the Idempotency-Key
	Turn    int    // how many answers there have been, whose calls were made
	NoTools bool   // no more calls are made
}

// An Action is what comes next. One of its members is there; none if the response has ended.
type Action struct {
	Ask  *Question
	List []Server            // the tools of these are to be listed, side by side
	Call []Call              // these are to be made, side by side
	Note []rota.ResponseStep // these are to be put on record: results of calls that are not made, or approved calls

	// Pause is a call of sleep. What has come of the response so far is to be put on record
	// with it, and the work on it ends. It goes on when the time has come, or when somebody
	// has put the result of the call on record.
	Pause *Pause
	End   *End
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

	Tools      Tools           // that Rota calls
	Servers    []Server        // of which more tools are, once they are listed: see Learn
	Functions  []string        // the names of the functions of the request
	Choice     json.RawMessage // its tool_choice
	Approved   []Approval      // calls that the input approves, which come first
	MaxCalls   int             // in all
	Sequential bool            // one call after the other
	Now        time.Time
	Lost       bool // nobody waits for it any more: no call is made, and none of its models asked

	functions map[string][]json.RawMessage // as the model is told the tools of servers, by their labels
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
		return s.ask(s.failed())
	case rota.StepListed:
		return s.ask(s.failed())
	case rota.StepItems, rota.StepApproved, rota.StepCalled, rota.StepResult:
		return s.goOn()
	case rota.StepFailed:
		if !s.Shown && s.failed() < len(s.Models) {
			return s.ask(s.failed())
		}
		return Action{End: &End{rota.ResponseFailed, cmp.Or(last.Code, rota.RunErrProvider), last.Message}}
	default:
		return Action{}
	}
}

// failed counts the models that have not answered. One that has is asked further on.
func (s State) failed() int {
	n := 0
	for _, step := range s.Steps {
		if step.Kind == rota.StepFailed {
			n++
		}
	}
	return n
}

// answers counts the answers that there have been, with the approved calls as the first.
func (s State) answers() int {
	n := 0
	for _, step := range s.Steps {
		if step.Kind == rota.StepItems || step.Kind == rota.StepApproved {
			n++
		}
	}
	return n
}

func (s State) ask(n int) Action {
	if servers := s.unlisted(); len(servers) > 0 {
		return Action{List: servers}
	}
	if len(s.Approved) > 0 && s.answers() == 0 {
		return Action{Note: []rota.ResponseStep{s.approvedStep()}}
	}
	q := Question{Model: s.Models[n], Key: string(s.ID) + "-" + strconv.Itoa(n), Turn: s.answers(), NoTools: s.exhausted()}
	if q.Turn > 0 {
		q.Key += "-turn-" + strconv.Itoa(q.Turn)
	}
	return Action{Ask: &q}
}
