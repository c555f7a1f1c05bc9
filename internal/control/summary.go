package control

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
)

// maxSummary is how long a summary can be.
const maxSummary = 366 * 24 * time.Hour

// Summary counts what became of occurrences and how runs ended, from an instant up to
// another, in buckets: of the caller's, or those of an end user, see [Control.owners].
// from is moved to the beginning of its hour in UTC and to to the end of its hour; bucket is
// whole hours. What is zero is the last day. from is at most [rota.TallyKept] ago. Scope read:agents.
func (c *Control) Summary(ctx context.Context, who auth.Caller, endUser string, from, to time.Time, bucket time.Duration) (rota.Summary, error) {
	o, err := c.owners(ctx, who, "summary", endUser)
	if err != nil {
		return rota.Summary{}, err
	}
	from, to = summarySpan(c.Now(), from, to)
	switch {
	case bucket%rota.TallyBucket != 0:
		return rota.Summary{}, rota.InvalidField("bucket", "must be whole hours: a multiple of %d", int(rota.TallyBucket.Seconds()))
	case !from.Before(to):
		return rota.Summary{}, rota.InvalidField("to", "must be after from (%s)", rota.InstantOf(from))
	case to.Sub(from) > maxSummary:
		return rota.Summary{}, rota.InvalidField("to", "must be at most 366 days after from")
	case to.Sub(from) > maxBuckets*bucket:
		return rota.Summary{}, rota.InvalidField("bucket", "must be large enough for at most %d buckets between from and to", maxBuckets)
	case c.Now().Sub(from) > rota.TallyKept:
		return rota.Summary{}, rota.InvalidField("from", "must be within the last %d days: counts are kept for so long", rota.TallyKept/(24*time.Hour))
	}
	hours, err := c.Store.Tallies(ctx, o, from, to)
	return summaryOf(hours, from, to, bucket), err
}

// summarySpan fills in what was not asked for, and extends the rest to whole hours.
func summarySpan(now, from, to time.Time) (time.Time, time.Time) {
	if to.IsZero() {
		to = now
	}
	if whole := to.UTC().Truncate(rota.TallyBucket); whole.Before(to) {
		to = whole.Add(rota.TallyBucket)
	}
	if from.IsZero() {
		from = to.Add(-24 * time.Hour)
	}
	return from.UTC().Truncate(rota.TallyBucket), to.UTC()
}

// summaryOf joins hours to buckets.
func summaryOf(hours []rota.HourTally, from, to time.Time, bucket time.Duration) rota.Summary {
	s := rota.Summary{
		Object: rota.ObjectSummary, From: rota.InstantOf(from), To: rota.InstantOf(to),
		BucketSeconds: int64(bucket / time.Second), Data: []rota.SummaryBucket{},
	}
	var total counted
	for at := from; at.Before(to); at = at.Add(bucket) {
		end := at.Add(bucket)
		if end.After(to) {
			end = to
		}
		var c counted
		for len(hours) > 0 && hours[0].Hour.Before(end) {
			c.add(hours[0])
			total.add(hours[0])
			hours = hours[1:]
		}
		s.Data = append(s.Data, rota.SummaryBucket{From: rota.InstantOf(at), To: rota.InstantOf(end), SummaryCounts: c.counts()})
	}
	s.Total = total.counts()
	return s
}

// counted is the sum of hours.
type counted struct {
	tally  rota.Tally
	errors map[rota.ErrorCount]int64 // by phase and code
}

func (c *counted) add(h rota.HourTally) {
	c.tally.Add(h.Tally)
	for _, e := range h.Errors {
		if c.errors == nil {
			c.errors = make(map[rota.ErrorCount]int64)
		}
		c.errors[rota.ErrorCount{Phase: e.Phase, Code: e.Code}] += e.Count
	}
}

func (c *counted) counts() rota.SummaryCounts {
	errors := make([]rota.ErrorCount, 0, len(c.errors))
	for e, n := range c.errors {
		e.Count = n
		errors = append(errors, e)
	}
	slices.SortFunc(errors, func(a, b rota.ErrorCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Phase, b.Phase), strings.Compare(a.Code, b.Code))
	})
	return rota.SummaryCounts{
		Occurrences: c.tally.Outcomes, Lateness: c.tally.Lateness(), Runs: c.tally.Runs, Errors: errors, Tokens: c.tally.Tokens,
	}
}
