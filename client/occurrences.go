package client

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/rota-run/rota"
)

// All returns one page of the caller's schedules, whatever their agent.
func (s Schedules) All(ctx context.Context, f rota.ScheduleFilter, p rota.Page, opts ...CallOption) (rota.List[rota.Schedule], error) {
	filter := query("id", string(f.ID), "agent_id", string(f.AgentID), "status", string(f.Status), "pause_reason", string(f.PauseReason), "name", f.Name, "q", f.Q)
	return list[rota.Schedule](ctx, s.s, allSchedulesPath(), p, with(with(opts, filter), metadata(f.Metadata)))
}

// Occurrences returns one page of what became of a schedule's nominal times,
// the newest first.
func (s Schedules) Occurrences(ctx context.Context, agent rota.AgentID, id rota.ScheduleID, f rota.OccurrenceFilter, p rota.Page, opts ...CallOption) (rota.List[rota.Occurrence], error) {
	filter := query("outcome", string(f.Outcome), "from", instant(f.From), "to", instant(f.To))
	return list[rota.Occurrence](ctx, s.s, schedulePath(agent, id, "occurrences"), p, with(opts, filter))
}

// AllOccurrences returns one page of what became of nominal times, whatever their
// schedule, the latest first.
func (s Schedules) AllOccurrences(ctx context.Context, f rota.OccurrenceFilter, p rota.Page, opts ...CallOption) (rota.List[rota.Occurrence], error) {
	filter := query("agent_id", string(f.AgentID), "schedule_id", string(f.ScheduleID), "outcome", string(f.Outcome),
		"trigger", string(f.Trigger), "from", instant(f.From), "to", instant(f.To), "phase", string(f.Phase), "error_code", f.ErrorCode, "q", f.Q,
		"reason", f.Reason, "unseen", flag(f.Unseen), "as_of", instant(f.AsOf))
	return list[rota.Occurrence](ctx, s.s, []string{"occurrences"}, p, with(opts, filter))
}

// Acknowledge acknowledges that an occurrence was missed or blocked, or how its run ended.
func (s Schedules) Acknowledge(ctx context.Context, id rota.OccurrenceID, opts ...CallOption) (rota.Occurrence, error) {
	return call[rota.Occurrence](ctx, s.s, http.MethodPost, []string{"occurrences", string(id), "acknowledge"}, nil, opts)
}

// AcknowledgeAll acknowledges every occurrence that was missed or blocked and that body
// matches, and says how many those were.
func (s Schedules) AcknowledgeAll(ctx context.Context, body rota.AcknowledgeOccurrences, opts ...CallOption) (rota.Acknowledgements, error) {
	return call[rota.Acknowledgements](ctx, s.s, http.MethodPost, []string{"occurrences", "acknowledge"}, body, opts)
}

// Upcoming returns the next nominal times of a schedule, at most count
// (1..100; 0 is 10).
func (s Schedules) Upcoming(ctx context.Context, agent rota.AgentID, id rota.ScheduleID, count int, opts ...CallOption) (rota.Preview, error) {
	n := ""
	if count != 0 {
		n = strconv.Itoa(count)
	}
	return call[rota.Preview](ctx, s.s, http.MethodGet, schedulePath(agent, id, "upcoming"), nil, with(opts, query("count", n)))
}

// Preview says what a schedule would do. Nothing is written.
func (s Schedules) Preview(ctx context.Context, body rota.PreviewCreate, opts ...CallOption) (rota.Preview, error) {
	return call[rota.Preview](ctx, s.s, http.MethodPost, allSchedulesPath("preview"), body, opts)
}

// Trigger lets a schedule run now, also one that is paused or completed. The
// overlap policy applies; the answer says what became of it.
func (s Schedules) Trigger(ctx context.Context, agent rota.AgentID, id rota.ScheduleID, opts ...CallOption) (rota.Occurrence, error) {
	return call[rota.Occurrence](ctx, s.s, http.MethodPost, schedulePath(agent, id, "trigger"), nil, opts)
}

// Backfill runs a schedule's times of the past that have started no run, or
// only lists them: unless body says otherwise, it is a dry run.
func (s Schedules) Backfill(ctx context.Context, agent rota.AgentID, id rota.ScheduleID, body rota.BackfillCreate, opts ...CallOption) (rota.Backfill, error) {
	return call[rota.Backfill](ctx, s.s, http.MethodPost, schedulePath(agent, id, "backfill"), body, opts)
}

// Skip marks a nominal time ahead to be skipped.
func (s Schedules) Skip(ctx context.Context, agent rota.AgentID, id rota.ScheduleID, body rota.OccurrenceSkip, opts ...CallOption) (rota.Schedule, error) {
	return call[rota.Schedule](ctx, s.s, http.MethodPost, schedulePath(agent, id, "skip"), body, opts)
}

// Unskip takes the mark of a nominal time away.
func (s Schedules) Unskip(ctx context.Context, agent rota.AgentID, id rota.ScheduleID, body rota.OccurrenceSkip, opts ...CallOption) (rota.Schedule, error) {
	return call[rota.Schedule](ctx, s.s, http.MethodPost, schedulePath(agent, id, "unskip"), body, opts)
}

// PauseAll pauses every active schedule of the caller that body matches, and
// says how many that were. After an error some may be paused; asking again goes
// on with the rest.
func (s Schedules) PauseAll(ctx context.Context, body rota.BulkPause, opts ...CallOption) (rota.BulkResult, error) {
	return call[rota.BulkResult](ctx, s.s, http.MethodPost, allSchedulesPath("pause"), body, opts)
}

// ResumeAll resumes every paused schedule of the caller that body matches, as
// PauseAll pauses them.
func (s Schedules) ResumeAll(ctx context.Context, body rota.BulkResume, opts ...CallOption) (rota.BulkResult, error) {
	return call[rota.BulkResult](ctx, s.s, http.MethodPost, allSchedulesPath("resume"), body, opts)
}

// TriggerAll lets every active schedule of the caller run now that body matches, as PauseAll
// pauses them.
func (s Schedules) TriggerAll(ctx context.Context, body rota.BulkTrigger, opts ...CallOption) (rota.BulkResult, error) {
	return call[rota.BulkResult](ctx, s.s, http.MethodPost, allSchedulesPath("trigger"), body, opts)
}

// Forecast counts the runs that the caller's active schedules plan, from an
// instant up to another, in buckets of whole seconds. What is zero is left to
// the server: the hours of the day that begins now.
func (s Schedules) Forecast(ctx context.Context, from, to time.Time, bucket time.Duration, opts ...CallOption) (rota.Forecast, error) {
	return call[rota.Forecast](ctx, s.s, http.MethodGet, []string{"forecast"}, nil, with(opts, buckets(from, to, bucket)))
}

// Summary counts what became of nominal times and how runs ended, from an instant up
// to another, in buckets of whole hours. What is zero is left to the server: the hours of
// the last day. [OfEndUser] says of whom.
func (s Schedules) Summary(ctx context.Context, from, to time.Time, bucket time.Duration, opts ...CallOption) (rota.Summary, error) {
	return call[rota.Summary](ctx, s.s, http.MethodGet, []string{"summary"}, nil, with(opts, buckets(from, to, bucket)))
}

// A LaneQuery says which lanes are wanted. What is zero is left to the server.
type LaneQuery struct {
	From, To time.Time
	Sort     rota.LaneSort
	Limit    int // how many schedules
	Slots    int // into how many parts the time is divided
}

// Lanes returns what became of the times of schedules, and which are to come. [OfEndUser]
// says of whom.
func (s Schedules) Lanes(ctx context.Context, q LaneQuery, opts ...CallOption) (rota.Lanes, error) {
	number := func(n int) string {
		if n == 0 {
			return ""
		}
		return strconv.Itoa(n)
	}
	filter := query("from", instant(q.From), "to", instant(q.To), "sort", string(q.Sort), "limit", number(q.Limit), "slots", number(q.Slots))
	return call[rota.Lanes](ctx, s.s, http.MethodGet, []string{"lanes"}, nil, with(opts, filter))
}

// buckets asks for what happens from an instant up to another, in buckets.
func buckets(from, to time.Time, bucket time.Duration) CallOption {
	width := ""
	if bucket != 0 {
		width = strconv.FormatInt(int64(bucket/time.Second), 10)
	}
	return query("from", instant(from), "to", instant(to), "bucket", width)
}

func allSchedulesPath(more ...string) []string {
	return append([]string{"schedules"}, more...)
}

// query adds parameters, given as names and values; empty values are left out.
func query(pairs ...string) CallOption {
	return func(o *callOptions) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i+1] != "" {
				o.query.Set(pairs[i], pairs[i+1])
			}
		}
	}
}

// flag returns the wire form of true; what is false is left out.
func flag(on bool) string {
	if on {
		return "true"
	}
	return ""
}

// instant returns the wire form of a time, or nothing if it is zero.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return rota.InstantOf(t).String()
}
