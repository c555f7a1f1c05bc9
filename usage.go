package rota

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// Tokens counts what calls of models used.
type Tokens struct {
	Input     int64 `json:"input" doc:"What the models read, cached tokens included."`
	Cached    int64 `json:"cached" doc:"The part of the input that a provider had in its cache."`
	Output    int64 `json:"output" doc:"What the models wrote, reasoning included."`
	Reasoning int64 `json:"reasoning" doc:"The part of the output that was reasoning."`
	Total     int64 `json:"total" doc:"As the providers counted it, or else input and output."`
}

// TokensOf returns what attempts used together, as far as their providers said;
// nil if none did.
func TokensOf(attempts ...RunAttempt) *Tokens {
	var sum *Tokens
	for _, a := range attempts {
		if one := tokensIn(a.Usage.RawMessage); one != nil {
			sum = sum.plus(*one)
		}
	}
	return sum
}

// TokensIn returns what a usage object counts, in the words of the Responses API or of
// chat completions; nil if it counts nothing.
func TokensIn(usage []byte) *Tokens { return tokensIn(usage) }

func (t *Tokens) plus(more Tokens) *Tokens {
	if t != nil {
		more.Input += t.Input
		more.Cached += t.Cached
		more.Output += t.Output
		more.Reasoning += t.Reasoning
		more.Total += t.Total
	}
	return &more
}

// tokensIn reads the usage object of a response, in the words of the Responses API
// or of chat completions. It returns nil if there is no count in it.
func tokensIn(usage []byte) *Tokens {
	var u struct {
		Input         count `json:"input_tokens"`
		Prompt        count `json:"prompt_tokens"`
		InputDetails  parts `json:"input_tokens_details"`
		PromptDetails parts `json:"prompt_tokens_details"`

		Output            count `json:"output_tokens"`
		Completion        count `json:"completion_tokens"`
		OutputDetails     parts `json:"output_tokens_details"`
		CompletionDetails parts `json:"completion_tokens_details"`

		Total count `json:"total_tokens"`
	}
	if len(usage) == 0 || usage[0] != '{' {
		return nil
	}
	_ = json.Unmarshal(usage, &u) // what has another form counts as absent
	t := Tokens{
		Input:     u.Input.or(u.Prompt),
		Cached:    u.InputDetails.Cached.or(u.PromptDetails.Cached),
		Output:    u.Output.or(u.Completion),
		Reasoning: u.OutputDetails.Reasoning.or(u.CompletionDetails.Reasoning),
	}
	t.Total = u.Total.or(count(t.Input + t.Output))
	if t == (Tokens{}) {
		return nil
	}
	return &t
}

// parts are the details of a count.
type parts struct {
	Cached    count `json:"cached_tokens"`
	Reasoning count `json:"reasoning_tokens"`
}

// A count is a number of tokens, which some servers write as text. What is no whole
// number from 0 to maxCount is 0.
type count int64

// maxCount bounds what one response can be believed to have used, so that sums of
// many stay whole numbers that every reader of JSON tells exactly.
const maxCount = 1_000_000_000

// UnmarshalJSON implements [json.Unmarshaler].
func (c *count) UnmarshalJSON(b []byte) error {
	n, err := strconv.ParseFloat(strings.Trim(string(b), `"`), 64)
	if err == nil && n >= 0 && n <= maxCount && n == math.Trunc(n) {
		*c = count(n)
	}
	return nil
}

func (c count) or(other count) int64 {
	if c != 0 {
		return int64(c)
	}
	return int64(other)
}
