package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rota-run/rota"
)

const allSchedulesPath = "/api/v1/schedules"

func (a *api) occurrenceOperations() []*operation {
	const tag = "Occurrences"
	skip := `{"scheduled_for": "2026-12-24T08:00:00.000Z"}`
	return []*operation{
		lists(Route{http.MethodGet, schedulePath + "/occurrences", rota.ReadAgents, http.StatusOK, "list_schedule_occurrences"}, a.listOccurrences).
			says(tag, "List what became of a schedule's times", "Every nominal time that has passed, with its outcome and why, and with how its run ended, in the order of the nominal times. A span of missed times is one entry with a count. While the schedule is paused, what the pause has kept from starting is one open entry. If nothing is listed because the schedule has no such time, warnings says so.").
			with("outcome", "from", "to").byTime(),
		answers(Route{http.MethodGet, schedulePath + "/upcoming", rota.ReadAgents, http.StatusOK, "list_upcoming_occurrences"}, a.upcoming).
			says(tag, "List the times ahead", "The next nominal times of a schedule; of one that is paused, those that it would have if it were resumed now, with a warning.").
			with("count"),
		answers(Route{http.MethodPost, schedulePath + "/trigger", rota.WriteAgents, http.StatusOK, "trigger_agent_schedule"}, a.trigger).
			says(tag, "Run a schedule now", "Also one that is paused or completed. The overlap policy applies; the answer is the occurrence, whose nominal time is now.").
			with("idempotency_key").once(),
		accepts(Route{http.MethodPost, schedulePath + "/backfill", rota.WriteAgents, http.StatusOK, "backfill_agent_schedule"}, a.backfill).
			says(tag, "Run times of the past", "The nominal times between two instants, at most 1,000, that have started no run. Unless dry_run is false, they are only listed. They wait as buffered and start the oldest first, at the server's catch-up rate; unless overlap is allow_all, one after the other. A schedule that is paused answers 409; pausing it gives up what has not started.").
			like(`{"from": "2026-11-01T00:00:00Z", "to": "2026-11-07T23:59:59Z", "dry_run": true}`).with("idempotency_key"),
		accepts(Route{http.MethodPost, schedulePath + "/skip", rota.WriteAgents, http.StatusOK, "skip_schedule_occurrence"}, a.skip).
			says(tag, "Skip one occurrence", "Marks a nominal time ahead. When it comes, its outcome is skipped_requested.").
			like(skip).with("idempotency_key", "if_match"),
		accepts(Route{http.MethodPost, schedulePath + "/unskip", rota.WriteAgents, http.StatusOK, "unskip_schedule_occurrence"}, a.unskip).
			says(tag, "Do not skip an occurrence", "Takes the mark away.").
			like(skip).with("idempotency_key", "if_match"),
		accepts(Route{http.MethodPost, allSchedulesPath + "/preview", rota.ReadAgents, http.StatusOK, "preview_schedule"}, a.preview).
			says(tag, "See what a schedule would do", "Computes times, a description and warnings. Nothing is written.").
			like(`{"schedule": {"type": "cron", "cron_expression": "0 9 * * MON-FRI", "timezone": "Europe/Madrid"}, "count": 3}`),
		accepts(Route{http.MethodPost, allSchedulesPath + "/pause", rota.WriteAgents, http.StatusOK, "pause_schedules"}, a.pauseAll).
			says("Schedules", "Pause many schedules", "Every active schedule that the filter matches; without a body, all of the caller's. The words are those of the list of schedules. With the scope write:account, end_user names one end user, or with * everybody: one call then stops everything. With dry_run they are only counted. Asking again goes on with what is left.").
			like(`{"metadata": {"team": "ops"}, "note": "The provider is down"}`).with("idempotency_key").maybe(),
		accepts(Route{http.MethodPost, allSchedulesPath + "/resume", rota.WriteAgents, http.StatusOK, "resume_schedules"}, a.resumeAll).
			says("Schedules", "Resume many schedules", "Every schedule that the filter matches and that was paused for the reason: a schedule that failures paused is not woken by those that somebody paused. The filter and dry_run are those of pausing.").
			like(`{"metadata": {"team": "ops"}}`).with("idempotency_key").maybe(),
		accepts(Route{http.MethodPost, allSchedulesPath + "/trigger", rota.WriteAgents, http.StatusOK, "trigger_schedules"}, a.triggerAll).
			says("Schedules", "Run many schedules now", "Every active schedule that the filter matches; without a body, all of the caller's. Overlap policies apply, and limits: the occurrences say what became of each. The filter and dry_run are those of pausing. With an Idempotency-Key, a request that is sent again goes on where the first one stopped, and runs nothing twice.").
			like(`{"metadata": {"team": "ops"}}`).with("idempotency_key").maybe().once(),
		answers(Route{http.MethodGet, "/api/v1/forecast", rota.ReadAgents, http.StatusOK, "get_forecast"}, a.forecast).
			says(tag, "Count the runs ahead", "The planned runs of all active schedules, in buckets of time. Without parameters, the hours of a day from now.").
			with("forecast_from", "forecast_to", "bucket", "end_user_filter"),
		lists(Route{http.MethodGet, allSchedulesPath, rota.ReadAgents, http.StatusOK, "list_schedules"}, a.listAllSchedules).
			says("Schedules", "List the schedules of all agents", "Newest first, or as sort says. Deleted schedules are not listed. "+looksOn).
			with("end_user_filter", "agent_filter", "status", "expand").
			sorted("schedule_sort", scheduleSorts).with("with_count", "pause_reason_filter", "name_filter", "metadata_filter", "schedule_search", "id_filter"),
	}
}

func (a *api) listOccurrences(ctx context.Context, c call, p rota.Page) (rota.List[rota.Occurrence], error) {
	f, err := occurrenceFilter(c.URL.Query())
	if err != nil {
		return rota.List[rota.Occurrence]{}, err
	}
	p.Bytes = 0 // they are small
	return a.Control.Occurrences(ctx, c.who, c.agent(), c.schedule(), f, p)
}

var outcomes = []string{
	string(rota.Fired), string(rota.SkippedOverlap), string(rota.SkippedRequested),
	string(rota.Buffered), string(rota.MissedOutcome), string(rota.Blocked),
}

func occurrenceFilter(q url.Values) (rota.OccurrenceFilter, error) {
	var f rota.OccurrenceFilter
	outcome, err := wordParam(q, "outcome", outcomes)
	if err != nil {
		return f, err
	}
	f.Outcome = rota.Outcome(outcome)
	f.From, f.To, err = between(q)
	return f, err
}

func (a *api) upcoming(ctx context.Context, c call) (rota.Preview, error) {
	count, err := numberParam(c.URL.Query(), "count", 1, 100, 10)
	if err != nil {
		return rota.Preview{}, err
	}
	return a.Control.Upcoming(ctx, c.who, c.agent(), c.schedule(), count)
}

func (a *api) trigger(ctx context.Context, c call) (rota.Occurrence, error) {
	return a.Control.TriggerSchedule(ctx, c.who, c.agent(), c.schedule(), c.write)
}

func (a *api) backfill(ctx context.Context, c call, in rota.BackfillCreate) (rota.Backfill, error) {
	return a.Control.BackfillSchedule(ctx, c.who, c.agent(), c.schedule(), in, c.write)
}

func (a *api) skip(ctx context.Context, c call, in rota.OccurrenceSkip) (rota.Schedule, error) {
	return a.Control.SkipOccurrence(ctx, c.who, c.agent(), c.schedule(), in, c.write)
}

func (a *api) unskip(ctx context.Context, c call, in rota.OccurrenceSkip) (rota.Schedule, error) {
	return a.Control.UnskipOccurrence(ctx, c.who, c.agent(), c.schedule(), in, c.write)
}

func (a *api) preview(ctx context.Context, c call, in rota.PreviewCreate) (rota.Preview, error) {
	return a.Control.PreviewSchedule(ctx, c.who, in)
}

func (a *api) pauseAll(ctx context.Context, c call, in rota.BulkPause) (rota.BulkResult, error) {
	return a.Control.PauseSchedules(ctx, c.who, in, c.write)
}

func (a *api) triggerAll(ctx context.Context, c call, in rota.BulkTrigger) (rota.BulkResult, error) {
	return a.Control.TriggerSchedules(ctx, c.who, in, c.write)
}

func (a *api) resumeAll(ctx context.Context, c call, in rota.BulkResume) (rota.BulkResult, error) {
	return a.Control.ResumeSchedules(ctx, c.who, in, c.write)
}

func (a *api) forecast(ctx context.Context, c call) (rota.Forecast, error) {
	q := c.URL.Query()
	from, to, err := between(q)
	if err != nil {
		return rota.Forecast{}, err
	}
	bucket, err := numberParam(q, "bucket", 60, 604_800, 3600)
	if err != nil {
		return rota.Forecast{}, err
	}
	user, err := endUserParam(q)
	if err != nil {
		return rota.Forecast{}, err
	}
	return a.Control.Forecast(ctx, c.who, user, from, to, time.Duration(bucket)*time.Second)
}

var listedStatuses = []string{string(rota.ScheduleActive), string(rota.SchedulePaused), string(rota.ScheduleCompleted)}

func (a *api) listAllSchedules(ctx context.Context, c call, p rota.Page) (rota.List[rota.Schedule], error) {
	q := c.URL.Query()
	f, err := scheduleFilter(q)
	if err != nil {
		return rota.List[rota.Schedule]{}, err
	}
	user, err := endUserParam(q)
	if err != nil {
		return rota.List[rota.Schedule]{}, err
	}
	l, err := a.Control.AllSchedules(ctx, c.who, user, f, p)
	if err != nil {
		return l, err
	}
	return l, a.expand(ctx, c, l.Data)
}

// wordParam reads a parameter that is one of some words, or absent.
func wordParam(q url.Values, name string, words []string) (string, error) {
	if v := q.Get(name); !q.Has(name) || slices.Contains(words, v) {
		return v, nil
	}
	return "", rota.InvalidField(name, "must be one of %s", strings.Join(words, ", "))
}

// instantParam reads a parameter that is a time, or absent.
func instantParam(q url.Values, name string) (time.Time, error) {
	if !q.Has(name) {
		return time.Time{}, nil
	}
	var i rota.Instant
	if err := i.UnmarshalText([]byte(q.Get(name))); err != nil {
		return time.Time{}, rota.InvalidField(name, "must be an RFC 3339 time such as 2026-11-23T05:31:56Z (a + in it is written %%2B)")
	}
	if i.IsZero() {
		return i.Add(time.Millisecond), nil // the first instant of the year 1, which is not the same as no instant
	}
	return i.Time, nil
}

// between reads the parameters from and to, which may be absent.
func between(q url.Values) (from, to time.Time, err error) {
	if from, err = instantParam(q, "from"); err != nil {
		return from, to, err
	}
	to, err = instantParam(q, "to")
	return from, to, err
}

// numberParam reads a parameter that is a whole number.
func numberParam(q url.Values, name string, low, high, def int) (int, error) {
	if !q.Has(name) {
		return def, nil
	}
	n, ok := whole(q.Get(name))
	if !ok || n < int64(low) || n > int64(high) {
		return 0, rota.InvalidField(name, "must be a whole number from %d to %d", low, high)
	}
	return int(n), nil
}
