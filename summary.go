package rota

import "time"

// A Tally counts what became of occurrences, and how runs ended.
type Tally struct {
	Outcomes OutcomeCounts
	Runs     RunCounts
	Tokens   Tokens
	Late     [20]int64 // occurrences that fired, by how late: see LatenessBucket
}

// OutcomeCounts counts nominal times by what became of them.
type OutcomeCounts struct {
	Fired            int64 `json:"fired"`
	SkippedOverlap   int64 `json:"skipped_overlap"`
	SkippedRequested int64 `json:"skipped_requested"`
	Buffered         int64 `json:"buffered" doc:"Those that still wait."`
	Missed           int64 `json:"missed"`
	Blocked          int64 `json:"blocked"`
}

// RunCounts counts runs by how they ended.
type RunCounts struct {
	Completed  int64 `json:"completed"`
	Incomplete int64 `json:"incomplete"`
	Failed     int64 `json:"failed"`
	Cancelled  int64 `json:"cancelled"`
}

// Fields returns every count, in an order that does not change.
func (t *Tally) Fields() [35]*int64 {
	o, r, k := &t.Outcomes, &t.Runs, &t.Tokens
	all := [35]*int64{
		&o.Fired, &o.SkippedOverlap, &o.SkippedRequested, &o.Buffered, &o.Missed, &o.Blocked,
		&r.Completed, &r.Incomplete, &r.Failed, &r.Cancelled,
		&k.Input, &k.Cached, &k.Output, &k.Reasoning, &k.Total,
	}
	for i := range t.Late {
		all[len(all)-len(t.Late)+i] = &t.Late[i]
	}
	return all
}

// Add adds the counts of another tally.
func (t *Tally) Add(more Tally) {
	counts := more.Fields()
	for i, n := range t.Fields() {
		*n += *counts[i]
	}
}

// Outcome returns the count of an outcome.
func (t *Tally) Outcome(o Outcome) *int64 {
	switch o {
	case Fired:
		return &t.Outcomes.Fired
	case SkippedOverlap:
		return &t.Outcomes.SkippedOverlap
	case SkippedRequested:
		return &t.Outcomes.SkippedRequested
	case Buffered:
		return &t.Outcomes.Buffered
	case MissedOutcome:
		return &t.Outcomes.Missed
	default:
		return &t.Outcomes.Blocked
	}
}

// Phase returns the count of the runs that ended in a phase.
func (t *Tally) Phase(p Phase) *int64 {
	switch p {
	case PhaseCompleted:
		return &t.Runs.Completed
	case PhaseIncomplete:
		return &t.Runs.Incomplete
	case PhaseFailed:
		return &t.Runs.Failed
	default:
		return &t.Runs.Cancelled
	}
}

// latenessBounds returns the upper bounds of the buckets of lateness, in milliseconds.
// The last bucket has none.
func latenessBounds() [19]int64 {
	const second, minute = 1000, 60_000
	return [19]int64{
		1, 2, 5, 10, 20, 50, 100, 200, 500, second, 2 * second, 5 * second, 10 * second, 30 * second,
		minute, 5 * minute, 30 * minute, 120 * minute, 1440 * minute,
	}
}

// LatenessBucket returns the place in Late of an occurrence that fired so late.
func LatenessBucket(ms int64) int {
	bounds := latenessBounds()
	for i, b := range bounds {
		if ms <= b {
			return i
		}
	}
	return len(bounds)
}

// Lateness says how late occurrences fired.
type Lateness struct {
	Count int64  `json:"count" doc:"How many fired, apart from those of backfills."`
	P50MS *int64 `json:"p50_ms" doc:"Half of them were at most this late: a bound of 1, 2, 5, 10 ms and so on; null if none fired, or it is more than a day."`
	P99MS *int64 `json:"p99_ms" doc:"99 of 100 were at most this late; likewise."`
}

// Lateness returns what the counts say of lateness.
func (t Tally) Lateness() Lateness {
	var l Lateness
	for _, n := range t.Late {
		l.Count += n
	}
	l.P50MS, l.P99MS = t.late(l.Count, 50), t.late(l.Count, 99)
	return l
}

// late returns the bound below which so many of 100 are.
func (t Tally) late(count, percent int64) *int64 {
	seen := int64(0)
	for i, bound := range latenessBounds() {
		if seen += t.Late[i]; count > 0 && seen*100 >= count*percent {
			return &bound
		}
	}
	return nil
}

// TallyKept is how long counts are kept.
const TallyKept = 400 * 24 * time.Hour

// TallyBucket is how finely outcomes are counted: by the hour, in UTC.
const TallyBucket = time.Hour

// tallyPoints is in how many parts a span is counted at most.
const tallyPoints = 48

// Counted calls add with the instants at which an occurrence is counted: its nominal
// time, or of a span, up to 48 that are spread evenly over it.
func (o Occurrence) Counted(add func(at time.Time, count int64)) {
	points := min(o.Count, tallyPoints)
	if o.ScheduledUntil == nil || points < 2 {
		add(o.ScheduledFor.Time, o.Count)
		return
	}
	length := o.ScheduledUntil.Sub(o.ScheduledFor.Time)
	for k := range points {
		at := o.ScheduledFor.Add(length / time.Duration(points-1) * time.Duration(k))
		add(at, o.Count*(k+1)/points-o.Count*k/points)
	}
}

// Summary says what became of occurrences, and how runs ended, over some time.
type Summary struct {
	Object        string          `json:"object" enum:"summary"`
	From          Instant         `json:"from"`
	To            Instant         `json:"to"`
	BucketSeconds int64           `json:"bucket_seconds"`
	Total         SummaryCounts   `json:"total"`
	Data          []SummaryBucket `json:"data" doc:"Every bucket, in the order of time."`
}

// A SummaryBucket is a part of a summary.
type SummaryBucket struct {
	From Instant `json:"from"`
	To   Instant `json:"to" doc:"It is not part of the bucket."`
	SummaryCounts
}

// SummaryCounts are the counts of a summary.
type SummaryCounts struct {
	Occurrences OutcomeCounts `json:"occurrences" doc:"Nominal times by what became of them, in the hour of the nominal time. A span counts as often as its count says, spread over its length."`
	Lateness    Lateness      `json:"lateness" doc:"From the nominal time to the decision."`
	Runs        RunCounts     `json:"runs" doc:"Runs by how they ended, in the hour of the end."`
	Errors      []ErrorCount  `json:"errors" doc:"Why runs failed or were cancelled, the most frequent first."`
	Tokens      Tokens        `json:"tokens" doc:"What the runs that ended used."`
}

// An ErrorCount counts runs that ended for one reason.
type ErrorCount struct {
	Phase Phase  `json:"phase" enum:"failed,cancelled,incomplete"`
	Code  string `json:"code"`
	Count int64  `json:"count"`
}

// An HourTally is what is counted in one hour.
type HourTally struct {
	Hour   time.Time
	Tally  Tally
	Errors []ErrorCount
}

// ObjectSummary is the object of a [Summary].
const ObjectSummary = "summary"
