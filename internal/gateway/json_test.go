package gateway

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// anyJSON draws a value with the strings that mislead a scanner.
func anyJSON(depth int) *rapid.Generator[any] {
	str := rapid.OneOf(
		rapid.SampledFrom([]string{"type", "", `"`, `\`, `{"type":"x"}`, "}", "]", ",", ":", "é", "\n"}),
		rapid.String(),
	)
	return rapid.Custom(func(t *rapid.T) any {
		kinds := 6
		if depth == 0 {
			kinds = 4
		}
		switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
		case 0:
			return str.Draw(t, "string")
		case 1:
			return rapid.Float64().Draw(t, "number")
		case 2:
			return rapid.Bool().Draw(t, "bool")
		case 3:
			return nil
		case 4:
			return rapid.SliceOfN(anyJSON(depth-1), 0, 4).Draw(t, "list")
		default:
			return rapid.MapOfN(str, anyJSON(depth-1), 0, 4).Draw(t, "object")
		}
	})
}

func TestMemberFindsWhatADecoderFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := anyJSON(3).Draw(t, "value")
		compact, err := json.Marshal(value)
		require.NoError(t, err)
		indented, err := json.MarshalIndent(value, "", " \t")
		require.NoError(t, err)
		object, _ := value.(map[string]any)
		for _, b := range [][]byte{compact, indented} {
			require.Equal(t, object != nil, isObject(b))
			require.Nil(t, member(b, "absent"))
			for name, want := range object {
				checkMember(t, b, name, want)
			}
		}
	})
}

func checkMember(t *rapid.T, object []byte, name string, want any) {
	var got any
	require.NoError(t, json.Unmarshal(member(object, name), &got))
	wanted, err := json.Marshal(want)
	require.NoError(t, err)
	found, err := json.Marshal(got)
	require.NoError(t, err)
	require.Equal(t, string(wanted), string(found))
	if s, ok := got.(string); ok {
		require.Equal(t, s, text(member(object, name)))
	}
}

func TestMember(t *testing.T) {
	require.Equal(t, `"x"`, string(member([]byte(`{"\u0074ype" : "x"}`), "type")))
	require.Equal(t, `1`, string(member([]byte(`{"a":{"type":0},"type":1,"type":2}`), "type")))
	require.Equal(t, `[ ]`, string(member([]byte("\t{ \"a\" : [ ] } "), "a")))
	for _, s := range []string{``, ` `, `[]`, `"type"`, `{}`, `null`} {
		require.Nil(t, member([]byte(s), "type"))
	}
	require.False(t, isObject([]byte(`{"a":1}{`)))
	require.False(t, isObject(nil))
}

func FuzzMember(f *testing.F) {
	f.Add([]byte(`{"a":[{"type":"\"\\"}],"type":"x"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if !isObject(b) {
			return
		}
		value := member(b, "type")
		if value != nil && !json.Valid(value) {
			t.Errorf("member of %s is %s", b, value)
		}
		_ = failureOf(b).String()
	})
}
