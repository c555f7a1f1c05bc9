package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
)

type todayCmd struct {
	endUserFlag
	utcFlag
}

// errNeedsYou marks that something has happened that somebody should look at.
var errNeedsYou = errors.New("something needs you")

// Run says whether everything ran in the last 24 hours. As JSON, it is the summary of
// these hours.
func (c *todayCmd) Run(ctx context.Context, s *session) error {
	zone, err := c.location()
	if err != nil {
		return err
	}
	t, err := readToday(ctx, s, time.Now(), c.options(s))
	if err != nil {
		return err
	}
	if s.json {
		err = s.printJSON(t.answer)
	} else {
		err = printCard(s.out, s.width, todayCard(t, zone))
	}
	if needs := t.needsYou(); err == nil && len(needs) > 0 {
		return fmt.Errorf("%w: %s", errNeedsYou, strings.Join(needs, ", "))
	}
	return err
}

// A today is whether everything ran in a day, and what somebody should look at.
type today struct {
	sum     rota.Summary
	answer  json.RawMessage // sum, as the server sent it
	unseen  []matter
	paused  []rota.Schedule
	waiting []rota.Approval
}

// readToday reads the day up to a time.
func readToday(ctx context.Context, s *session, to time.Time, options []client.CallOption) (t today, err error) {
	if t.sum, err = s.Schedules.Summary(ctx, to.Add(-day), to, 0, append(options, client.Answer(&t.answer))...); err != nil {
		return t, err
	}
	if t.paused, err = pausedByRota(ctx, s, options); err != nil {
		return t, err
	}
	if t.unseen, err = unseen(ctx, s, to.Add(-day), options); err != nil {
		return t, err
	}
	waiting, err := s.Runs.Approvals(ctx, rota.ApprovalFilter{Status: rota.ApprovalPending}, rota.Page{Limit: maxPage}, options...)
	t.waiting = waiting.Data
	return t, err
}

// pausedByRota returns schedules that nobody has asked to pause.
func pausedByRota(ctx context.Context, s *session, options []client.CallOption) ([]rota.Schedule, error) {
	var all []rota.Schedule
	for _, why := range []rota.PauseCode{rota.PausedByFailures, rota.PausedByKey} {
		f := rota.ScheduleFilter{Status: rota.SchedulePaused, PauseReason: why}
		l, err := s.Schedules.All(ctx, f, rota.Page{Limit: maxPage}, options...)
		if err != nil {
			return nil, err
		}
		all = append(all, l.Data...)
	}
	return all, nil
}

// A matter is what has happened for one reason and nobody has acknowledged.
type matter struct {
	what      string // missed, blocked, failed, incomplete
	code      string
	times     int64
	schedules map[rota.ScheduleID]bool
}

// maxMatters bounds how many rows of a kind are read.
const maxMatters = 10 * maxPage

// unseen returns what nobody has acknowledged since a time.
func unseen(ctx context.Context, s *session, since time.Time, options []client.CallOption) ([]matter, error) {
	var all []matter
	for _, outcome := range []rota.Outcome{rota.MissedOutcome, rota.Blocked} {
		f := rota.OccurrenceFilter{Outcome: outcome, Unseen: true, From: since}
		err := upTo(maxMatters, func(p rota.Page) (rota.List[rota.Occurrence], error) {
			return s.Schedules.AllOccurrences(ctx, f, p, options...)
		}, func(o rota.Occurrence) {
			code := ""
			if o.Reason != nil {
				code = o.Reason.Code
			}
			all = addMatter(all, matter{what: string(outcome), code: code, times: o.Count}, &o.ScheduleID)
		})
		if err != nil {
			return nil, err
		}
	}
	for _, phase := range []rota.Phase{rota.PhaseFailed, rota.PhaseIncomplete} {
		f := rota.RunFilter{Phase: phase, Unseen: true, From: since}
		err := upTo(maxMatters, func(p rota.Page) (rota.List[rota.Run], error) {
			return s.Runs.All(ctx, f, p, options...)
		}, func(r rota.Run) {
			code := ""
			if r.Error != nil {
				code = r.Error.Code
			}
			all = addMatter(all, matter{what: string(phase), code: code, times: 1}, r.ScheduleID)
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// upTo reads a list to its end, or until so many rows have been read.
func upTo[T any](most int, read func(rota.Page) (rota.List[T], error), row func(T)) error {
	for l, err := range client.Pages(rota.Page{Limit: maxPage}, read) {
		if err != nil {
			return err
		}
		for _, v := range l.Data {
			row(v)
		}
		if most -= len(l.Data); most <= 0 {
			break
		}
	}
	return nil
}

// addMatter adds a matter, or counts it to one with the same reason.
func addMatter(all []matter, m matter, schedule *rota.ScheduleID) []matter {
	i := slices.IndexFunc(all, func(have matter) bool { return have.what == m.what && have.code == m.code })
	if i < 0 {
		m.schedules = map[rota.ScheduleID]bool{}
		all, i = append(all, m), len(all)
	} else {
		all[i].times += m.times
	}
	if schedule != nil {
		all[i].schedules[*schedule] = true
	}
	return all
}

// needsYou returns what somebody should look at, each with its number.
func (t today) needsYou() (all []string) {
	total := map[string]int64{"paused": int64(len(t.paused)), "waiting": int64(len(t.waiting))}
	for _, m := range t.unseen {
		total[m.what] += m.times
	}
	for _, n := range [][3]string{
		{"failed", "run failed", "runs failed"},
		{"incomplete", "run is incomplete", "runs are incomplete"},
		{"missed", "time was missed", "times were missed"},
		{"blocked", "time was blocked", "times were blocked"},
		{"paused", "schedule was paused by Rota", "schedules were paused by Rota"},
		{"waiting", "call waits for an approval", "calls wait for an approval"},
	} {
		switch count := total[n[0]]; {
		case count == 1:
			all = append(all, "1 "+n[1])
		case count > 1:
			all = append(all, fmt.Sprint(count, " ", n[2]))
		}
	}
	return all
}

// sentence says whether everything ran.
func (t today) sentence() string {
	needs := strings.Join(t.needsYou(), ", ")
	total := t.sum.Total
	switch {
	case needs != "" && len(t.unseen)+len(t.paused) > 0:
		return "Not everything ran: " + needs + "."
	case needs != "":
		return "Everything ran that should have, and " + needs + "."
	case total.Runs.Failed+total.Runs.Incomplete+total.Occurrences.Missed+total.Occurrences.Blocked > 0:
		return "Nothing needs you: what did not run has been acknowledged."
	}
	return "Everything ran that should have."
}

func todayCard(t today, zone *time.Location) []line {
	return []line{
		{"today", t.sentence()},
		{"since", nominal(t.sum.From.In(zone))},
		{"completed", number(&t.sum.Total.Runs.Completed)},
		{"tokens", number(&t.sum.Total.Tokens.Total)},
		{"needs you", tableText(matterColumns(), t.unseen)},
		{"paused", tableText(pausedColumns(zone), t.paused)},
		{"approvals", tableText(waitingColumns(), t.waiting)},
	}
}

func waitingColumns() []column[rota.Approval] {
	return []column[rota.Approval]{
		{"CALL", func(a rota.Approval) string { return a.ServerLabel + "." + a.Name }},
		{"ID", func(a rota.Approval) string { return a.ID }},
		{"RUN", func(a rota.Approval) string { return text(a.RunID) }},
	}
}

func matterColumns() []column[matter] {
	return []column[matter]{
		{"WHAT", func(m matter) string { return m.what }},
		{"CODE", func(m matter) string { return m.code }},
		{"TIMES", func(m matter) string { return strconv.FormatInt(m.times, 10) }},
		{"SCHEDULES", func(m matter) string { return strconv.Itoa(len(m.schedules)) }},
	}
}

func pausedColumns(zone *time.Location) []column[rota.Schedule] {
	return []column[rota.Schedule]{
		{"SCHEDULE", func(s rota.Schedule) string { return string(s.ID) }},
		{"SINCE", func(s rota.Schedule) string { return nominal(s.PauseReason.At.In(zone)) }},
		{"WHY", func(s rota.Schedule) string { return string(s.PauseReason.Code) }},
	}
}
