package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func stream(events ...string) answer {
	var b strings.Builder
	for i, e := range events {
		fmt.Fprintf(&b, "id: %d\ndata: %s\n\n", i, e)
	}
	return answer{200, b.String()}
}

func delta(text string) string {
	b, _ := json.Marshal(text)
	return `{"type":"response.output_text.delta","delta":` + string(b) + `}`
}

const (
	created   = `{"type":"response.created"}`
	completed = `{"type":"response.completed"}`
	failed    = `{"type":"response.failed"}`
)

type watchCase struct {
	args     string
	answers  []answer
	code     int
	out, err string
}

func watchCases(t *testing.T) map[string]watchCase {
	found := answer{200, `{"id":"arun_1","agent_id":"agt_1","phase":"running"}`}
	done := answer{200, answerFile(t, "run-completed")}
	bad := answer{200, answerFile(t, "run-failed")}
	const doneLine = "completed in 3.492s (tokens: 120 in, 40 out)\n"
	const badLine = "rota: runs watch: the run failed: timeout: the model did not answer within 600 s\n"
	return map[string]watchCase{
		"shows text as it comes":                   {"", []answer{found, stream(created, delta("Hello"), delta(", \u001bworld"), completed), done}, exitOK, "Hello, world\n", doneLine},
		"adds no line end that is there":           {"", []answer{found, stream(created, delta("Hello\n"), completed), done}, exitOK, "Hello\n", doneLine},
		"shows each attempt on its own":            {"", []answer{found, stream(created, delta("Hel"), created, delta("Hello"), completed), done}, exitOK, "Hel\nHello\n", doneLine},
		"shows what a run has said":                {"", []answer{found, stream(completed), done}, exitOK, "Two things:\n- rain\n- sun\nThat is all.\n", doneLine},
		"fails with the run":                       {"", []answer{found, stream(created, delta("Hel"), failed), bad}, exitRefused, "Hel\n", badLine},
		"asks less if it knows the agent":          {" --agent-id agt_1", []answer{stream(failed), bad}, exitRefused, "", badLine},
		"prints events as they are":                {" --output json", []answer{found, stream(created, delta("x"), completed), done}, exitOK, created + "\n" + delta("x") + "\n" + completed + "\n", doneLine},
		"fails if there is no such run":            {"", []answer{{404, `{"error":{"message":"no such run","code":"not_found"}}`}}, exitNotFound, "", "rota: runs watch: no such run\n"},
		"ends the line when the stream breaks":     {"", []answer{found, stream(delta("Hel"), `{`)}, exitRefused, "Hel\n", "rota: runs watch: an event is not JSON: unexpected end of JSON input\n"},
		"does not take an open run for a good one": {"", []answer{found, stream(completed), found}, exitRefused, "", "rota: runs watch: the events have ended, but the run is running\n"},
	}
}

func TestWatch(t *testing.T) {
	for name, test := range watchCases(t) {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, test.answers...)
			got := rotaCmd("", strings.Fields("runs watch arun_1"+test.args)...)
			require.Equal(t, result{test.code, test.out, test.err}, got)
			require.Len(t, f.seen, len(test.answers))
		})
	}
}

func TestTriggerWatches(t *testing.T) {
	args := strings.Fields("agent-schedules trigger --agent-id agt_1 --schedule-id asch_1 --watch")
	fired := answer{200, answerFile(t, "occurrence-fired")}
	said := stream(created, delta("Hello"), completed)

	f := newFake(t, fired, said, answer{200, answerFile(t, "run-completed")})
	got := rotaCmd("", args...)
	require.Equal(t, exitOK, got.code)
	require.Equal(t, "Hello\n", got.out)
	require.Contains(t, got.err, "run            arun_01937f3c5d4e7a6b8c9d0e1f2a3b4c5d\n")
	require.Contains(t, got.err, "\ncompleted in 3.492s")
	require.Equal(t, "/api/v1/agents/agt_1/runs/arun_01937f3c5d4e7a6b8c9d0e1f2a3b4c5d/events", f.seen[1].uri)

	newFake(t, fired, said, answer{200, answerFile(t, "run-completed")})
	require.Equal(t, created+"\n"+delta("Hello")+"\n"+completed+"\n", rotaCmd("", append(args, "-o", "json")...).out)

	newFake(t, fired, stream(failed), answer{200, answerFile(t, "run-failed")})
	require.Equal(t, exitRefused, rotaCmd("", args...).code)

	newFake(t, answer{200, answerFile(t, "occurrence-skipped")})
	require.Equal(t, result{exitRefused, "", "rota: agent-schedules trigger: there is no run to watch: skipped_overlap: run arun_01937f3c5d4e7a6b8c9d0e1f2a3b4c5d had not ended\n"}, rotaCmd("", args...))

	newFake(t, answer{404, `{"error":{"message":"no such schedule","code":"not_found"}}`})
	require.Equal(t, result{exitNotFound, "", "rota: agent-schedules trigger: no such schedule\n"}, rotaCmd("", args...))
}

func TestEventsAreLines(t *testing.T) {
	f := newFake(t, stream(created, delta("x"), completed))
	got := rotaCmd("", "agent-runs", "events", "--agent-id", "agt_1", "--run-id", "arun_1", "--after", "7")
	require.Equal(t, result{exitOK, created + "\n" + delta("x") + "\n" + completed + "\n", ""}, got)
	require.Equal(t, "7", f.seen[0].header.Get("Last-Event-ID"))
}

// TestAnInterruptedWatch: what is stopped is the watching, not the run.
func TestAnInterruptedWatch(t *testing.T) {
	newFake(t, answer{200, `{}`})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	code := run(ctx, strings.Fields("runs watch arun_1 --agent-id agt_1"), stdio{out: &out, err: &errs})
	require.Equal(t, exitInterrupted, code)
	require.Equal(t, "rota: runs watch: no longer watching; the run goes on: rota runs watch arun_1\n", errs.String())
}
