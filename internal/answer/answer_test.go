package answer_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/answer"
)

func asked(key string) rota.ResponseStep { return rota.ResponseStep{Kind: rota.StepAsked, Key: key} }

func failed(code string) rota.ResponseStep {
	return rota.ResponseStep{Kind: rota.StepFailed, Code: code}
}

// What comes next follows from what is on record, whoever looks at it.
func TestNext(t *testing.T) {
	ask := func(model, key string) answer.Action {
		return answer.Action{Ask: &answer.Question{Model: model, Key: key}}
	}
	lost := answer.Action{End: &answer.End{Status: rota.ResponseFailed, Code: rota.RunErrWorkerLost, Message: "the server stopped before the answer was whole"}}
	for name, tt := range map[string]struct {
		steps []rota.ResponseStep
		shown bool
		want  answer.Action
	}{
		"nothing yet":                    {nil, false, ask("a", "resp_1-0")},
		"nobody waits for it":            {nil, true, lost},
		"the answer was lost":            {[]rota.ResponseStep{asked("resp_1-0")}, false, ask("a", "resp_1-0")},
		"the answer was lost twice":      {[]rota.ResponseStep{asked("resp_1-0"), asked("resp_1-0")}, false, ask("a", "resp_1-0")},
		"a piece of it was read":         {[]rota.ResponseStep{asked("resp_1-0")}, true, lost},
		"the first has failed":           {[]rota.ResponseStep{asked("resp_1-0"), failed("x")}, false, ask("b", "resp_1-1")},
		"the second was lost":            {[]rota.ResponseStep{asked("resp_1-0"), failed("x"), asked("resp_1-1")}, false, ask("b", "resp_1-1")},
		"it failed in mid-answer":        {[]rota.ResponseStep{asked("resp_1-0"), failed("x")}, true, answer.Action{End: &answer.End{Status: rota.ResponseFailed, Code: "x"}}},
		"both have failed":               {[]rota.ResponseStep{asked("resp_1-0"), failed("x"), asked("resp_1-1"), failed("y")}, false, answer.Action{End: &answer.End{Status: rota.ResponseFailed, Code: "y"}}},
		"there is an answer":             {[]rota.ResponseStep{asked("resp_1-0"), {Kind: rota.StepItems}}, true, answer.Action{End: &answer.End{}}},
		"it has ended, and nothing more": {[]rota.ResponseStep{asked("resp_1-0"), {Kind: rota.StepItems}, {Kind: rota.StepEnd}}, true, answer.Action{}},
	} {
		s := answer.State{ID: "resp_1", Models: []string{"a", "b"}, Steps: tt.steps, Shown: tt.shown}
		require.Equal(t, tt.want, answer.Next(s), name)
	}
}
