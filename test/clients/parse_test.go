package clients

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	answers = 10_000
	callers = 4
)

// An answer is one that the client's models are to read.
type answer struct {
	Op     string          `json:"op"`
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body"`
}

// states says in a few words what the objects in the answer are like.
func (a answer) states() (all []string) {
	type object struct {
		Object, Status string
		Attempts       []struct{}
		Usage          any
		Data           []json.RawMessage
	}
	var o object
	_ = json.Unmarshal(a.Body, &o) // what is no such object has no state
	objects := []object{o}
	for _, raw := range o.Data {
		var one object
		_ = json.Unmarshal(raw, &one)
		objects = append(objects, one)
	}
	for _, o := range objects {
		if o.Status != "" {
			all = append(all, o.Object+" "+o.Status)
		}
		if o.Usage != nil {
			all = append(all, "a run with usage")
		}
		if len(o.Attempts) > 1 {
			all = append(all, "a run with several attempts")
		}
	}
	return all
}

// TestModelsReadAnswers: the models of the oldest and the newest client read 10,000
// answers to random requests.
func TestModelsReadAnswers(t *testing.T) {
	needPython(t)
	t.Parallel()
	s := databases()[0].start(t)
	var lines bytes.Buffer
	counts, seen := make(map[string]int), make(map[string]int)
	for a := range collect(t, s) {
		if a.Status >= http.StatusInternalServerError && a.Status != http.StatusNotImplemented {
			t.Errorf("%s answers %d %s", a.Op, a.Status, a.Body)
		}
		counts[fmt.Sprintf("%s %d", a.Op, a.Status)]++
		require.NoError(t, json.NewEncoder(&lines).Encode(a))
		for _, one := range a.states() {
			seen[one]++
		}
	}
	t.Log(counts)
	t.Log(seen)
	for _, want := range []string{
		"agent.run queued", "agent.run submitting", "agent.run completed", "agent.run failed", "agent.run cancelled", "agent.run incomplete",
		"agent.schedule active", "agent.schedule paused", "a run with usage", "a run with several attempts",
	} {
		require.GreaterOrEqual(t, seen[want], 10, want)
	}
	for _, v := range []version{versions[0], newest()} {
		judge(t, fmt.Sprintf("the models of %s read %d answers", v.client, answers), v.parse(t, lines.Bytes()))
	}
}

// collect asks the server, by a few callers each with a story of its own, and
// yields what it says.
func collect(t *testing.T, s *server) <-chan answer {
	all := make(chan answer)
	var group sync.WaitGroup
	for i := range callers {
		group.Go(func() {
			f := newFuzzer(uint64(i))
			for range answers / callers {
				a, err := f.step(t.Context(), s.url)
				if err != nil {
					t.Error(err)
					return
				}
				all <- a
			}
		})
	}
	go func() {
		group.Wait()
		close(all)
	}()
	return all
}

// parse returns what the version's models do not read.
func (v version) parse(t *testing.T, lines []byte) (wrong []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), v.python(t), "-B", "scripts/parse.py")
	cmd.Stdin = bytes.NewReader(lines)
	complaints := new(bytes.Buffer)
	cmd.Stderr = complaints
	out, err := cmd.Output()
	require.NoError(t, err, complaints)
	parsed := 0
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var l struct {
			Op, Problem string
			Body        json.RawMessage
			Parsed      int
		}
		if err := d.Decode(&l); errors.Is(err, io.EOF) {
			break
		} else {
			require.NoError(t, err)
		}
		parsed += l.Parsed
		if l.Problem != "" {
			wrong = append(wrong, strings.Join([]string{l.Op, l.Problem, string(l.Body)}, " "))
		}
	}
	require.Equal(t, answers, parsed+len(wrong))
	return summary(wrong)
}
