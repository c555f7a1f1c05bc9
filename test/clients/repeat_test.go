package clients

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var starts = flag.Int("starts", 100, "how many runs and schedules a client that is cut off starts")

// A started is what the client got for one start.
type started struct{ Input, ID, Error string }

// TestCutOff: a client that is cut off does not start work twice. It gives up after
// five seconds and asks again, without a key; the database lets nobody write for
// seven, and again for every 500 requests. What the client got an answer for is there
// once. What it has no more patience for is there once at most: on a machine that has
// better things to do than to run the client, two tries can be all that it makes.
func TestCutOff(t *testing.T) {
	needPython(t)
	newest().python(t)
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.start(t)
			for _, what := range []string{"run", "schedule"} {
				p, agent := startProxy(t, s.url, 500), s.agent(t)
				answers := s.startMany(t, p, agent, what, *starts, "different")
				require.Len(t, answers, *starts)
				wrong := once(t, p, answers, s.all(t, agent, what))
				judge(t, fmt.Sprintf("a client that is cut off, on %s: as many %ss as it starts", d.name, what), wrong)
			}
		})
	}
}

// TestPatient: ten equal starts at once from a caller that waits are ten runs,
// also when the database keeps them waiting.
func TestPatient(t *testing.T) {
	needPython(t)
	newest().python(t)
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.start(t)
			p, agent := startProxy(t, s.url, 1000), s.agent(t)
			answers := s.startMany(t, p, agent, "run", 10, "equal", "20000")
			judge(t, fmt.Sprintf("a patient client, on %s: ten equal starts at once make ten runs", d.name),
				ten(answers, s.all(t, agent, "run")))
		})
	}
}

// startMany lets the client start things through the proxy, and freezes the
// database whenever a notable request comes by.
func (s *server) startMany(t *testing.T, p *proxy, agent, what string, count int, rest ...string) (all []started) {
	t.Helper()
	args := append([]string{"-B", "scripts/start.py", p.url, key, agent, what, fmt.Sprint(count)}, rest...)
	cmd := exec.CommandContext(t.Context(), newest().python(t), args...)
	complaints := new(bytes.Buffer)
	cmd.Stderr = complaints
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	thaw := s.freeze(t)
	require.NoError(t, cmd.Start())
	lines := make(chan started)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(out); in.Scan(); {
			var one started
			_ = json.Unmarshal(in.Bytes(), &one)
			lines <- one
		}
	}()
	timer := time.NewTimer(time.Hour) // until somebody has come to wait
	defer timer.Stop()
	for {
		select {
		case <-p.notable:
			thaw()
			thaw = s.freeze(t)
			timer.Reset(silence)
		case <-timer.C:
			p.free()
			thaw()
		case one, more := <-lines:
			if !more {
				thaw()
				require.NoError(t, cmd.Wait(), complaints)
				return all
			}
			all = append(all, one)
		}
	}
}

// once says what is wrong if each input was not started exactly once. It prints how
// many were started again because an answer was lost, and how many the client gave up.
func once(t *testing.T, p *proxy, answers []started, have map[string][]string) (wrong []string) {
	t.Helper()
	made, lost, gaveUp := 0, 0, 0
	for _, a := range answers {
		ids := have[a.Input]
		delete(have, a.Input)
		made += len(ids)
		switch {
		case a.Error != "":
			story := fmt.Sprintf("%s: the client says %s, and there are %d: %s", a.Input, a.Error, len(ids), strings.Join(p.post(a.Input).story, ", "))
			t.Log(story)
			if gaveUp++; len(ids) > 1 && !p.lost(a.Input) || !strings.HasPrefix(a.Error, "ReadTimeout") {
				wrong = append(wrong, story)
			}
		case len(ids) > 1 && slices.Contains(ids, a.ID) && p.lost(a.Input):
			lost++
		case len(ids) != 1 || ids[0] != a.ID:
			wrong = append(wrong, fmt.Sprintf("%s: the client got %s, and there are %v", a.Input, a.ID, ids))
		}
	}
	for input := range have {
		wrong = append(wrong, "nobody has asked for "+input)
	}
	t.Logf("%d starts made %d; %d answers were lost after they were written, and the client gave up %d times", len(answers), made, lost, gaveUp)
	if most := len(answers) / 50; gaveUp > most {
		wrong = append(wrong, fmt.Sprintf("the client gave up %d times, more than %d", gaveUp, most))
	}
	return summary(wrong)
}

func summary(wrong []string) []string {
	if len(wrong) > 5 {
		return append(wrong[:5:5], fmt.Sprintf("and %d more", len(wrong)-5))
	}
	return wrong
}

// ten says what is wrong if ten equal starts did not make ten.
func ten(answers []started, have map[string][]string) (wrong []string) {
	ids := make(map[string]bool)
	for _, a := range answers {
		if a.Error != "" {
			wrong = append(wrong, a.Error)
		}
		ids[a.ID] = true
	}
	if got := len(have["the same"]); got != 10 || len(ids) != 10 {
		wrong = append(wrong, fmt.Sprintf("the client got %d different ones, and there are %d", len(ids), got))
	}
	return summary(wrong)
}

// agent saves an agent and returns its id.
func (s *server) agent(t *testing.T) string {
	t.Helper()
	var a struct{ ID string }
	require.Equal(t, http.StatusCreated, s.ask(t, http.MethodPost, "/agents", `{"name":"a","model":"small"}`, &a))
	return a.ID
}

// all returns the ids of an agent's runs or schedules by their input.
func (s *server) all(t *testing.T, agent, what string) map[string][]string {
	t.Helper()
	found, more := make(map[string][]string), ""
	for {
		var page struct {
			Data    []struct{ ID, Input string }
			LastID  string `json:"last_id"`
			HasMore bool   `json:"has_more"`
		}
		path := fmt.Sprintf("/agents/%s/%ss?limit=100%s", agent, what, more)
		require.Equal(t, http.StatusOK, s.ask(t, http.MethodGet, path, "", &page))
		for _, one := range page.Data {
			found[one.Input] = append(found[one.Input], one.ID)
		}
		if more = "&after=" + page.LastID; !page.HasMore {
			return found
		}
	}
}

// ask asks the server without the client, and returns the status.
func (s *server) ask(t *testing.T, method, path, body string, into any) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+"/api/v1"+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+key)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, into), "%s", b)
	return resp.StatusCode
}
