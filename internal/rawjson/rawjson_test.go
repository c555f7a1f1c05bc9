package rawjson_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rota-run/rota/internal/rawjson"
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
			require.Equal(t, object != nil, rawjson.IsObject(b))
			require.Nil(t, rawjson.Get(b, "absent"))
			for name, want := range object {
				checkMember(t, b, name, want)
			}
		}
	})
}

func checkMember(t *rapid.T, object []byte, name string, want any) {
	var got any
	require.NoError(t, json.Unmarshal(rawjson.Get(object, name), &got))
	wanted, err := json.Marshal(want)
	require.NoError(t, err)
	found, err := json.Marshal(got)
	require.NoError(t, err)
	require.Equal(t, string(wanted), string(found))
	if s, ok := got.(string); ok {
		require.Equal(t, s, rawjson.Text(rawjson.Get(object, name)))
	}
}

func TestMember(t *testing.T) {
	require.Equal(t, `"x"`, string(rawjson.Get([]byte(`{"\u0074ype" : "x"}`), "type")))
	require.Equal(t, `1`, string(rawjson.Get([]byte(`{"a":{"type":0},"type":1,"type":2}`), "type")))
	require.Equal(t, `[ ]`, string(rawjson.Get([]byte("\t{ \"a\" : [ ] } "), "a")))
	for _, s := range []string{``, ` `, `[]`, `"type"`, `{}`, `null`} {
		require.Nil(t, rawjson.Get([]byte(s), "type"))
	}
	require.False(t, rawjson.IsObject([]byte(`{"a":1}{`)))
	require.False(t, rawjson.IsObject(nil))
}

func FuzzMember(f *testing.F) {
	f.Add([]byte(`{"a":[{"type":"\"\\"}],"type":"x"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if !rawjson.IsObject(b) {
			return
		}
		value := rawjson.Get(b, "type")
		if value != nil && !json.Valid(value) {
			t.Errorf("member of %s is %s", b, value)
		}
		if o := rawjson.ReadObject(b); !json.Valid(o.Encode()) {
			t.Errorf("%s became %s", b, o.Encode())
		}
	})
}

// An object keeps the order and the bytes of what is not changed.
func TestObject(t *testing.T) {
	o := rawjson.ReadObject([]byte(`{ "a" : 1.0, "b":"\u00e9", "a":2, "c": [ ] }`))
	o.Set("b", rawjson.String("x\"\n\x00é\xff"))
	o.Set("d", rawjson.Int(-3))
	c := o.Clone()
	c.Delete("a")
	require.Equal(t, `{"a":1.0,"b":"x\"\n\u0000é\uFFFD","c":[ ],"d":-3}`, escaped(o.Encode()))
	require.Equal(t, `{"b":"x\"\n\u0000é\uFFFD","c":[ ],"d":-3}`, escaped(c.Encode()))
	require.Equal(t, "1.0", string(o.Get("a")))
	require.Nil(t, o.Get("e"))
	require.Equal(t, `[1,{"a":2}]`, string(rawjson.EncodeList(rawjson.List([]byte(` [1, {"a":2}]`)))))
	require.Nil(t, rawjson.List([]byte(`{"a":[1]}`)))
	require.Empty(t, rawjson.ReadObject([]byte(`[1]`)))
}

func escaped(b []byte) string { return strings.ReplaceAll(string(b), "\uFFFD", `\uFFFD`) }

func TestStringIsJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "s")
		var got string
		require.NoError(t, json.Unmarshal(rawjson.String(s), &got))
		require.Equal(t, string([]rune(s)), got)
	})
}
