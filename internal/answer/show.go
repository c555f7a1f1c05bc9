package answer

import (
	"encoding/json"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/rawjson"
	"github.com/rota-run/rota/internal/responses"
)

// A Show writes the calls of a loop into the stream of its response.
type Show struct {
	Writer *responses.Writer
	Tools  Tools
	open   map[int]*responses.ItemWriter // the calls of the last answer, by their numbers
}

// Turn writes the calls of an answer that goes on record: those that Rota makes, and
// those of the caller.
func (s *Show) Turn(output []json.RawMessage) {
	s.open = map[int]*responses.ItemWriter{}
	for _, raw := range output {
		switch tool, ours := s.Tools[rawjson.Text(rawjson.Get(raw, "name"))]; {
		case !isFunctionCall(raw):
		case ours:
			s.open[len(s.open)+1] = s.Writer.Call(tool.Server, tool.Title, rawjson.Text(rawjson.Get(raw, "arguments")))
		default:
			s.Writer.Whole(raw)
		}
	}
}

// Result writes what came of a call.
func (s *Show) Result(step rota.ResponseStep) {
	if i := s.open[step.Call]; i != nil && !i.Ended() {
		i.Answer(*step.Result, step.Code != "")
	}
}

// Again writes what is on record, for a process that goes on from there.
func (s *Show) Again(steps []rota.ResponseStep) {
	for _, step := range steps {
		switch {
		case step.Kind == rota.StepItems && len(step.Output) > 0:
			if !s.Writer.Begun() {
				s.Writer.Begin()
			}
			for _, raw := range step.Output {
				if !isFunctionCall(raw) {
					s.Writer.Whole(raw)
				}
			}
			s.Turn(step.Output)
		case step.Kind == rota.StepResult:
			s.Result(step)
		}
	}
}
