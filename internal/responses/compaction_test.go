package responses_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rota-run/rota/internal/rawjson"
	"github.com/rota-run/rota/internal/responses"
)

// TestWhatFollowsACompactionIsAccepted: wherever the compactions are, and whoever has made
// them, a strict provider takes what is sent, also when turns are dropped; and a summary
// is told once at most.
func TestWhatFollowsACompactionIsAccepted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapidDice(t)
		var (
			c     responses.Context
			last  []responses.Item
			calls int
		)
		compaction := func(all []responses.Item, at int) []responses.Item {
			i := item(t, `{"type":"compaction","id":"cmp_x","encrypted_content":"opaque"}`)
			if d.one(2) {
				i = item(t, "%s", responses.NewCompaction("cmp_1", "the sum of it", "m"))
			}
			return append(append(append([]responses.Item{}, all[:at]...), i), all[at:]...)
		}
		for range 1 + d(6) {
			next := d.input(t, last, &calls)
			if d.one(5) && !answers(next) {
				next = compaction(next, d(len(next)+1))
			}
			sent, rest := c.Since(next)
			if d.one(3) {
				sent, _ = sent.Halve(rest)
			}
			input := sent.Input(rest)
			require.NoError(t, strict(input), "%s", input)
			require.LessOrEqual(t, bytes.Count(input, []byte("the sum of it")), 1, "%s", input)
			last = d.output(t, &calls)
			if d.one(5) {
				last = compaction(last, 0)
			}
			c.Turns = append(c.Turns, responses.Turn{Input: next, Output: last})
		}
	})
}

// answers reports whether items have an output of a call that is not among them.
func answers(items []responses.Item) bool {
	open := map[string]bool{}
	for _, i := range items {
		if i.Type == "function_call" {
			open[i.CallID] = true
		} else if i.CallID != "" && !open[i.CallID] {
			return true
		}
	}
	return false
}

// TestACompactionKeepsTheQuestion: a summary of earlier turns that a response began with
// does not have what that response was asked; what a provider has made has.
func TestACompactionKeepsTheQuestion(t *testing.T) {
	for content, want := range map[string][]string{
		string(responses.NewCompaction("cmp_1", "Ada", "m")):                   {"Ada", "two", "second", "three"},
		`{"type":"compaction","id":"cmp_1","encrypted_content":"gAAAA-their"}`: {"gAAAA", "second", "three"},
	} {
		c := responses.Context{Turns: []responses.Turn{
			{Input: []responses.Item{user(t, "one")}, Output: []responses.Item{assistant(t, "first")}},
			{Input: []responses.Item{user(t, "two")}, Output: []responses.Item{item(t, "%s", content), assistant(t, "second")}},
		}}
		sent, rest := c.Since([]responses.Item{user(t, "three")})
		items := rawjson.List(sent.Input(rest))
		require.Len(t, items, len(want))
		for n, text := range want {
			require.Contains(t, string(items[n]), text)
		}
	}
}

func assistant(t require.TestingT, text string) responses.Item {
	return item(t, `{"type":"message","role":"assistant","content":%s,"status":"completed"}`, rawjson.String(text))
}
