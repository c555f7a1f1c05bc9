package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rota-run/rota"
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
	to := time.Now()
	sum, err := s.Schedules.Summary(ctx, to.Add(-day), to, 0, c.options(s)...)
	if err != nil {
		return err
	}
	answer := s.answer
	paused, err := c.pausedByRota(ctx, s)
	if err != nil {
		return err
	}
	if s.json {
		err = printJSON(s.out, answer)
	} else {
		err = printCard(s.out, s.width, todayCard(sum, paused, zone))
	}
	if needs := needsYou(sum.Total, paused); err == nil && len(needs) > 0 {
		return fmt.Errorf("%w: %s", errNeedsYou, strings.Join(needs, ", "))
	}
	return err
}

// pausedByRota returns schedules that nobody has asked to pause.
func (c *todayCmd) pausedByRota(ctx context.Context, s *session) ([]rota.Schedule, error) {
	var all []rota.Schedule
	for _, why := range []rota.PauseCode{rota.PausedByFailures, rota.PausedByKey} {
		f := rota.ScheduleFilter{Status: rota.SchedulePaused, PauseReason: why}
		l, err := s.Schedules.All(ctx, f, rota.Page{Limit: maxPage}, c.options(s)...)
		if err != nil {
			return nil, err
		}
		all = append(all, l.Data...)
	}
	return all, nil
}

// needsYou returns what somebody should look at, each with its number.
func needsYou(t rota.SummaryCounts, paused []rota.Schedule) (all []string) {
	for _, n := range []struct {
		count     int64
		one, many string
	}{
		{t.Runs.Failed, "run failed", "runs failed"},
		{t.Runs.Incomplete, "run is incomplete", "runs are incomplete"},
		{t.Occurrences.Missed, "time was missed", "times were missed"},
		{t.Occurrences.Blocked, "time was blocked", "times were blocked"},
		{int64(len(paused)), "schedule was paused by Rota", "schedules were paused by Rota"},
	} {
		switch {
		case n.count == 1:
			all = append(all, "1 "+n.one)
		case n.count > 1:
			all = append(all, fmt.Sprint(n.count, " ", n.many))
		}
	}
	return all
}

func todayCard(s rota.Summary, paused []rota.Schedule, zone *time.Location) []line {
	needs := needsYou(s.Total, paused)
	answer := "Everything ran that should have."
	if len(needs) > 0 {
		answer = "Not everything ran: " + strings.Join(needs, ", ") + "."
	}
	return []line{
		{"today", answer},
		{"since", nominal(s.From.In(zone))},
		{"completed", number(&s.Total.Runs.Completed)},
		{"tokens", number(&s.Total.Tokens.Total)},
		{"errors", tableText(errorColumns(), s.Total.Errors)},
		{"paused", tableText(pausedColumns(zone), paused)},
	}
}

func pausedColumns(zone *time.Location) []column[rota.Schedule] {
	return []column[rota.Schedule]{
		{"SCHEDULE", func(s rota.Schedule) string { return string(s.ID) }},
		{"SINCE", func(s rota.Schedule) string { return nominal(s.PauseReason.At.In(zone)) }},
		{"WHY", func(s rota.Schedule) string { return string(s.PauseReason.Code) }},
	}
}
