package chat_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/rawjson"
	"github.com/rota-run/rota/internal/responses"
	"github.com/rota-run/rota/internal/responses/chat"
)

var update = flag.Bool("update", false, "write the golden files")

// TestGolden: each file has a request, and what a chat server is sent; or what it
// answers, and the events of the response. The files of faults say who reported them.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		t.Run(name, func(t *testing.T) {
			a, err := txtar.ParseFile(name)
			require.NoError(t, err)
			var got []txtar.File
			for _, f := range a.Files {
				switch f.Name {
				case "request":
					got = append(got, f, txtar.File{Name: "chat", Data: sent(t, f.Data)})
				case "chunks":
					got = append(got, f, txtar.File{Name: "events", Data: answered(t, f.Data)})
				}
			}
			require.NotEmpty(t, got)
			want := txtar.Format(&txtar.Archive{Comment: a.Comment, Files: got})
			if *update {
				require.NoError(t, os.WriteFile(name, want, 0o644))
			}
			have, err := os.ReadFile(name)
			require.NoError(t, err)
			require.Equal(t, string(want), string(have))
		})
	}
}

// sent returns what a request becomes: the body, or the error; and what is not sent.
func sent(t *testing.T, request []byte) []byte {
	t.Helper()
	require.True(t, rawjson.IsObject(request))
	body, notSent, err := chat.Request(request, false)
	var u *chat.Unsupported
	if errors.As(err, &u) {
		return []byte("error: " + err.Error() + "\n")
	}
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, json.Indent(&b, body, "", "  "))
	b.WriteByte('\n')
	if notSent != nil {
		b.WriteString("not sent: " + strings.Join(notSent, ", ") + "\n")
	}
	return b.Bytes()
}

// answered returns the events that chunks become, a line each, and how the response
// ends.
func answered(t *testing.T, chunks []byte) []byte {
	t.Helper()
	p := newPlayer(`{"model":"asked"}`)
	done := false
	for line := range strings.Lines(string(chunks)) {
		if line = strings.TrimSpace(line); line == "[DONE]" {
			done = true
		} else if line != "" {
			require.True(t, rawjson.IsObject([]byte(line)), line)
			p.answer.Chunk([]byte(line), 1)
		}
	}
	whole := p.answer.End(done, 2)
	require.NoError(t, p.err)
	var b bytes.Buffer
	for _, e := range p.events {
		o := rawjson.ReadObject(e.Data)
		object := rawjson.ReadObject(o.Get("response"))
		for _, name := range []string{"type", "sequence_number", "response"} {
			o.Delete(name)
		}
		for _, name := range []string{"id", "model", "status", "incomplete_details", "error", "output", "usage"} {
			if v := object.Get(name); responses.Terminal(e.Type) && string(v) != "null" {
				o.Set(name, v)
			}
		}
		b.WriteString(e.Type + " " + string(o.Encode()) + "\n")
	}
	if !whole {
		b.WriteString("(cut off)\n")
	} else {
		require.NoError(t, p.checker.End())
	}
	return b.Bytes()
}

// A player has an answer written, and checks it.
type player struct {
	answer  *chat.Answer
	checker responses.Checker
	events  []responses.Event
	err     error
}

func newPlayer(request string) *player {
	p := &player{}
	made := 0
	p.answer = chat.NewAnswer([]byte(request), func(prefix string) string {
		made++
		return prefix + strconv.Itoa(made)
	}, func(e responses.Event) {
		p.events = append(p.events, e)
		if err := p.checker.Event(e.Data); err != nil && p.err == nil {
			p.err = err
		}
	})
	return p
}
