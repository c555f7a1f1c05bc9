package responses_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rota-run/rota/internal/rawjson"
	"github.com/rota-run/rota/internal/responses"
)

func item(t require.TestingT, format string, args ...any) responses.Item {
	i, err := responses.ReadItem(fmt.Appendf(nil, format, args...))
	require.NoError(t, err)
	return i
}

func user(t require.TestingT, text string) responses.Item {
	return item(t, `{"role":"user","content":%s}`, rawjson.String(text))
}

// strict says what a provider that takes nothing on trust has against an input.
func strict(input []byte) error {
	open, thought := map[string]bool{}, false
	for _, i := range rawjson.List(input) {
		kind, call := rawjson.Text(rawjson.Get(i, "type")), rawjson.Text(rawjson.Get(i, "call_id"))
		if status := rawjson.Text(rawjson.Get(i, "status")); status == "incomplete" && kind != "" && kind != "message" {
			return fmt.Errorf("an incomplete %s", kind)
		}
		if rawjson.Text(rawjson.Get(i, "role")) == "user" && len(open) > 0 {
			return fmt.Errorf("calls without an output before %s", i)
		}
		switch kind {
		case "function_call":
			if _, ok := open[call]; ok {
				return fmt.Errorf("two calls %q", call)
			}
			open[call] = true
		case "function_call_output":
			if !open[call] {
				return fmt.Errorf("an output without its call %q", call)
			}
			delete(open, call)
		case "", "message":
			if rawjson.Text(rawjson.Get(i, "role")) == "user" && thought {
				return fmt.Errorf("a thought that led to nothing")
			}
		}
		thought = kind == "reasoning"
	}
	if len(open) > 0 || thought {
		return fmt.Errorf("open calls %v, or a thought at the end", open)
	}
	return nil
}

// turns makes what a response may have left behind, however it ended. calls is how
// many there were before.
func (d dice) output(t *rapid.T, calls *int) []responses.Item {
	var all []responses.Item
	for range d(4) {
		status := "completed"
		switch d(4) {
		case 0:
			all = append(all, item(t, `{"type":"reasoning","id":"rs_%d","summary":[],"encrypted_content":"%d"}`, *calls, d(1000)))
		case 1:
			all = append(all, item(t, `{"type":"message","role":"assistant","content":[{"type":"output_text","text":%s}],"status":"completed"}`, rawjson.String(d.text())))
		default:
			*calls++
			all = append(all, item(t, `{"type":"function_call","call_id":"call_%d","name":"f","arguments":"{","status":"%s"}`, *calls, status))
		}
	}
	if d.one(3) { // the last is cut off
		*calls++
		all = append(all, item(t, `{"type":"function_call","call_id":"call_%d","name":"f","arguments":"{","status":"incomplete"}`, *calls))
	}
	return all
}

// input makes what a caller may send: words, and the outputs of some of the open
// calls, in any order.
func (d dice) input(t *rapid.T, last []responses.Item, calls *int) []responses.Item {
	var all []responses.Item
	for _, i := range last {
		if i.Type == "function_call" && i.Status != "incomplete" && !d.one(3) {
			all = append(all, item(t, `{"type":"function_call_output","call_id":%q,"output":"done"}`, i.CallID))
		}
	}
	if len(all) > 1 && d.one(2) {
		all[0], all[1] = all[1], all[0]
	}
	if len(all) == 0 || d.one(2) {
		all = append(all, user(t, strings.Repeat("word ", d(40))))
	}
	if d.one(6) { // a call that the caller has made up
		*calls++
		all = append(all, item(t, `{"type":"function_call","call_id":"call_%d","name":"f","arguments":"{}"}`, *calls))
	}
	return all
}

// A conversation cannot be poisoned: after whatever a response left behind, what is
// sent next is accepted, also when turns are dropped; and it begins with what was
// sent before, unless turns were.
func TestTheNextTurnIsAccepted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapidDice(t)
		var (
			c     responses.Context
			l     responses.Load
			sent  json.RawMessage
			last  []responses.Item
			calls int
			most  = 50 + d(2000)
		)
		for range 1 + d(25) {
			next := d.input(t, last, &calls)
			require.NoError(t, c.Check(next))
			from := c.From
			c, _ = c.Shorten(next, l, most)
			if d.one(15) {
				c, _ = c.Halve(next)
			}
			input := c.Input(next)
			require.NoError(t, strict(input), string(input))
			if c.From == from && sent != nil {
				require.True(t, bytes.HasPrefix(input, sent[:len(sent)-1]), "%s\nwas\n%s", input, sent)
			}
			sent, l = input, responses.Load{Tokens: len(input) / 4, Bytes: len(input)}
			last = d.output(t, &calls)
			c.Turns = append(c.Turns, responses.Turn{Input: next, Output: last})
		}
	})
}

// A long conversation moves its beginning rarely, and stays within its bound.
func TestShortenMovesRarely(t *testing.T) {
	var (
		c     responses.Context
		l     responses.Load
		moved int
		sent  json.RawMessage
	)
	const most = 4000
	for n := range 1000 {
		next := []responses.Item{user(t, "What about "+strconv.Itoa(n)+"? "+strings.Repeat("word ", 20))}
		from := c.From
		var ok bool
		c, ok = c.Shorten(next, l, most)
		require.True(t, ok)
		input := c.Input(next)
		if c.From == from {
			require.True(t, sent == nil || bytes.HasPrefix(input, sent[:len(sent)-1]))
		} else {
			moved++
		}
		require.LessOrEqual(t, len(input)/4, most+most/100)
		sent, l = input, responses.Load{Tokens: len(input) / 4, Bytes: len(input)}
		answer := item(t, `{"type":"message","id":"msg_%d","role":"assistant","status":"completed","content":[{"type":"output_text","text":"It is %d.","annotations":[]}]}`, n, n)
		c.Turns = append(c.Turns, responses.Turn{Input: next, Output: []responses.Item{answer}})
	}
	require.Less(t, moved, 80, "of 1000 turns")
	require.Positive(t, moved)
}

func TestShortenKeepsACallWithItsOutput(t *testing.T) {
	call := item(t, `{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}`)
	out := item(t, `{"type":"function_call_output","call_id":"c","output":"%s"}`, strings.Repeat("x", 300))
	c := responses.Context{Turns: []responses.Turn{{Input: []responses.Item{user(t, "hi")}, Output: []responses.Item{call}}}}
	got, ok := c.Shorten([]responses.Item{out}, responses.Load{}, 10)
	require.False(t, ok)
	require.Zero(t, got.From)
	_, ok = c.Halve([]responses.Item{out})
	require.False(t, ok)
	got, ok = c.Halve([]responses.Item{user(t, "else")})
	require.True(t, ok)
	require.Equal(t, 1, got.From)
	_, ok = got.Halve([]responses.Item{user(t, "else")})
	require.False(t, ok)
}

func TestAnUnansweredCallIsClosed(t *testing.T) {
	c := responses.Context{Turns: []responses.Turn{{
		Input:  []responses.Item{user(t, "hi")},
		Output: []responses.Item{item(t, `{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}`)},
	}}}
	require.JSONEq(t, `[{"role":"user","content":"hi"},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
		{"type":"function_call_output","call_id":"c","output":"`+responses.CutOff+`"},{"role":"user","content":"go on"}]`,
		string(c.Input([]responses.Item{user(t, "go on")})))
}

func TestCheckRefuses(t *testing.T) {
	out := func(id string) responses.Item {
		return item(t, `{"type":"function_call_output","call_id":%q,"output":""}`, id)
	}
	c := responses.Context{Turns: []responses.Turn{{Output: []responses.Item{
		item(t, `{"type":"function_call","call_id":"a","name":"f","arguments":"{}"}`),
		item(t, `{"type":"function_call","call_id":"b","name":"f","arguments":"{","status":"incomplete"}`),
	}}}}
	require.NoError(t, c.Check([]responses.Item{out("a"), user(t, "and")}))
	require.EqualError(t, c.Check([]responses.Item{out("a"), out("a")}), `input[1]: there is no open function_call with the call_id "a"; no call is open`)
	require.EqualError(t, c.Check([]responses.Item{out("b")}), `input[0]: there is no open function_call with the call_id "b"; open are: a`)
	require.Error(t, responses.Context{}.Check([]responses.Item{out("a")}))
}

func BenchmarkContext(b *testing.B) {
	var c responses.Context
	for n := range 1000 {
		c.Turns = append(c.Turns, responses.Turn{
			Input:  []responses.Item{user(b, strings.Repeat("word ", 100))},
			Output: []responses.Item{item(b, `{"type":"message","id":"msg_%d","role":"assistant","status":"completed","content":[{"type":"output_text","text":%q}]}`, n, strings.Repeat("word ", 100))},
		})
	}
	next := []responses.Item{user(b, "hi")}
	b.ReportAllocs()
	for b.Loop() {
		shorter, _ := c.Shorten(next, responses.Load{}, 1<<20)
		_ = shorter.Input(next)
	}
}

// TestATurnThatIsDeletedLeavesNoOutputs: a turn that has called may be taken out of a
// conversation, and the outputs stay.
func TestATurnThatIsDeletedLeavesNoOutputs(t *testing.T) {
	output := item(t, `{"type":"function_call_output","call_id":"call_1","output":"x"}`)
	c := responses.Context{Turns: []responses.Turn{
		{Input: []responses.Item{user(t, "a")}},
		{Input: []responses.Item{output, user(t, "b")}},
	}}
	sent := c.Input([]responses.Item{user(t, "c")})
	require.NoError(t, strict(sent))
	require.Len(t, rawjson.List(sent), 3)
}
