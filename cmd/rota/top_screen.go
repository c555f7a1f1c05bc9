package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
)

// A top is the board on a screen, and what somebody does there.
type top struct {
	cmd  *topCmd
	ctx  context.Context
	s    *session
	zone *time.Location

	board         board // what the rows below are chosen from
	shown         board // of it, what the filter lets pass
	read          bool  // a board has come
	err           error // why the last one did not
	reading       bool
	again         bool // something has changed since the reading began
	at            int  // the marked row
	filter        string
	typing        bool // the filter
	asked         *deed
	said          string // what came of the last deed
	width, height int
}

// A deed is what somebody asks for, to be done when they have said yes.
type deed struct {
	question string
	do       func() error
}

type (
	boardChanged struct{} // something has, somewhere
	clockMoved   struct{}
	boardRead    struct {
		board
		err error
	}
	deedDone struct{ said string }
)

const (
	readAtMost  = time.Second      // between two readings
	readAtLeast = 30 * time.Second // as the lanes move with the clock
)

// Init implements tea.Model.
func (t *top) Init() tea.Cmd { return tea.Batch(t.load(0), clock()) }

func clock() tea.Cmd { return tea.Tick(readAtLeast, func(time.Time) tea.Msg { return clockMoved{} }) }

// load reads the board after a while, unless it is being read: then it is read once more.
func (t *top) load(after time.Duration) tea.Cmd {
	if t.again = t.reading; t.reading {
		return nil
	}
	t.reading = true
	return tea.Tick(after, func(time.Time) tea.Msg {
		b, err := t.cmd.read(t.ctx, t.s)
		return boardRead{b, err}
	})
}

// Update implements tea.Model.
func (t *top) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		t.width, t.height = msg.Width, msg.Height
	case boardChanged:
		return t, t.load(readAtMost)
	case clockMoved:
		return t, tea.Batch(t.load(0), clock())
	case boardRead:
		t.reading, t.err = false, msg.err
		if msg.err == nil {
			t.board, t.read = msg.board, true
			t.choose()
		}
		if t.again {
			return t, t.load(readAtMost)
		}
	case deedDone:
		t.said = msg.said
		return t, t.load(0)
	case tea.KeyPressMsg:
		return t, t.press(msg)
	}
	return t, nil
}

// choose takes what the filter lets pass, and keeps the mark at a row.
func (t *top) choose() {
	t.shown = t.board
	t.shown.lanes.Data = nil
	for _, l := range t.board.lanes.Data {
		if strings.Contains(strings.ToLower(laneName(l)), strings.ToLower(t.filter)) {
			t.shown.lanes.Data = append(t.shown.lanes.Data, l)
		}
	}
	t.at = min(max(t.at, 0), max(t.rows()-1, 0))
}

func (t *top) rows() int { return len(t.shown.lanes.Data) + len(t.shown.running) }

// press does what a key stands for.
func (t *top) press(key tea.KeyPressMsg) tea.Cmd {
	switch {
	case key.String() == "ctrl+c":
		return tea.Quit
	case t.typing:
		t.edit(key)
		return nil
	case t.asked != nil:
		asked := t.asked
		if t.asked = nil; key.String() != "y" {
			t.said = ""
			return nil
		}
		return func() tea.Msg {
			if err := asked.do(); err != nil {
				return deedDone{"Not done: " + err.Error()}
			}
			return deedDone{"Done: " + strings.TrimSuffix(asked.question, "?")}
		}
	}
	switch t.said = ""; key.String() {
	case "q", "esc":
		return tea.Quit
	case "up", "k":
		t.at--
	case "down", "j":
		t.at++
	case "/":
		t.typing = true
	default:
		t.asked = t.ask(key.String())
	}
	t.choose()
	return nil
}

// edit changes the filter.
func (t *top) edit(key tea.KeyPressMsg) {
	switch key.String() {
	case "enter":
		t.typing = false
	case "esc":
		t.typing, t.filter = false, ""
	case "backspace":
		if r := []rune(t.filter); len(r) > 0 {
			t.filter = string(r[:len(r)-1])
		}
	default:
		t.filter += key.Text
	}
	t.choose()
}

// ask returns what a key means for the marked row; nil if nothing.
func (t *top) ask(key string) *deed {
	lanes := t.shown.lanes.Data
	switch {
	case t.rows() == 0:
		return nil
	case t.at < len(lanes):
		return t.askSchedule(key, lanes[t.at])
	case key == "c":
		r := t.shown.running[t.at-len(lanes)]
		return &deed{"cancel " + string(r.ID) + "?", func() error {
			return onlyError(t.s.Runs.Cancel(t.ctx, r.AgentID, r.ID, actFor(r.EndUser)...))
		}}
	}
	return nil
}

func (t *top) askSchedule(key string, l rota.Lane) *deed {
	agent, id, who := l.AgentID, l.ScheduleID, actFor(l.EndUser)
	switch key {
	case "p":
		return &deed{"pause " + laneName(l) + "?", func() error { return onlyError(t.s.Schedules.Pause(t.ctx, agent, id, rota.SchedulePause{}, who...)) }}
	case "r":
		return &deed{"resume " + laneName(l) + "?", func() error { return onlyError(t.s.Schedules.Resume(t.ctx, agent, id, rota.SchedulePause{}, who...)) }}
	case "t":
		once := append(who, client.IdempotencyKey(rand.Text()))
		return &deed{"run " + laneName(l) + " now?", func() error { return onlyError(t.s.Schedules.Trigger(t.ctx, agent, id, once...)) }}
	}
	return nil
}

func onlyError[T any](_ T, err error) error { return err }

// actFor are the options of a call about what an end user has.
func actFor(user *string) []client.CallOption {
	if user == nil {
		return nil
	}
	return []client.CallOption{client.ActFor(*user)}
}

const topKeys = "arrows: choose  p: pause  r: resume  t: run now  c: cancel  /: filter  q: quit"

// View implements tea.Model.
func (t *top) View() tea.View {
	v := tea.NewView(t.screen())
	v.AltScreen, v.WindowTitle = true, "rota top"
	return v
}

// screen is as many lines as there is room for. The last one is about keys and what they did.
func (t *top) screen() string {
	last := topKeys
	switch {
	case t.asked != nil:
		last = t.asked.question + " y: yes   any other key: no"
	case t.typing:
		last = "filter: " + t.filter + "_   enter: keep   esc: all"
	case t.said != "":
		last = t.said
	case t.err != nil:
		last = "not up to date: " + t.err.Error()
	}
	if !t.read {
		return clip(clean(last), t.width)
	}
	all := fit(strings.Split(strings.TrimSuffix(t.shown.text(t.zone, t.at), "\n"), "\n"), t.height-2)
	for i, l := range all {
		all[i] = clip(l, t.width)
	}
	return strings.Join(append(all, "", clip(clean(last), t.width)), "\n")
}

// fit leaves out lines below the first until there is room for the rest, the marked one
// among them.
func fit(lines []string, room int) []string {
	if room < 3 || len(lines) <= room {
		return lines
	}
	marked := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "> ") })
	first := 1 + max(marked-room+2, 0)
	kept := append(lines[:1:1], lines[first:min(first+room-2, len(lines))]...)
	return append(kept, fmt.Sprintf("… %d more lines: a filter or a larger window shows them", len(lines)-len(kept)))
}

// clip cuts a line to a width, if there is one.
func clip(line string, width int) string {
	if r := []rune(line); width > 0 && len(r) > width {
		return string(r[:width-1]) + "…"
	}
	return line
}
