package responses

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	"github.com/rota-run/rota/internal/rawjson"
)

// ownCompaction begins the encrypted_content of the items of the type compaction that
// Rota makes. The summary follows in base64. It is no secret: it is in content too.
const ownCompaction = "rota.compaction.1."

// NewCompaction returns an item that stands for what came before it, which a model has
// summed up.
func NewCompaction(id, summary, model string) json.RawMessage {
	return rawjson.Object{
		{Name: "type", Value: json.RawMessage(`"compaction"`)},
		{Name: "id", Value: rawjson.String(id)},
		{Name: "content", Value: rawjson.String(summary)},
		{Name: "encrypted_content", Value: rawjson.String(ownCompaction + base64.RawURLEncoding.EncodeToString([]byte(summary)))},
		{Name: "created_by", Value: rawjson.String(model)},
	}.Encode()
}

// summary returns what an item of the type compaction says, or "" if only the provider
// that has made it can read it.
func (i Item) summary() string {
	if text := rawjson.Text(rawjson.Get(i.raw, "content")); text != "" {
		return text
	}
	sealed, ours := strings.CutPrefix(rawjson.Text(rawjson.Get(i.raw, "encrypted_content")), ownCompaction)
	text, err := base64.RawURLEncoding.DecodeString(sealed)
	if !ours || err != nil {
		return ""
	}
	return string(text)
}

// asSummaries returns the items with the compactions that have a summary as every model
// knows them: as messages. Those of a provider stay.
func asSummaries(items []Item) []Item {
	all := slices.Clone(items)
	for n, i := range all {
		if i.Type != "compaction" {
			continue
		}
		if text := i.summary(); text != "" {
			all[n] = readItem(rawjson.Object{
				{Name: "type", Value: json.RawMessage(`"message"`)},
				{Name: "role", Value: json.RawMessage(`"user"`)},
				{Name: "content", Value: rawjson.String("This is a summary of the conversation so far:\n\n" + text)},
			}.Encode())
		}
	}
	return all
}

// lastCompaction returns the index of the last item of the type compaction, or -1.
func lastCompaction(items []Item) int {
	for n := len(items) - 1; n >= 0; n-- {
		if items[n].Type == "compaction" {
			return n
		}
	}
	return -1
}

// Since returns the context, and new items, as they are from the last compaction on: what
// came before it is not told any more, but for what says how to answer. A compaction that
// a response has made of earlier turns leaves what that response was asked.
func (c Context) Since(next []Item) (Context, []Item) {
	if n := lastCompaction(next); n >= 0 {
		return Context{Theirs: c.Theirs}, slices.Concat(rulesOf(c.Turns), messages(rules(next[:n])), next[n:])
	}
	for k := len(c.Turns) - 1; k >= 0; k-- {
		t := c.Turns[k]
		if n := lastCompaction(t.Output); n >= 0 {
			before := c
			before.Turns = c.Turns[:k]
			longer, asked := before.Split(t.Input)
			from := longer.back(asked)
			if t.Output[n].summary() == "" {
				from, asked = len(longer.Turns), rules(asked) // its provider has read what was asked
			}
			head := Turn{Input: append(rulesOf(longer.Turns[:from]), t.Output[n])}
			now := []Turn{{Input: asked, Output: t.Output[n+1:]}}
			c.Turns = slices.Concat([]Turn{head}, uncompacted(longer.Turns[from:]), uncompacted(now), c.Turns[k+1:])
			return c, next
		}
		if n := lastCompaction(t.Input); n >= 0 {
			head := Turn{Input: slices.Concat(rulesOf(c.Turns[:k]), messages(rules(t.Input[:n])), t.Input[n:]), Output: t.Output}
			c.Turns = append([]Turn{head}, c.Turns[k+1:]...)
			return c, next
		}
	}
	return c, next
}

// uncompacted returns turns without compactions that a later one stands for.
func uncompacted(turns []Turn) []Turn {
	all := make([]Turn, len(turns))
	compacts := func(i Item) bool { return i.Type == "compaction" }
	for n, t := range turns {
		all[n] = Turn{Input: slices.DeleteFunc(slices.Clone(t.Input), compacts), Output: slices.DeleteFunc(slices.Clone(t.Output), compacts)}
	}
	return all
}

// back returns how many turns, the oldest, can be parted from the rest: no call is parted
// from its output.
func (c Context) back(next []Item) int {
	from := len(c.Turns)
	for from > 0 && !c.cuttable(from, next) {
		from--
	}
	return from
}

// rulesOf returns what says how to answer in turns that a compaction stands for.
func rulesOf(turns []Turn) (all []Item) {
	for _, t := range turns {
		all = append(all, messages(rules(t.Input))...)
	}
	return all
}

func messages(items []Item) []Item {
	return slices.DeleteFunc(items, func(i Item) bool { return i.Type != "message" })
}
