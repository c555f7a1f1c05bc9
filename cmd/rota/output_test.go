package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

// answerFile is an answer of a server, in testdata.
func answerFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "answers", name+".json"))
	require.NoError(t, err)
	return string(b)
}

func listOf(more bool, items ...string) string {
	var first struct {
		ID string `json:"id"`
	}
	last := first
	_ = json.Unmarshal([]byte(items[0]), &first)
	_ = json.Unmarshal([]byte(items[len(items)-1]), &last)
	return fmt.Sprintf(`{"object":"list","data":[%s],"first_id":%q,"last_id":%q,"has_more":%t}`,
		strings.Join(items, ","), first.ID, last.ID, more)
}

// outputCase is a command line, and what it prints of an answer.
type outputCase struct{ golden, args, answer string }

func occurrenceOutputs(t *testing.T) []outputCase {
	t.Helper()
	const id = " --agent-id agt_1 --schedule-id asch_1"
	fired, skipped, missed := answerFile(t, "occurrence-fired"), answerFile(t, "occurrence-skipped"), answerFile(t, "occurrence-missed")
	return []outputCase{
		{"agent-schedules-occurrences", "agent-schedules occurrences" + id, listOf(false, skipped, fired, missed)},
		{"agent-schedules-occurrences-zone", "agent-schedules occurrences --timezone Europe/Madrid" + id, listOf(false, skipped, missed)},
		{"agent-schedules-trigger", "agent-schedules trigger" + id, fired},
		{"agent-schedules-trigger-skipped", "agent-schedules trigger" + id, skipped},
		{"agent-schedules-upcoming", "agent-schedules upcoming" + id, answerFile(t, "upcoming")},
		{"schedules-preview", "schedules preview --cron @daily", answerFile(t, "preview")},
		{"schedules-preview-never", "schedules preview --cron @daily", answerFile(t, "preview-never")},
		{"schedules-list", "schedules list", listOf(false, answerFile(t, "schedule-cron"), answerFile(t, "schedule-paused"))},
		{"schedules-pause", "schedules pause --all", `{"object":"schedule.bulk","changed":3}`},
		{"forecast", "forecast --timezone Europe/Madrid", answerFile(t, "forecast")},
	}
}

func TestGoldenOutput(t *testing.T) {
	agent, agent2 := answerFile(t, "agent"), answerFile(t, "agent-hostile")
	cron, paused := answerFile(t, "schedule-cron"), answerFile(t, "schedule-paused")
	done, failed := answerFile(t, "run-completed"), answerFile(t, "run-failed")
	key, newKey := answerFile(t, "key"), answerFile(t, "key-new")
	for _, test := range append([]outputCase{
		{"agents-list", "agents list", listOf(false, agent, agent2)},
		{"agents-get", "agents get --agent-id agt_1", agent},
		{"agents-get-hostile", "agents get --agent-id agt_1", agent2},
		{"agents-get-json", "agents get --agent-id agt_1 -o json", agent},
		{"agents-delete", "agents delete --agent-id agt_1", `{"object":"agent.deleted","id":"agt_1","deleted":true}`},
		{"agents-list-empty", "agents list", `{"object":"list","data":[],"first_id":null,"last_id":null,"has_more":false}`},
		{"agent-schedules-list", "agent-schedules list --agent-id agt_1", listOf(false, cron, paused)},
		{"agent-schedules-get", "agent-schedules get --agent-id agt_1 --schedule-id asch_1", cron},
		{"agent-schedules-get-paused", "agent-schedules get --agent-id agt_1 --schedule-id asch_1", paused},
		{"agent-runs-list", "agent-runs list --agent-id agt_1", listOf(false, done, failed)},
		{"agent-runs-get", "agent-runs get --agent-id agt_1 --run-id arun_1", done},
		{"agent-runs-get-failed", "agent-runs get --agent-id agt_1 --run-id arun_1", failed},
		{"keys-list", "keys list", listOf(false, key, key)},
		{"keys-create", "keys create --name ci", newKey},
		{"keys-revoke", "keys revoke --key-id key_1", key},
	}, occurrenceOutputs(t)...) {
		t.Run(test.golden, func(t *testing.T) {
			newFake(t, answer{200, test.answer})
			got := rotaCmd("", strings.Fields(test.args)...)
			require.Equal(t, exitOK, got.code, got.err)
			require.Empty(t, got.err)
			golden(t, test.golden, got.out)
		})
	}
}

func TestJSONIsWhatTheServerSent(t *testing.T) {
	const sent = `{"z":1e400,"id":"agt_1","a":"<é>","new":[]}`
	const shown = "{\n  \"z\": 1e400,\n  \"id\": \"agt_1\",\n  \"a\": \"<é>\",\n  \"new\": []\n}\n"
	newFake(t, answer{200, sent})
	require.Equal(t, shown, rotaCmd("", "agents", "get", "--agent-id", "agt_1", "--output", "json").out)
	t.Setenv("ROTA_OUTPUT", "json")
	require.Equal(t, shown, rotaCmd("", "agents", "list").out)
}

func TestListsSayHowTheyGoOn(t *testing.T) {
	newFake(t, answer{200, listOf(true, `{"id":"agt_3"}`, `{"id":"agt_2"}`)})
	require.Equal(t, "more: --after agt_2\n", rotaCmd("", "agents", "list").err)
	require.Equal(t, "more: --before agt_3\n", rotaCmd("", "agents", "list", "--before", "agt_1").err)
}

func TestAllFollowsAList(t *testing.T) {
	pages := []answer{{200, listOf(true, `{"id":"agt_3","x":"<"}`, `{"id":"agt_2"}`)}, {200, listOf(false, `{"id":"agt_1"}`)}}
	f := newFake(t, pages...)
	got := rotaCmd("", "agents", "list", "--all", "--limit", "2")
	require.Empty(t, got.err)
	require.Equal(t, 4, strings.Count(got.out, "\n"), got.out)
	require.Equal(t, "/api/v1/agents?after=agt_2&limit=2", f.seen[1].uri)

	newFake(t, pages...)
	got = rotaCmd("", "agents", "list", "--all", "-o", "json")
	require.JSONEq(t, `{"object":"list","data":[{"id":"agt_3","x":"<"},{"id":"agt_2"},{"id":"agt_1"}],"first_id":"agt_3","last_id":"agt_1","has_more":false}`, got.out)
	require.Contains(t, got.out, `"x": "<"`)

	newFake(t, pages[0], answer{404, "{}"})
	got = rotaCmd("", "agents", "list", "--all")
	require.Equal(t, exitNotFound, got.code)
	require.Empty(t, got.out, "half a list looks like a whole one")
}

func TestSpecsInWords(t *testing.T) {
	for want, spec := range map[string]rota.Spec{
		"once at 2026-12-01T09:00:00.000Z": {Type: rota.Once, RunAt: "2026-12-01T09:00:00.000Z", Timezone: "UTC"},
		"every 1m30s":                      {Type: "interval", IntervalSeconds: 90},
		"cron @daily (UTC)":                {Type: rota.Cron, CronExpression: "@daily", Timezone: "UTC"},
		"lunar":                            {Type: "lunar"},
	} {
		require.Equal(t, want, specText(spec))
	}
}

func TestSpans(t *testing.T) {
	for text, want := range map[string]string{
		"90s": "1m30s", "1h30m": "1h30m", "7d": "7d", "1d12h": "1d12h", "36h": "1d12h", "0s": "0s", "0d": "0s", "1m0s": "1m",
	} {
		var s span
		err := s.UnmarshalText([]byte(text))
		if text == "0d" {
			require.Error(t, err)
			continue
		}
		require.NoError(t, err, text)
		require.Equal(t, want, s.String())
	}
	for _, text := range []string{"", "5", "1.5s", "-1h", "1w", "d", "1d-1h", "99999d", "1.5d", "10ms"} {
		require.Error(t, new(span).UnmarshalText([]byte(text)), text)
	}
}

func TestOutputTextOfOddResponses(t *testing.T) {
	for _, response := range []string{`null`, `"x"`, `{}`, `{"output":null}`, `{"output":[{"type":"reasoning"}]}`, `{"output":[{"content":[{"type":"refusal","text":"no"}]}]}`} {
		f := newFake(t, answer{200, `{"id":"arun_1","gateway_response":` + response + `}`})
		got := rotaCmd("", "agent-runs", "get", "--agent-id", "agt_1", "--run-id", "arun_1")
		require.Equal(t, exitOK, got.code, got.err)
		require.NotContains(t, got.out, "output")
		f.Close()
	}
}

// TestNarrowTerminals: no line is longer than the terminal is wide, and nothing is
// left out.
func TestNarrowTerminals(t *testing.T) {
	tests := append([]outputCase{
		{"narrow-agents-list", "agents list", listOf(false, answerFile(t, "agent"), answerFile(t, "agent-hostile"))},
		{"narrow-schedules-list", "agent-schedules list --agent-id agt_1", listOf(false, answerFile(t, "schedule-cron"), answerFile(t, "schedule-paused"))},
		{"narrow-schedule", "agent-schedules get --agent-id agt_1 --schedule-id asch_1", answerFile(t, "schedule-cron")},
		{"narrow-run", "agent-runs get --agent-id agt_1 --run-id arun_1", answerFile(t, "run-failed")},
	}, outputCase{"narrow-occurrences", "agent-schedules occurrences --agent-id agt_1 --schedule-id asch_1 --timezone UTC", listOf(false, answerFile(t, "occurrence-skipped"), answerFile(t, "occurrence-fired"), answerFile(t, "occurrence-missed"))})
	for _, test := range tests {
		t.Run(test.golden, func(t *testing.T) {
			newFake(t, answer{200, test.answer})
			t.Setenv("COLUMNS", "40")
			got := rotaCmd("", strings.Fields(test.args)...)
			require.Equal(t, exitOK, got.code, got.err)
			require.LessOrEqual(t, widest(got.out), 40)
			golden(t, test.golden, got.out)
		})
	}
}

func TestAnEmptyListSaysWhy(t *testing.T) {
	newFake(t, answer{200, `{"object":"list","data":[],"has_more":false,"warnings":[{"code":"no_such_time","message":"the schedule has no time then"}]}`})
	got := rotaCmd("", "agent-schedules", "occurrences", "--agent-id", "agt_1", "--schedule-id", "asch_1", "--timezone", "UTC")
	require.Equal(t, exitOK, got.code)
	require.Equal(t, "the schedule has no time then\n", got.err)
}

func TestTheTextOfARun(t *testing.T) {
	newFake(t, answer{200, answerFile(t, "run-completed")})
	require.Equal(t, result{exitOK, "Two things:\n- rain\n- sun\nThat is all.\n", ""}, rotaCmd("", "runs", "get", "arun_1", "--text"))
	newFake(t, answer{200, answerFile(t, "run-failed")})
	got := rotaCmd("", "agent-runs", "get", "--agent-id", "agt_1", "--run-id", "arun_1", "--text")
	require.Equal(t, result{exitRefused, "", "rota: agent-runs get: the run is failed and has said nothing\n"}, got)
}
