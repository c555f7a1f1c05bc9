package main

import (
	"context"
	"strconv"
	"time"

	"github.com/rota-run/rota"
)

type summaryCmd struct {
	endUserFlag
	betweenFlags
	Bucket *span `placeholder:"TIME" help:"Length of the parts in which is counted: whole hours, up to 7d; 1h by default."`
}

// Run by default counts what happened in the last day.
func (c *summaryCmd) Run(ctx context.Context, s *session) error {
	from, to, zone, err := c.betweenFlags.read()
	if err != nil {
		return err
	}
	var bucket time.Duration
	if c.Bucket != nil {
		bucket = time.Duration(*c.Bucket)
	}
	card := func(f rota.Summary) []line { return summaryCard(f, zone) }
	return show(s, card)(s.Schedules.Summary(ctx, from, to, bucket, c.options(s)...))
}

func summaryCard(s rota.Summary, zone *time.Location) []line {
	t := s.Total
	return []line{
		{"from", nominal(s.From.In(zone))},
		{"to", nominal(s.To.In(zone))},
		{"tokens", strconv.FormatInt(t.Tokens.Total, 10)},
		{"lateness", "p50 " + lateness(t.Lateness.P50MS) + ", p99 " + lateness(t.Lateness.P99MS)},
		{"errors", tableText(errorColumns(), t.Errors)},
		{"buckets", tableText(summaryColumns(zone), s.Data)},
	}
}

// lateness returns a bound in words.
func lateness(ms *int64) string {
	if ms == nil {
		return "-"
	}
	return (time.Duration(*ms) * time.Millisecond).String()
}

func errorColumns() []column[rota.ErrorCount] {
	return []column[rota.ErrorCount]{
		{"PHASE", func(e rota.ErrorCount) string { return string(e.Phase) }},
		{"CODE", func(e rota.ErrorCount) string { return e.Code }},
		{"RUNS", func(e rota.ErrorCount) string { return strconv.FormatInt(e.Count, 10) }},
	}
}

func summaryColumns(zone *time.Location) []column[rota.SummaryBucket] {
	count := func(name string, n func(rota.SummaryBucket) int64) column[rota.SummaryBucket] {
		return column[rota.SummaryBucket]{name, func(b rota.SummaryBucket) string { return strconv.FormatInt(n(b), 10) }}
	}
	return []column[rota.SummaryBucket]{
		{"FROM", func(b rota.SummaryBucket) string { return nominal(b.From.In(zone)) }},
		count("FIRED", func(b rota.SummaryBucket) int64 { return b.Occurrences.Fired }),
		count("SKIPPED", func(b rota.SummaryBucket) int64 {
			return b.Occurrences.SkippedOverlap + b.Occurrences.SkippedRequested
		}),
		count("BUFFERED", func(b rota.SummaryBucket) int64 { return b.Occurrences.Buffered }),
		count("MISSED", func(b rota.SummaryBucket) int64 { return b.Occurrences.Missed }),
		count("BLOCKED", func(b rota.SummaryBucket) int64 { return b.Occurrences.Blocked }),
		count("COMPLETED", func(b rota.SummaryBucket) int64 { return b.Runs.Completed }),
		count("FAILED", func(b rota.SummaryBucket) int64 { return b.Runs.Failed }),
	}
}
