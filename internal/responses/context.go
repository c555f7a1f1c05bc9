package responses

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rota-run/rota/internal/rawjson"
)

// A Turn is what one response has added to a conversation.
type Turn struct {
	Input  []Item
	Output []Item
}

// A Context is what a model is told of earlier turns.
//
// Items are sent as they came, byte for byte, so that what one turn sends begins with
// what the turn before it sent, and a provider's prompt cache stays warm. That ends
// only where [Context.Shorten] drops turns, which it does rarely and in big steps.
type Context struct {
	Turns []Turn
	From  int // the first turn that is sent; those before it are dropped

	// Theirs are the labels of the MCP servers that the provider calls itself: their items
	// stay as they came. Those of others are told as calls of functions.
	Theirs []string
}

// CutOff is the output of a call that was never answered, as the model is told it.
const CutOff = "The call was cut off: its result is not known."

// Input returns the items that are sent with new ones, as the member input of a
// request. A provider that is strict accepts them if the new ones pass
// [Context.Check]: every call has one output, which comes after it; what was cut off
// in the middle is left out; thoughts are followed by what they led to.
func (c Context) Input(next []Item) json.RawMessage {
	items := c.items(next)
	b := append(make([]byte, 0, Turn{Input: items}.size()+2), '[')
	for _, i := range items {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(b, i.raw...)
	}
	return append(b, ']')
}

func (c Context) items(next []Item) []Item {
	var (
		all = make([]Item, 0, 3*(len(c.Turns)-min(c.From, len(c.Turns))+1))
		o   openCalls
	)
	for _, t := range c.Turns[:min(c.From, len(c.Turns))] {
		all = append(all, rules(t.Input)...)
	}
	for _, t := range append(slices.Clip(c.Turns[min(c.From, len(c.Turns)):]), Turn{Input: next}) {
		all = o.cutOff(all, t.Input) // the last turn's
		all = o.answer(all, t.Input)
		all = o.cutOff(all, nil)
		kept := sendable(t.Output)
		all = append(all, kept...)
		o.note(kept)
	}
	return asSummaries(asCalls(all, c.Theirs))
}

// rules returns the messages among items that say how to answer, and summaries of what
// came before. They hold for all of a context, so they are sent also when their turn is
// not.
func rules(items []Item) []Item {
	var all []Item
	for _, i := range items {
		if role := i.role(); i.Type == "compaction" || i.Type == "message" && (role == "system" || role == "developer") {
			all = append(all, i)
		}
	}
	return all
}

func (i Item) role() string { return rawjson.Text(rawjson.Get(i.raw, "role")) }

// Split returns the context with the turns that new items have among them, which are
// those of a caller who sends all of its earlier turns himself. What stays new is what
// was asked last.
func (c Context) Split(next []Item) (longer Context, rest []Item) {
	longer, rest = c, next
	longer.Turns = slices.Clip(c.Turns)
	for n := 1; n < len(rest); n++ {
		if rest[n-1].isAnswer() && !rest[n].isAnswer() {
			at := slices.IndexFunc(rest[:n], Item.isAnswer)
			longer.Turns = append(longer.Turns, Turn{Input: rest[:at:at], Output: rest[at:n:n]})
			rest, n = rest[n:], 0
		}
	}
	return longer, rest
}

// isAnswer reports whether a model has made the item.
func (i Item) isAnswer() bool {
	switch {
	case i.Type == "message":
		return i.role() == "assistant"
	case i.Type == "mcp_approval_response", i.Type == "item_reference", i.Type == "compaction":
		return false
	default:
		return callOf(i.Type) == ""
	}
}

// sendable returns the items of an output that a model can be told: all but what was
// cut off, messages without words, and thoughts that led to nothing.
func sendable(output []Item) []Item {
	kept := make([]Item, 0, len(output))
	for _, i := range output {
		switch {
		case i.Type == "message" && len(i.Text()) == 0:
		case i.Status == Incomplete && i.Type != "message" && i.Type != "reasoning":
		default:
			kept = append(kept, i)
		}
	}
	for len(kept) > 0 && kept[len(kept)-1].Type == "reasoning" {
		kept = kept[:len(kept)-1]
	}
	return kept
}

// outputOf says what the output of a call that the caller answers is called.
var outputOf = map[string]string{
	"function_call": "function_call_output", "custom_tool_call": "custom_tool_call_output", "computer_call": "computer_call_output",
	"shell_call": "shell_call_output", "local_shell_call": "local_shell_call_output",
}

// callOf returns the type of the calls that an output of this type answers, or "".
func callOf(output string) string {
	for call, o := range outputOf {
		if o == output {
			return call
		}
	}
	return ""
}

// openCalls are calls without an output, in order.
type openCalls []Item

// note adds the calls among the items, and strikes those that have an output there.
func (o *openCalls) note(items []Item) {
	for _, i := range items {
		if _, call := outputOf[i.Type]; call && i.CallID != "" {
			*o = append(*o, i)
		}
		if at := o.answeredBy(i); at >= 0 {
			*o = slices.Delete(*o, at, at+1)
		}
	}
}

// answer adds the items of an input, but for outputs of calls that are not there: the
// turn that has called was deleted.
func (o *openCalls) answer(all, input []Item) []Item {
	for n, i := range input {
		if callOf(i.Type) != "" && o.answeredBy(i) < 0 {
			continue
		}
		all = append(all, i)
		o.note(input[n : n+1])
	}
	return all
}

// answeredBy returns the index of the call that an item is the output of, or -1.
func (o openCalls) answeredBy(output Item) int {
	return slices.IndexFunc(o, func(call Item) bool { return outputOf[call.Type] == output.Type && call.CallID == output.CallID })
}

// cutOff gives the calls that the next items do not answer an output that says so.
func (o *openCalls) cutOff(all, next []Item) []Item {
	var left openCalls
	for _, call := range *o {
		if slices.ContainsFunc(next, func(i Item) bool { return openCalls{call}.answeredBy(i) >= 0 }) {
			left = append(left, call)
			continue
		}
		all = append(all, readItem(cutOff(call)))
	}
	*o = left
	return all
}

func cutOff(call Item) json.RawMessage {
	output := rawjson.String(CutOff)
	if call.Type == "computer_call" {
		output = rawjson.Object{{Name: "type", Value: json.RawMessage(`"input_text"`)}, {Name: "text", Value: output}}.Encode()
	}
	return rawjson.Object{
		{Name: "type", Value: rawjson.String(outputOf[call.Type])}, {Name: "call_id", Value: rawjson.String(call.CallID)}, {Name: "output", Value: output},
	}.Encode()
}

// An ItemError says what is wrong with an item of an input.
type ItemError struct {
	Index int // of the item
	Why   string
}

// Error implements error.
func (e *ItemError) Error() string { return fmt.Sprintf("input[%d]: %s", e.Index, e.Why) }

// Check reports what is wrong with new items: an output must answer a call of the
// last turn, or of the items before it, and each call once; and a decision on a call must
// be the first on one that needs an approval. The error is an [*ItemError].
func (c Context) Check(next []Item) error {
	if err := c.checkDecisions(next); err != nil {
		return err
	}
	var open openCalls
	if len(c.Turns) > 0 {
		open.note(sendable(c.Turns[len(c.Turns)-1].Output))
	}
	for n, i := range next {
		if callOf(i.Type) != "" && open.answeredBy(i) < 0 {
			return &ItemError{n, fmt.Sprintf("there is no open %s with the call_id %q%s", callOf(i.Type), i.CallID, open.among())}
		}
		open.note(next[n : n+1])
	}
	return nil
}

func (c Context) checkDecisions(next []Item) error {
	if !slices.ContainsFunc(next, func(i Item) bool { return i.Type == "mcp_approval_response" }) {
		return nil
	}
	var before []Item
	for _, t := range c.Turns {
		before = append(append(before, t.Input...), t.Output...)
	}
	all := decided(before)
	for n, i := range next {
		d, asked := all[i.approvalID()]
		switch {
		case i.Type == "mcp_approval_request":
			all[i.ID] = decision{label: rawjson.Text(rawjson.Get(i.raw, "server_label"))}
		case i.Type != "mcp_approval_response":
		case !asked:
			return &ItemError{n, fmt.Sprintf("there is no mcp_approval_request with the id %q", i.approvalID())}
		case d.decided:
			return &ItemError{n, fmt.Sprintf("the mcp_approval_request %q was decided before", i.approvalID())}
		default:
			d.decided = true
			all[i.approvalID()] = d
		}
	}
	return nil
}

func (o openCalls) among() string {
	if len(o) == 0 {
		return "; no call is open"
	}
	var ids []string
	for _, call := range o {
		ids = append(ids, call.CallID)
	}
	return "; open are: " + strings.Join(ids, ", ")
}

// A Load says how large a context is.
type Load struct {
	// Tokens and Bytes are those of the last request to the provider: the
	// input_tokens of its usage, and the length of what [Context.Input] was. Zeros if
	// nothing is known, or the provider does not tell.
	Tokens, Bytes int
}

// bytesPerToken is taken where a provider has told nothing yet. Fewer make it err on
// the side of dropping turns early.
const bytesPerToken = 3

// tokens estimates how many tokens some bytes are.
func (l Load) tokens(bytes int) int {
	if l.Tokens <= 0 || l.Bytes <= 0 {
		return bytes / bytesPerToken
	}
	return int(float64(bytes) * float64(l.Tokens) / float64(l.Bytes))
}

// size returns about how many bytes of a context the turn is.
func (t Turn) size() int {
	n := 0
	for _, items := range [][]Item{t.Input, t.Output} {
		for _, i := range items {
			n += len(i.raw) + 1
		}
	}
	return n
}

// Shorten returns the context with the oldest turns dropped, if with the new items it
// is about more than most tokens: so many of them that a quarter of most is free, and
// whole turns only, never between a call and its output. ok is false if it is more
// than most all the same: the new items, with the turn that they belong to, are too
// long.
func (c Context) Shorten(next []Item, l Load, most int) (shorter Context, ok bool) {
	size := Turn{Input: next}.size()
	for _, t := range c.Turns[min(c.From, len(c.Turns)):] {
		size += t.size()
	}
	if l.tokens(size) <= most {
		return c, true
	}
	shorter, ok = c, false
	for from := c.From + 1; from <= len(c.Turns); from++ {
		if size -= c.Turns[from-1].size(); !c.cuttable(from, next) {
			continue
		}
		shorter.From, ok = from, l.tokens(size) <= most
		if l.tokens(size) <= most-most/4 {
			break
		}
	}
	return shorter, ok
}

// Halve returns the context with about the older half of the turns that are sent
// dropped, up to a round number of turns, so that a longer context is mostly cut at the
// same place. It is for a provider that refuses a context as too long, when nobody knows
// how long it may be. ok is false if there is none to drop.
func (c Context) Halve(next []Item) (shorter Context, ok bool) {
	step := 1
	for sent := len(c.Turns) - c.From; step*8 <= sent; {
		step *= 2
	}
	for from := (c.From + (len(c.Turns)-c.From+1)/2 + step - 1) / step * step; from > c.From && from <= len(c.Turns); from++ {
		if c.cuttable(from, next) {
			c.From = from
			return c, true
		}
	}
	return c, false
}

// cuttable reports whether no call before the turn is answered in it: its output
// would have lost its call.
func (c Context) cuttable(from int, next []Item) bool {
	if from < len(c.Turns) {
		next = c.Turns[from].Input
	}
	for _, i := range next {
		if callOf(i.Type) != "" && !within(next, i) {
			return false
		}
	}
	return true
}

// within reports whether the call that an output answers is among the items.
func within(items []Item, output Item) bool {
	for _, i := range items {
		if i.CallID == output.CallID && outputOf[i.Type] == output.Type {
			return true
		}
	}
	return false
}
