package calendar

import (
	"fmt"
	"strings"
	"time"

	"github.com/rota-run/rota"
)

// A Warning points at something in a schedule that is valid and may not be
// what was meant. Codes never change; messages are for people to read.
type Warning struct {
	Code    WarningCode
	Message string
}

// WarningCode says what a warning is about.
type WarningCode string

const (
	ClockChange WarningCode = "clock_change" // the clock soon skips or repeats one of the times
	TopOfHour   WarningCode = "top_of_hour"  // it runs in the minute in which everybody's schedules run
	UnevenStep  WarningCode = "uneven_step"  // a step that does not divide its field, so that one distance is shorter
	ShortMonths WarningCode = "short_months" // months that have no such day have no times
)

// Warnings returns what may surprise about a cron expression, in the order of
// the codes above. Clock changes are looked for in the year that begins at
// from, and the first that skips and the first that repeats a time are told.
func (c Calendar) Warnings(from time.Time) []Warning {
	if c.kind != rota.Cron {
		return nil
	}
	all := c.clockChanges(instantOf(from))
	if c.cron.minutes == 1 {
		all = append(all, Warning{TopOfHour, "many schedules run at minute 0; another minute finds the model's provider less busy"})
	}
	texts, _ := fiveFields(c.expression)
	for i, f := range fields {
		all = append(all, f.unevenSteps(texts[i])...)
	}
	if lacking := c.cron.shortMonths(); lacking != "" && texts[2][0] != '*' {
		all = append(all, Warning{ShortMonths, lacking})
	}
	return all
}

// clockChanges warns about times that the clock skips or repeats in the year
// that begins at t. Where every hour matches, real time is what was asked for.
func (c Calendar) clockChanges(t instant) (all []Warning) {
	if c.cron.hours == 1<<24-1 {
		return nil
	}
	var skips, repeats bool
	for until := t + 366*day; ; {
		before := stretchAt(c.loc, t)
		if t = before.end; t > until {
			return all
		}
		after := stretchAt(c.loc, t)
		change := clockChange{c, t, before.wall(t), after.wall(t)}
		warned := &skips
		if change.to < change.from {
			warned = &repeats
		}
		if w, ok := change.hit(); ok && !*warned {
			*warned = true
			all = append(all, Warning{ClockChange, change.message(w)})
		}
	}
}

// A clockChange is a moment at which the clock that should show one time shows
// another.
type clockChange struct {
	Calendar
	at       instant
	from, to wall
}

// hit returns the first matching time that the clock skips or repeats.
func (c clockChange) hit() (wall, bool) {
	w, ok := c.cron.from(min(c.from, c.to))
	return w, ok && w < max(c.from, c.to)
}

func (c clockChange) message(w wall) string {
	const clock = "15:04"
	moved := fmt.Sprintf("on %s the clock of %s moves from %s to %s",
		c.from.time().Format(time.DateOnly), c.loc, c.from.time().Format(clock), c.to.time().Format(clock))
	at := w.time().Format(clock)
	switch skipped := c.to > c.from; {
	case skipped && c.cron.realTime:
		return fmt.Sprintf("%s: %s does not happen, and there is no run for it", moved, at)
	case skipped:
		return fmt.Sprintf("%s: %s does not happen, and its run starts at %s", moved, at, c.to.time().Format(clock))
	case c.cron.realTime:
		return fmt.Sprintf("%s: %s happens twice, with a run each time", moved, at)
	default:
		return fmt.Sprintf("%s: %s happens twice, with a run the first time only", moved, at)
	}
}

// unevenSteps warns about steps through a whole field that do not divide it.
func (f field) unevenSteps(text string) (all []Warning) {
	for item := range strings.SplitSeq(text, ",") {
		stepText, ok := strings.CutPrefix(item, "*/")
		if !ok {
			continue
		}
		if step, _ := parseStep(stepText); (f.hi-f.lo+1)%step != 0 {
			all = append(all, Warning{UnevenStep, f.unevenMessage(item, step)})
		}
	}
	return all
}

func (f field) unevenMessage(item string, step int) string {
	set, _ := f.parse(item)
	return fmt.Sprintf("%s in the field %s stands for %s and then starts again at %d: the distances are not all %d",
		item, f.name, joinAnd(texts(members(set), "%d")), f.lo, step)
}

// shortMonths says which of the days named are lacking in which of the months.
func (c cron) shortMonths() string {
	var lacks []string
	for dom := 29; dom <= 31; dom++ {
		if c.days>>dom&1 == 0 {
			continue
		}
		if months := c.monthsWithout(dom); len(months) > 0 {
			lacks = append(lacks, fmt.Sprintf("there is no %s in %s", ordinal(dom), joinAnd(months)))
		}
	}
	return strings.Join(lacks, "; ")
}

// monthsWithout returns those of the months that match which lack the day.
func (c cron) monthsWithout(dom int) (all []string) {
	for m := time.January; m <= time.December; m++ {
		switch {
		case c.months>>m&1 == 0:
		case dom == 29 && m == time.February:
			all = append(all, "February except in leap years")
		case dom > longest(m):
			all = append(all, m.String())
		}
	}
	return all
}
