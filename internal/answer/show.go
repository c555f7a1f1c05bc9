package answer

import (
	"errors"
	"sync"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/rawjson"
	"github.com/rota-run/rota/internal/responses"
)

// A Show writes the calls of a loop into the stream of its response.
type Show struct {
	Writer *responses.Writer
	Tools  Tools
	ID     string                        // of the response or run
	turns  int                           // answers that were written
	open   map[int]*responses.ItemWriter // the calls of the last answer, by their numbers
}

// List has the tools of servers listed, side by side, and returns the steps that put them
// on record. It blocks until there are all, and returns the first error.
func (s *Show) List(servers []Server, list func(Server) (rota.ResponseStep, error)) ([]rota.ResponseStep, error) {
	s.begin()
	open, steps, errs := make([]*responses.ItemWriter, len(servers)), make([]rota.ResponseStep, len(servers)), make([]error, len(servers))
	var all sync.WaitGroup
	for n, server := range servers {
		open[n] = s.Writer.ListTools(server.Label)
		all.Go(func() { steps[n], errs[n] = list(server) })
	}
	all.Wait()
	for n, item := range open {
		var failed *ServerError
		switch {
		case errors.As(errs[n], &failed):
			item.Unlisted(failed.Text)
		case errs[n] == nil:
			item.Listed([]byte(*steps[n].Result))
		}
	}
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return steps, nil
}

func (s *Show) begin() {
	if !s.Writer.Begun() {
		s.Writer.Begin()
	}
}

// Turn writes the calls of an answer that goes on record: those that Rota makes, those
// that need an approval, and those of the caller.
func (s *Show) Turn(step rota.ResponseStep) {
	s.begin()
	s.open = map[int]*responses.ItemWriter{}
	s.turns++
	calls, _ := s.Tools.of(step, s.turns)
	for _, raw := range step.Output {
		if !isFunctionCall(raw) {
			continue
		}
		if _, ours := s.Tools[rawjson.Text(rawjson.Get(raw, "name"))]; !ours && step.Kind != rota.StepApproved {
			s.Writer.Whole(raw)
			continue
		}
		c := calls[0]
		calls = calls[1:]
		if c.Held {
			s.Writer.AskApproval(c.ApprovalID(s.ID), c.Server, c.Title, c.Arguments)
			continue
		}
		i := s.Writer.Call(c.Server, c.Title, c.Arguments, c.Approval)
		if c.Kind == Sleep {
			i.Progress("response.sleep_call.in_progress", rawjson.Object{{Name: "args", Value: readSleep(c.Arguments).shown()}}.Encode())
		}
		s.open[c.Number] = i
	}
}

// Note writes results of calls, and approved calls.
func (s *Show) Note(steps ...rota.ResponseStep) {
	for _, step := range steps {
		if step.Kind == rota.StepApproved {
			s.Turn(step)
			continue
		}
		if i := s.open[step.Call]; i != nil && !i.Ended() {
			s.slept(i, step)
			i.Answer(*step.Result, step.Code != "")
		}
	}
}

// slept writes what came of a call of sleep; another call is left alone.
func (s *Show) slept(i *responses.ItemWriter, step rota.ResponseStep) {
	if s.Tools[step.Tool].Kind != Sleep {
		return
	}
	status := "cancelled"
	if step.Code == "" {
		status = rawjson.Text(rawjson.Get([]byte(*step.Result), "status"))
	}
	i.Progress("response.sleep_call.completed", rawjson.Object{
		{Name: "function_call_output", Value: rawjson.String(*step.Result)}, {Name: "status", Value: rawjson.String(status)},
	}.Encode())
}

// Sleeping writes that a call of sleep sleeps; another call is left alone.
func (s *Show) Sleeping(called rota.ResponseStep) {
	if i := s.open[called.Call]; i != nil && called.Until != nil {
		i.Progress("response.sleep_call.sleeping", rawjson.Object{{Name: "wake_at", Value: rawjson.String(called.Until.String())}}.Encode())
	}
}

// Again writes what is on record, for a process that goes on from there.
func (s *Show) Again(steps []rota.ResponseStep) {
	for _, step := range steps {
		switch {
		case step.Kind == rota.StepListed:
			s.begin()
			s.Writer.ListTools(step.Tool).Listed([]byte(*step.Result))
		case step.Kind == rota.StepItems && len(step.Output) > 0:
			s.begin()
			for _, raw := range step.Output {
				if !isFunctionCall(raw) {
					s.Writer.Whole(raw)
				}
			}
			s.Turn(step)
		case step.Kind == rota.StepCalled:
			s.Sleeping(step)
		case step.Kind == rota.StepApproved, step.Kind == rota.StepResult:
			s.Note(step)
		}
	}
}
