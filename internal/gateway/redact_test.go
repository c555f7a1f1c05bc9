package gateway

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func TestTheKeyIsCutOut(t *testing.T) {
	const secret = "sk-abc/abc/abd"
	for text, want := range map[string]string{
		"nothing":                              "nothing",
		secret:                                 hidden,
		"a " + secret + secret + " b":          "a [key][key] b",
		"sk-abc/abc/ab" + secret:               "sk-abc/abc/ab[key]",
		"ends with sk-abc/abc/ab":              "ends with sk-abc/abc/ab",
		`in JSON: "sk-abc\/abc\/abd"`:          `in JSON: "[key]"`,
		strings.Repeat("x", 40_000) + secret:   strings.Repeat("x", 40_000) + hidden,
		"data: {}\n\ndata: " + secret + "\n\n": "data: {}\n\ndata: [key]\n\n",
	} {
		for name, reader := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "a byte at a time": iotest.OneByteReader, "the end with the data": iotest.DataErrReader,
		} {
			got, err := io.ReadAll(withoutSecret(reader(strings.NewReader(text)), secret))
			require.NoError(t, err)
			require.Equal(t, want, string(got), name)
		}
	}
	got, err := io.ReadAll(withoutSecret(strings.NewReader("none of it"), "none"))
	require.NoError(t, err)
	require.Equal(t, "none of it", string(got), "a word is no key")
}

// TestWhatIsNoKeyIsNotKeptBack: an event goes on as soon as it has come.
func TestWhatIsNoKeyIsNotKeptBack(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	go w.Write([]byte("data: {\"delta\":\"sk-\"}\n\n"))
	got := make([]byte, 100)
	n, err := withoutSecret(r, "sk-0123456789").Read(got)
	require.NoError(t, err)
	require.Equal(t, "data: {\"delta\":\"sk-\"}\n\n", string(got[:n]))
}
