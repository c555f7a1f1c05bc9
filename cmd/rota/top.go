package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/term"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
)

type topCmd struct {
	endUserFlag
	utcFlag
	Once  bool `help:"Print it once and end, as for a script. With --output json: summary, needs_you, lanes and running."`
	Limit int  `default:"20" placeholder:"N" help:"How many schedules, 1 to 50 [${default}]."`
}

// Run shows the board until somebody quits, or prints it once.
func (c *topCmd) Run(ctx context.Context, s *session) error {
	zone, err := c.location()
	if err != nil {
		return err
	}
	s.call = nil // calls are made side by side: none may keep its answer in the session
	if c.Once || s.json {
		b, err := c.read(ctx, s)
		if err != nil {
			return err
		}
		if s.json {
			return json.NewEncoder(s.out).Encode(b.summary())
		}
		_, err = fmt.Fprint(s.out, b.text(zone, nowhere))
		return err
	}
	if out, ok := s.out.(*os.File); !ok || !term.IsTerminal(int(out.Fd())) {
		return usagef("top needs a terminal: --once prints what it shows")
	}
	return c.watch(ctx, s, zone)
}

func (c *topCmd) watch(ctx context.Context, s *session, zone *time.Location) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	p := tea.NewProgram(&top{cmd: c, ctx: ctx, s: s, zone: zone}, tea.WithContext(ctx), tea.WithInput(s.in), tea.WithOutput(s.out), tea.WithoutSignalHandler())
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		c.follow(ctx, s, p.Send)
	}()
	_, err := p.Run()
	stop()
	<-followed
	if context.Cause(ctx) != nil && strings.Contains(fmt.Sprint(err), context.Canceled.Error()) {
		return nil
	}
	return err
}

// retryChanges is how long to wait before changes are followed again after a failure.
const retryChanges = 5 * time.Second

// follow says when something has changed, until ctx ends.
func (c *topCmd) follow(ctx context.Context, s *session, send func(tea.Msg)) {
	for ctx.Err() == nil {
		for _, err := range s.Account.Changes(ctx, c.options(s)...) {
			if err == nil {
				send(boardChanged{})
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryChanges):
		}
	}
}

// A board is what top shows of one moment.
type board struct {
	today
	lanes   rota.Lanes
	running []rota.Run
}

// maxRunning is how many runs the board shows.
const maxRunning = 20

func (c *topCmd) read(ctx context.Context, s *session) (b board, err error) {
	options, now := c.options(s), s.now()
	if b.today, err = readToday(ctx, s, now, options); err != nil {
		return b, err
	}
	q := client.LaneQuery{From: now.Add(-day), To: now.Add(day), Sort: rota.LanesByTrouble, Limit: c.Limit, Slots: laneSlots}
	if b.lanes, err = s.Schedules.Lanes(ctx, q, options...); err != nil {
		return b, err
	}
	running, err := s.Runs.All(ctx, rota.RunFilter{Phase: rota.PhaseRunning}, rota.Page{Limit: maxRunning}, options...)
	b.running = running.Data
	return b, err
}

// summary is the board as JSON.
func (b board) summary() any {
	return map[string]any{"summary": b.sum, "needs_you": append([]string{}, b.needsYou()...), "lanes": b.lanes, "running": append([]rota.Run{}, b.running...)}
}

// nowhere is the place of no row.
const nowhere = -1

// text is the board with a mark at one of its rows: the lanes, and below them the runs.
func (b board) text(zone *time.Location, row int) string {
	var out strings.Builder
	at := func(i rota.Instant) string { return nominal(i.Truncate(time.Second).In(zone)) }
	fmt.Fprintf(&out, "%s  %s\n", at(b.lanes.Now), b.sentence())
	for _, part := range []string{tableText(matterColumns(), b.unseen), tableText(pausedColumns(zone), b.paused), tableText(waitingColumns(), b.waiting)} {
		if part != "" {
			out.WriteString("\n" + part)
		}
	}
	fmt.Fprintf(&out, "\n%s to %s\n%s\n", at(b.lanes.From), at(b.lanes.To), laneLegend)
	out.WriteString(marked(tableText(laneColumns(b.lanes), b.lanes.Data), row))
	if len(b.running) > 0 {
		out.WriteString("\n" + marked(tableText(runningColumns(zone), b.running), row-len(b.lanes.Data)))
	}
	return out.String()
}

// marked sets a mark before one row of a table; its head is none.
func marked(table string, row int) string {
	lines := slices.Collect(strings.Lines(table))
	for i, line := range lines {
		lines[i] = "  " + line
		if i > 0 && i-1 == row {
			lines[i] = "> " + line
		}
	}
	return strings.Join(lines, "")
}

func runningColumns(zone *time.Location) []column[rota.Run] {
	return []column[rota.Run]{
		{"RUNNING", func(r rota.Run) string { return string(r.ID) }},
		{"AGENT", func(r rota.Run) string { return string(r.AgentID) }},
		{"SINCE", func(r rota.Run) string {
			if r.StartedAt == nil {
				return ""
			}
			return nominal(r.StartedAt.In(zone))
		}},
	}
}
