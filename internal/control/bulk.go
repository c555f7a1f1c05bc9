package control

import (
	"context"
	"slices"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/calendar"
	"github.com/rota-run/rota/internal/policy"
)

// PauseSchedules pauses every active schedule that matches: the caller's, or those of an
// end user, see [Control.owners]. Schedules are changed page by page: one that is made
// meanwhile may stay active. Scope write:agents.
func (c *Control) PauseSchedules(ctx context.Context, who auth.Caller, in rota.BulkPause, w Write) (rota.BulkResult, error) {
	actor := string(who.Key)
	why := rota.PauseReason{Code: rota.PausedManually, Actor: &actor}
	in.Note.ApplyNullable(&why.Note)
	b := bulk{who: who, operation: "pause_schedules", write: w, filter: rota.ScheduleFilter{Status: rota.ScheduleActive, Metadata: in.Metadata}}
	b.match(in.AgentID, in.Name, in.Q, in.EndUser, in.DryRun)
	b.page = saving(func(t rota.Timer, now time.Time) (rota.Timer, error) {
		why.At = rota.InstantOf(now)
		return policy.Pause(t, why)
	})
	return c.changeAll(ctx, b)
}

// ResumeSchedules resumes every schedule that matches and was paused for the given reason:
// the caller's, or those of an end user, see [Control.owners]. Scope write:agents.
func (c *Control) ResumeSchedules(ctx context.Context, who auth.Caller, in rota.BulkResume, w Write) (rota.BulkResult, error) {
	code := rota.PausedManually
	in.Reason.Apply(&code)
	b := bulk{who: who, operation: "resume_schedules", write: w, filter: rota.ScheduleFilter{Status: rota.SchedulePaused, PauseReason: code, Metadata: in.Metadata}}
	b.match(in.AgentID, in.Name, in.Q, in.EndUser, in.DryRun)
	b.page = saving(policy.Resume)
	return c.changeAll(ctx, b)
}

// A bulk is one change of many schedules.
type bulk struct {
	who       auth.Caller
	operation string
	write     Write
	endUser   string // see [Control.owners]
	filter    rota.ScheduleFilter
	dry       bool // whether to count alone

	// page makes the change of the schedules on a page.
	page func(ctx context.Context, tx Tx, page []rota.TimedSchedule, now time.Time) error
}

// match takes over which schedules a body names.
func (b *bulk) match(agent rota.Opt[rota.AgentID], name, q, endUser rota.Opt[string], dry rota.Opt[bool]) {
	agent.Apply(&b.filter.AgentID)
	name.Apply(&b.filter.Name)
	q.Apply(&b.filter.Q)
	endUser.Apply(&b.endUser)
	dry.Apply(&b.dry)
	b.filter.Runnable = true
}

const (
	bulkPage = 100   // schedules that are changed in one transaction
	bulkLook = 1_000 // schedules that are looked at in one
)

// A bulkProgress is what is remembered of a bulk with an idempotency key: how far it came.
type bulkProgress struct {
	rota.BulkResult
	After string `json:"after,omitempty"` // the last schedule that was changed; empty at the end
}

// changeAll makes the change page by page, each in a transaction. With an idempotency key,
// each remembers how far it came: asking again after a crash goes on from there, and no
// schedule is changed twice.
func (c *Control) changeAll(ctx context.Context, b bulk) (rota.BulkResult, error) {
	result := rota.BulkResult{Object: rota.ObjectBulk, DryRun: b.dry}
	o, err := c.ownersOf(ctx, b.who, b.operation, b.endUser, rota.WriteAgents, rota.WriteAccount)
	if err != nil {
		return result, err
	}
	if b.dry {
		return c.countMatches(ctx, o, b, result)
	}
	came := bulkProgress{BulkResult: result}
	for done := false; !done; {
		var next bulkProgress
		err := c.Store.Update(ctx, func(ctx context.Context, tx Tx) (err error) {
			next, done, err = c.changePage(ctx, tx, o, b, came)
			return err
		})
		if err != nil {
			return came.BulkResult, err
		}
		came = next
	}
	c.Engine.Changed()
	return came.BulkResult, nil
}

// changePage changes one page, after what came before it, and reports whether it was the last.
func (c *Control) changePage(ctx context.Context, tx Tx, o rota.Owners, b bulk, came bulkProgress) (_ bulkProgress, done bool, err error) {
	now, kept := c.Now().UTC(), b.write.IdempotencyKey != ""
	if kept {
		have := bulkProgress{}
		found, err := replay(ctx, tx, b.who, b.write, now, &have)
		switch {
		case err != nil:
			return came, false, err
		case found && have.After == "":
			return have, true, nil
		case found: // another request may have the same key
			came = have
		}
	}
	p := bulkPages()
	p.After = came.After
	l, err := tx.AllSchedules(ctx, o, b.filter, p)
	if err != nil {
		return came, false, err
	}
	if err := b.page(ctx, tx, l.Data, now); err != nil {
		return came, false, err
	}
	came.Changed, came.After = came.Changed+len(l.Data), ""
	if l.HasMore {
		came.After = *l.LastID
	}
	if kept {
		err = remember(ctx, tx, b.who, b.write, now, came)
	}
	return came, !l.HasMore, err
}

// bulkPages is the first page of those that are walked one after the other.
func bulkPages() rota.Page { return rota.Page{Limit: bulkPage, Ascending: true, Look: bulkLook} }

// countMatches counts the schedules that a bulk would change now.
func (c *Control) countMatches(ctx context.Context, o rota.Owners, b bulk, result rota.BulkResult) (rota.BulkResult, error) {
	p := bulkPages()
	for {
		l, err := c.Store.AllSchedules(ctx, o, b.filter, p)
		if err != nil {
			return result, err
		}
		result.Changed += len(l.Data)
		if !l.HasMore {
			return result, nil
		}
		p.After = *l.LastID
	}
}

// saving changes timers, and saves them.
func saving(change func(rota.Timer, time.Time) (rota.Timer, error)) func(context.Context, Tx, []rota.TimedSchedule, time.Time) error {
	return func(ctx context.Context, tx Tx, page []rota.TimedSchedule, now time.Time) error {
		for _, s := range page {
			before := s.Timer
			var err error
			if s.Timer, err = change(before, now); err != nil {
				return err
			}
			if _, err := save(ctx, tx, before, s, now); err != nil {
				return err
			}
		}
		return nil
	}
}

const (
	maxBuckets  = 1000
	maxForecast = 1_000_000 // times that a forecast counts before it gives up
)

// Forecast counts the nominal times of active schedules, the caller's or those of an end
// user, see [Control.owners], from an instant, which belongs to it, up to another, in
// buckets. Scope read:agents.
func (c *Control) Forecast(ctx context.Context, who auth.Caller, endUser string, from, to time.Time, bucket time.Duration) (rota.Forecast, error) {
	f := rota.Forecast{Object: rota.ObjectForecast, BucketSeconds: int64(bucket / time.Second), Data: []rota.ForecastBucket{}}
	o, err := c.owners(ctx, who, "forecast", endUser)
	if err != nil {
		return f, err
	}
	now := c.Now()
	from, to = forecastSpan(now, from, to)
	f.From, f.To = rota.InstantOf(from), rota.InstantOf(to)
	switch {
	case !from.Before(to):
		return f, rota.InvalidField("to", "must be after from (%s)", f.From)
	case to.Sub(from) > maxBuckets*bucket:
		return f, rota.InvalidField("bucket", "must be large enough for at most %d buckets between from and to", maxBuckets)
	}
	for at := from; at.Before(to); at = at.Add(bucket) {
		f.Data = append(f.Data, rota.ForecastBucket{From: rota.InstantOf(at)})
	}
	p := bulkPages()
	for {
		l, err := c.Store.AllSchedules(ctx, o, rota.ScheduleFilter{Status: rota.ScheduleActive}, p)
		if err != nil {
			return f, err
		}
		for _, s := range l.Data {
			if err := addTo(&f, s.Timer, bucket, now); err != nil {
				return f, err
			}
		}
		if !l.HasMore {
			return f, nil
		}
		p.After = *l.LastID
	}
}

// forecastSpan fills in what was not asked for: the day that begins now.
func forecastSpan(now, from, to time.Time) (time.Time, time.Time) {
	if from.IsZero() {
		from = now.UTC().Truncate(time.Second)
	}
	if to.IsZero() {
		to = from.Add(24 * time.Hour)
	}
	return from, to
}

// addTo counts the times of one schedule. Runs that it may still start before
// the forecast begins are not there any more when it does.
func addTo(f *rota.Forecast, t rota.Timer, bucket time.Duration, now time.Time) error {
	cal, err := calendar.Parse(t.Spec, t.Anchor)
	if err != nil {
		return err
	}
	left, after := maxForecast-int(f.Total), f.From.Add(-time.Millisecond)
	if t.Policy.MaxRuns != nil && now.Before(after) {
		after = now
	}
	times := policy.Upcoming(t, cal, after, left+1, f.To.Time)
	if len(times) > left {
		return rota.InvalidField("to", "must be nearer to from: there are more than %d runs between them", maxForecast)
	}
	for _, at := range times {
		if at.Before(f.From.Time) || slices.Contains(t.Skips, rota.InstantOf(at)) {
			continue
		}
		f.Data[at.Sub(f.From.Time)/bucket].Count++
		f.Total++
	}
	return nil
}
