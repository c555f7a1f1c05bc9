package rota

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTokensIn(t *testing.T) {
	for usage, want := range map[string]*Tokens{
		`{"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":6,"output_tokens_details":{"reasoning_tokens":5},"total_tokens":16}`: {10, 4, 6, 5, 16},
		`{"prompt_tokens":10,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens":6,"completion_tokens_details":{"reasoning_tokens":5}}`:         {10, 4, 6, 5, 16},
		`{"input_tokens":10.0,"output_tokens":null,"input_tokens_details":null}`:                                                                            {Input: 10, Total: 10},
		`{"total_tokens":7}`: {Total: 7},
		`{"input_tokens":"10","output_tokens":"6","total_tokens":""}`:                            {Input: 10, Output: 6, Total: 16},
		`{"input_tokens":3,"output_tokens":"many","output_tokens_details":[],"total_tokens":-1}`: {Input: 3, Total: 3},
		`{"input_tokens":1e300,"output_tokens":1.5}`:                                             nil,
		`{"input_tokens":0,"output_tokens":0,"total_tokens":0}`:                                  nil,
		`{}`:   nil,
		`null`: nil,
		``:     nil,
		`[1]`:  nil,
	} {
		require.Equal(t, want, tokensIn([]byte(usage)), usage)
	}
}

func TestTokensAreThoseOfAllAttempts(t *testing.T) {
	require.Nil(t, TokensOf())
	require.Nil(t, TokensOf(RunAttempt{Usage: AnyOf(nil)}, RunAttempt{}))
	one := RunAttempt{Usage: AnyOf(map[string]any{"input_tokens": 10, "output_tokens": 2})}
	two := RunAttempt{Usage: AnyOf(map[string]any{"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 9})}
	require.Equal(t, &Tokens{Input: 15, Output: 3, Total: 21}, TokensOf(one, RunAttempt{Usage: AnyOf(nil)}, two))
}
