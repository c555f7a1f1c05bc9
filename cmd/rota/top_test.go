package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

// aBoard has three lanes, of which the last has failed, and a run under way.
func aBoard() board {
	start := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	at := func(hours int) rota.Instant { return rota.InstantOf(start.Add(time.Duration(hours) * time.Hour)) }
	started, fired, failed, names := at(23), "fired", rota.PhaseFailed, []string{"Mornings", "Évenings", "Herd"}
	b := board{lanes: rota.Lanes{From: at(0), Now: at(24), To: at(48)}}
	for _, n := range names {
		b.lanes.Data = append(b.lanes.Data, rota.Lane{
			ScheduleID: "asch_" + rota.ScheduleID(n), AgentID: "agt_1", Name: &n,
			Past: []rota.LanePart{{From: at(9), To: at(9), Count: 1, Outcome: &fired}}, Ahead: []rota.LanePart{{From: at(33), To: at(33), Count: 1}},
		})
	}
	b.lanes.Data[2].Past[0].Phase, b.lanes.Data[2].Trouble = &failed, 1
	b.running = []rota.Run{{ID: "arun_1", AgentID: "agt_1", StartedAt: &started}}
	b.unseen = []matter{{what: "failed", code: "timeout", times: 1, schedules: map[rota.ScheduleID]bool{"asch_Herd": true}}}
	return b
}

// aTop shows the board on a screen of a server that gives answers.
func aTop(t *testing.T, width, height int, answers ...answer) (*top, *fake) {
	t.Helper()
	f := newFake(t, append(answers, answer{200, `{}`})...)
	s, err := (&remote{Server: f.URL, Key: "sesame"}).open(stdio{})
	require.NoError(t, err)
	s.call = nil
	screen := &top{cmd: &topCmd{Limit: 20}, ctx: t.Context(), s: s, zone: time.UTC}
	screen.Update(tea.WindowSizeMsg{Width: width, Height: height})
	screen.Update(boardRead{board: aBoard()})
	return screen, f
}

// press presses keys, and does what the last of them stands for.
func press(t *testing.T, s *top, keys string) {
	t.Helper()
	for _, k := range keys {
		key := tea.KeyPressMsg{Code: k, Text: string(k)}
		if _, cmd := s.Update(key); cmd != nil {
			s.Update(cmd())
		}
	}
}

func TestTopGolden(t *testing.T) {
	for name, size := range map[string][2]int{"top-80x24": {80, 24}, "top-120x40": {120, 40}, "top-60x9": {60, 9}} {
		s, _ := aTop(t, size[0], size[1])
		press(t, s, "jj")
		golden(t, name, s.View().Content+"\n")
		lines := strings.Split(s.View().Content, "\n")
		require.LessOrEqual(t, len(lines), size[1])
		require.Contains(t, s.View().Content, "> Herd", "whatever is left out")
	}
}

// Nothing is done that somebody has not said yes to, and nothing twice.
func TestTopAsksFirst(t *testing.T) {
	for keys, want := range map[string]string{
		"p":     "",
		"pn":    "",
		"py":    "POST /api/v1/agents/agt_1/schedules/asch_Mornings/pause",
		"pyy":   "POST /api/v1/agents/agt_1/schedules/asch_Mornings/pause",
		"jry":   "POST /api/v1/agents/agt_1/schedules/asch_%C3%89venings/resume",
		"jjty":  "POST /api/v1/agents/agt_1/schedules/asch_Herd/trigger",
		"jjjcy": "POST /api/v1/agents/agt_1/runs/arun_1/cancel",
		"jjjpy": "", // a run is not paused
		"kcy":   "",
	} {
		s, f := aTop(t, 80, 24)
		press(t, s, keys)
		if want == "" {
			require.Empty(t, f.seen, keys)
			continue
		}
		require.Len(t, f.seen, 1, keys)
		require.Equal(t, want, f.seen[0].method+" "+f.seen[0].uri, keys)
		require.Empty(t, f.seen[0].header.Get("X-On-Behalf-Of"))
	}
	s, f := aTop(t, 80, 24, answer{409, `{"error":{"code":"conflict","message":"it is paused"}}`})
	ana := "ana"
	s.board.lanes.Data[0].EndUser = &ana
	s.choose()
	press(t, s, "ty")
	require.Equal(t, "ana", f.seen[0].header.Get("X-On-Behalf-Of"))
	require.NotEmpty(t, f.seen[0].header.Get("Idempotency-Key"))
	require.Contains(t, s.View().Content, "Not done: ")
	require.Contains(t, s.View().Content, "it is paused")
}

func TestTopFilters(t *testing.T) {
	s, _ := aTop(t, 80, 24)
	press(t, s, "/évx")
	s.Update(tea.KeyPressMsg{Code: tea.KeyBackspace})
	require.Contains(t, s.View().Content, "filter: év")
	require.Contains(t, s.View().Content, "> Évenings")
	require.NotContains(t, s.View().Content, "Mornings")
	s.Update(tea.KeyPressMsg{Code: tea.KeyEnter})
	s.Update(boardRead{board: aBoard()})
	require.NotContains(t, s.View().Content, "Mornings", "when the board is read again, too")
	press(t, s, "/")
	s.Update(tea.KeyPressMsg{Code: tea.KeyEscape})
	require.Contains(t, s.View().Content, "Mornings")
}

// While the board is read, what changes is read once more, and not at once.
func TestTopReadsOneAfterTheOther(t *testing.T) {
	s, _ := aTop(t, 80, 24)
	require.NotNil(t, s.load(0))
	for range 3 {
		_, cmd := s.Update(boardChanged{})
		require.Nil(t, cmd)
	}
	_, cmd := s.Update(boardRead{err: errors.New("the server is away")})
	require.NotNil(t, cmd)
	require.Contains(t, s.View().Content, "not up to date: the server is away")
	require.Contains(t, s.View().Content, "Mornings", "what was read before stays")
	_, cmd = s.Update(boardRead{board: aBoard()})
	require.Nil(t, cmd)
	require.NotContains(t, s.View().Content, "not up to date")
}

// TestTopOnATerminal draws the board as a terminal gets it, until q is pressed.
func TestTopOnATerminal(t *testing.T) {
	s, _ := aTop(t, 80, 24)
	keys, out := bytes.NewBufferString("q"), new(bytes.Buffer)
	p := tea.NewProgram(s, tea.WithContext(context.WithoutCancel(t.Context())), tea.WithInput(keys), tea.WithOutput(out), tea.WithWindowSize(80, 24), tea.WithoutSignalHandler())
	_, err := p.Run()
	require.NoError(t, err)
	require.Contains(t, out.String(), "\x1b[?1049l", "the terminal is as it was")
}

func TestTopNeedsATerminal(t *testing.T) {
	newFake(t, answer{200, `{}`})
	got := rotaCmd("", "top")
	require.Equal(t, exitUsage, got.code)
	require.Equal(t, "rota: top: top needs a terminal: --once prints what it shows\n", got.err)
}
