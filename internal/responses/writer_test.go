package responses_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rota-run/rota/internal/rawjson"
	"github.com/rota-run/rota/internal/responses"
)

// Whatever a writer's methods are called with, and in whatever order, the stream is
// valid.
func TestAWriterCanOnlyWriteValidStreams(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, p := rapidDice(t), play()
		var items []*responses.ItemWriter
		for range d(30) {
			d.call(p.w, &items)
		}
		require.NoError(t, p.end())
	})
}

func (d dice) call(w *responses.Writer, items *[]*responses.ItemWriter) {
	switch d(8) {
	case 0:
		w.Begin()
	case 1:
		w.Queue()
	case 2:
		kind := pick(d, append(responses.ItemTypes(), "x:own", "nonsense", "")...)
		*items = append(*items, w.Add(encode(object{"type": kind, "id": pick(d, "", "a", "b"), "call_id": pick(d, "", "c"), "content": []any{1}})))
	case 3:
		for _, i := range d.answer().items {
			w.Whole(encode(i))
		}
	case 4:
		if d.one(10) {
			w.End(responses.End{Status: pick(d, "completed", "incomplete", "failed", "cancelled", "nonsense"), Reason: pick(d, "", "content_filter")})
		}
	default:
		if len(*items) > 0 {
			d.write((*items)[d(len(*items))])
		}
	}
}

func (d dice) write(i *responses.ItemWriter) {
	text := responses.Text(d(int(responses.CodeInterpret) + 1))
	switch d(7) {
	case 0, 1:
		i.Say(text, pick(d, words...)+pick(d, "", "\xff", "x"))
	case 2:
		i.Part(text)
	case 3:
		i.Annotate(encode(pick[any](d, object{"type": "url_citation"}, 1, nil)))
	case 4:
		i.Progress(pick(d, "response.mcp_call.completed", "response.image_generation_call.failed", "response.nonsense"), encode(object{"sequence_number": 9, "x": 1}))
	case 5:
		i.Set(pick(d, "name", "id", "status", "type", "content", "more"), encode(pick[any](d, "x", 1, nil)))
	default:
		i.End(pick(d, "completed", "incomplete", "failed", "", "in_progress"))
	}
}

func encode(v any) json.RawMessage {
	b, _ := json.Marshal(v)
	return b
}

// A call that would make the stream invalid is remembered, and writes nothing.
func TestAWriterRemembersWhatItRefused(t *testing.T) {
	for name, misuse := range map[string]func(*responses.Writer, *responses.ItemWriter){
		"text after the end of its item": func(_ *responses.Writer, i *responses.ItemWriter) { i.End(""); i.Say(responses.OutputText, "x") },
		"text of another type":           func(_ *responses.Writer, i *responses.ItemWriter) { i.Say(responses.Arguments, "x") },
		"an unknown item":                func(w *responses.Writer, _ *responses.ItemWriter) { w.Add([]byte(`{"type":"nonsense"}`)) },
		"two ends":                       func(w *responses.Writer, _ *responses.ItemWriter) { w.End(responses.End{}); w.End(responses.End{}) },
		"two beginnings":                 func(w *responses.Writer, _ *responses.ItemWriter) { w.Begin() },
		"an item after the end": func(w *responses.Writer, _ *responses.ItemWriter) {
			w.End(responses.End{Status: "completed"})
			w.Add([]byte(`{"type":"message"}`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := play()
			p.w.Begin()
			i := p.w.Add([]byte(`{"type":"message"}`))
			require.NoError(t, p.w.Err())
			misuse(p.w, i)
			require.Error(t, p.w.Err())
			require.NoError(t, p.end())
		})
	}
}

// What a server wrote as a whole keeps its bytes, if it has all that it needs.
func TestWholeKeepsBytes(t *testing.T) {
	const raw = `{ "summary": [ {"text":"I\u0020think","type":"summary_text"} ], "id":"rs_1", "encrypted_content":"a+b/c=", "type":"reasoning", "status":"completed", "new_member": 1.50 }`
	p := play()
	p.w.Begin()
	p.w.Whole([]byte(raw))
	p.w.Whole([]byte(`{"type":"message","content":"hi"}`))
	p.w.End(responses.End{Status: "completed", At: 5})
	require.NoError(t, p.end())
	output := rawjson.List(rawjson.Get(p.w.Object(), "output"))
	require.Equal(t, raw, string(output[0]))
	require.JSONEq(t, `{"type":"message","id":"msg_made_1","role":"assistant","status":"completed",
		"content":[{"type":"output_text","text":"hi","annotations":[],"logprobs":[]}]}`, string(output[1]))
}

// The object has all members, whatever a request leaves out, and no secrets.
func TestObject(t *testing.T) {
	o := responses.NewObject("resp_1", 7, "m", []byte(`{"model":"other","temperature":0.5,"reasoning":{},"text":{"verbosity":"low"},"input":"hi","metadata":null,"top_p":null,
		"conversation":"conv_1","max_output_tokens":16.0,"tools":[{"type":"function","name":"f","strict":true},
		{"type":"mcp","server_label":"s","headers":{"a":"secret"},"authorization":"secret"}]}`))
	require.Equal(t, strings.Join(strings.Fields(`{"id":"resp_1","object":"response","created_at":7,"status":"in_progress","completed_at":null,"error":null,
		"incomplete_details":null,"model":"m","previous_response_id":null,"instructions":null,"output":[],
		"tools":[{"type":"function","name":"f","strict":true,"description":null,"parameters":null},{"type":"mcp","server_label":"s"}],
		"tool_choice":"auto","parallel_tool_calls":true,"max_tool_calls":null,"max_output_tokens":16,
		"text":{"verbosity":"low","format":{"type":"text"}},"reasoning":null,"temperature":0.5,"top_p":1,"top_logprobs":0,
		"presence_penalty":0,"frequency_penalty":0,"truncation":"disabled","store":true,"background":false,"service_tier":"default",
		"metadata":{},"safety_identifier":null,"prompt_cache_key":null,"user":null,
		"usage":{"input_tokens":0,"input_tokens_details":{"cached_tokens":0},"output_tokens":0,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":0},
		"conversation":{"id":"conv_1"}}`), ""), string(o.Encode()))
}

func TestReadItem(t *testing.T) {
	for raw, want := range map[string]string{
		`[]`:                       "an item is a JSON object",
		`{"type":"nonsense"}`:      `type "nonsense" is not one of code_interpreter_call, compaction,`,
		`{"type":"function_call"}`: `an item of type "function_call" needs the member arguments: a string`,
		`{"role":"user"}`:          `an item of type "message" needs the member content: a string or an array`,
		`{"type":"mcp_approval_response","approval_request_id":"a","approve":"yes"}`: "approve: a boolean",
	} {
		_, err := responses.ReadItem([]byte(raw))
		require.ErrorContains(t, err, want)
	}
	i, err := responses.ReadItem([]byte(`{"role":"user","content":[{"text":"a"},{"refusal":"b"}],"id":"i"}`))
	require.NoError(t, err)
	require.Equal(t, []string{"message", "i", "ab"}, []string{i.Type, i.ID, i.Text()})
	_, err = responses.ReadItem([]byte(`{"type":"rota:note"}`))
	require.NoError(t, err)
}

func TestReplayRefuses(t *testing.T) {
	for raw, want := range map[string]string{`[]`: "not a JSON object", `{"status":"queued"}`: "it is queued"} {
		require.ErrorContains(t, responses.Replay([]byte(raw), nil, nil), want)
	}
}

// A shape that is broken, or another response's, is an error and nothing worse.
func TestReplayOfAnotherShape(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapidDice(t)
		p := play()
		p.take(d.whole(d.answer(), d.one(2)))
		shape := slices.Clone(p.w.Shape())
		for range 1 + d(4) {
			if len(shape) > 0 {
				shape[d(len(shape))] = byte(d(256))
			}
		}
		var c responses.Checker
		if err := responses.Replay(p.w.Object(), shape, func(e responses.Event) { require.NoError(t, c.Event(e.Data)) }); err == nil {
			require.NoError(t, c.End())
		}
	})
}

// TestReplayGoesOn: who has read some events of a stream, wherever it was cut, finds the
// rest behind them.
func TestReplayGoesOn(t *testing.T) {
	s := script{}
	p := play()
	d := randomDice(7)
	for len(s) < 20 {
		s = d.whole(d.answer(), false)
	}
	p.take(s)
	require.NoError(t, p.end())
	var again []responses.Event
	require.NoError(t, responses.Replay(p.w.Object(), p.w.Shape(), func(e responses.Event) { again = append(again, e) }))
	for cut := range p.events {
		require.NoError(t, alike(append(slices.Clone(p.events[:cut]), again[cut:]...), p.events))
	}
	require.Less(t, len(p.w.Shape()), 8*len(p.events), "a shape has no words")
}
