package engine

import (
	"context"
	"log/slog"
	"reflect"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/cluster"
	"github.com/rota-run/rota/internal/policy"
)

const (
	replanAtOnce  = 100    // timers in one transaction
	recordsAtOnce = 10_000 // rows of one timer
	waitingAtOnce = 10_000 // runs in the queue
)

// SeenEvery is how long a leader that fires may leave it unsaid in the database that
// it looks at what is due.
const SeenEvery = Outage / 2

// A LeadershipStore keeps which engine leads, and when it was last seen.
type LeadershipStore interface {
	Leadership(ctx context.Context) (cluster.Leadership, error)

	// SaveLeadership stores l. It returns Conflict if the stored kind is no
	// longer before.
	SaveLeadership(ctx context.Context, before rota.EngineKind, l cluster.Leadership) error
}

// A TimerStore is what planning timers anew needs of its transaction.
type TimerStore interface {
	// RecordedTimers returns up to limit timers of schedules that are not deleted, in
	// the order of their ids, each with the last time that is on record of it.
	RecordedTimers(ctx context.Context, after rota.ScheduleID, limit int) ([]rota.RecordedTimer, error)

	// OnRecordAfter returns up to limit rows of a schedule that are about times after
	// an instant, in order. The first may be a span that began before.
	OnRecordAfter(ctx context.Context, id rota.ScheduleID, at time.Time, limit int) ([]rota.Occurrence, error)

	// Withdraw takes nominal times of a schedule off the record.
	Withdraw(ctx context.Context, id rota.ScheduleID, times []rota.Instant) error

	// SplitSpan puts parts in the place of the span that begins at a nominal time.
	SplitSpan(ctx context.Context, id rota.ScheduleID, at rota.Instant, parts []rota.Occurrence) error

	// SaveTimers writes timers back that have been planned anew.
	SaveTimers(ctx context.Context, timers []rota.Timer) error
}

// A WaitingStore has the runs that wait in the queue.
type WaitingStore interface {
	// WaitingAfter returns up to limit runs that wait in the queue until an instant
	// has passed, those that wait the longest first.
	WaitingAfter(ctx context.Context, at time.Time, limit int) ([]rota.WaitingRun, error)

	// SetReady gives runs that wait in the queue another time from which they may start.
	SetReady(ctx context.Context, runs []rota.WaitingRun) error
}

// A Planner is the transaction in which a [Replanner] works.
type Planner struct {
	LeadershipStore
	TimerStore
	WaitingStore
}

// A Replanner plans the timers anew when what they were planned by was wrong: a
// clock that was ahead, or other time zone data. It does so page by page, each in a transaction, between the
// steps of the engine. What is under way is in the database, so that the next engine
// begins again if this one dies. One goroutine at a time may use it.
type Replanner struct {
	Log *slog.Logger

	// NotBefore is when the program was made, or a time before: a clock that shows an
	// earlier one has just started, and says nothing about those before it.
	NotBefore time.Time

	// ZoneData names the time zone data that are used. If it is empty, timers stay as
	// others have planned them.
	ZoneData string

	// Exports says that an engine outside has the times of schedules, and gets those
	// again that may have moved.
	Exports bool

	aheadUntil time.Time // zero if no clock was ahead
	rezones    bool      // the timers were planned by other zone data
	zonesWere  string    // by which
	after      rota.ScheduleID
	done       Page // all pages so far
}

// A Page is what was done in one transaction.
type Page struct {
	Timers    int // that were looked at
	Changed   int // that were planned anew
	Withdrawn int // rows that were taken off the record
	last      rota.ScheduleID
}

// Seen returns the leadership as it is when its engine looks at now. It reports whether
// a clock that was ahead of now has decided, because this process's own was set back so
// far, or the engine was last seen later than now; and notes up to when.
func (r *Replanner) Seen(l cluster.Leadership, now time.Time, setBack time.Duration) (seen cluster.Leadership, wasAhead bool) {
	if now.Before(r.NotBefore) {
		return l, false
	}
	ahead := max(l.SeenAt.Sub(now), setBack)
	if wasAhead = ahead >= Outage; wasAhead && now.Add(ahead).After(l.AheadUntil) {
		l.AheadUntil = now.Add(ahead)
	}
	l.SeenAt = now
	return l, wasAhead
}

// Begin lets the replanner do what the leadership says is to be done: from the
// beginning if a clock was ahead, or if it has not begun.
func (r *Replanner) Begin(l cluster.Leadership, wasAhead bool) {
	if wasAhead || !r.Pending() {
		r.aheadUntil, r.after, r.done = l.AheadUntil, "", Page{}
		r.rezones, r.zonesWere = r.ZoneData != "" && l.ZoneData != r.ZoneData, l.ZoneData
	}
	if wasAhead {
		r.Log.Error("the clock was set back, or was ahead before this start; the schedules are planned anew", "ahead_until", l.AheadUntil)
	}
}

// Pending reports whether there are timers to plan anew.
func (r *Replanner) Pending() bool { return r.rezones || !r.aheadUntil.IsZero() }

// Plan plans the next page of timers anew, in a transaction. The caller passes the
// result to Planned when that is durable.
func (r *Replanner) Plan(ctx context.Context, tx Planner, now time.Time) (Page, error) {
	if r.after == "" && !r.aheadUntil.IsZero() {
		if err := readyAgain(ctx, tx, now); err != nil {
			return Page{}, err
		}
	}
	timers, err := tx.RecordedTimers(ctx, r.after, replanAtOnce)
	if err != nil {
		return Page{}, err
	}
	page := Page{Timers: len(timers)}
	var save []rota.Timer
	for _, t := range timers {
		after, withdrawn, err := r.plan(ctx, tx, t, now)
		if err != nil {
			return Page{}, err
		}
		changed := withdrawn > 0 || !reflect.DeepEqual(after, t.Timer)
		if changed {
			page.Changed++
		}
		if changed || r.rezones && r.Exports && t.Spec.Type == rota.Cron {
			save = append(save, after)
		}
		page.Withdrawn += withdrawn
		page.last = t.ScheduleID
	}
	if err := tx.SaveTimers(ctx, save); err != nil || len(timers) == replanAtOnce {
		return page, err
	}
	page.last = ""
	return page, r.finish(ctx, tx)
}

// plan returns a timer as it goes on at now, and how many rows were taken off the
// record.
func (r *Replanner) plan(ctx context.Context, tx TimerStore, t rota.RecordedTimer, now time.Time) (after rota.Timer, withdrawn int, err error) {
	after = t.Timer
	if !r.aheadUntil.IsZero() {
		after, withdrawn, err = rewind(ctx, tx, t, now)
	} else if r.rezones {
		after = policy.Rezone(t, now)
	}
	return after, withdrawn, err
}

// finish notes that all timers have been planned anew.
func (r *Replanner) finish(ctx context.Context, tx LeadershipStore) error {
	l, err := tx.Leadership(ctx)
	if err != nil {
		return err
	}
	l.AheadUntil = time.Time{}
	if r.ZoneData != "" {
		l.ZoneData = r.ZoneData
	}
	return tx.SaveLeadership(ctx, l.Kind, l)
}

// Planned notes that a page is durable.
func (r *Replanner) Planned(p Page) {
	r.after = p.last
	r.done.Timers += p.Timers
	r.done.Changed += p.Changed
	r.done.Withdrawn += p.Withdrawn
	if p.last != "" {
		return
	}
	if !r.aheadUntil.IsZero() {
		r.Log.Warn("the schedules were planned anew after a clock that was ahead", "ahead_until", r.aheadUntil,
			"schedules", r.done.Timers, "changed", r.done.Changed, "outcomes_withdrawn", r.done.Withdrawn)
	} else if r.zonesWere != "" {
		r.Log.Warn("the schedules were planned anew by other time zone data", "before", r.zonesWere, "now", r.ZoneData,
			"schedules", r.done.Timers, "changed", r.done.Changed)
	}
	r.aheadUntil, r.rezones = time.Time{}, false
}

// rewind returns a timer as it goes on at now, and how many rows were taken off the
// record.
func rewind(ctx context.Context, tx TimerStore, t rota.RecordedTimer, now time.Time) (rota.Timer, int, error) {
	withdrawn := 0
	for {
		var ahead []rota.Occurrence
		if t.Last.After(now) {
			var err error
			if ahead, err = tx.OnRecordAfter(ctx, t.ScheduleID, now, recordsAtOnce); err != nil {
				return t.Timer, 0, err
			}
		}
		d := policy.Rewind(t.Timer, ahead, t.LowWater, now)
		t.Timer = d.Timer
		withdrawn += len(d.Withdrawn) + len(d.Splits)
		if err := tx.Withdraw(ctx, t.ScheduleID, d.Withdrawn); err != nil {
			return t.Timer, 0, err
		}
		for _, s := range d.Splits {
			if err := tx.SplitSpan(ctx, t.ScheduleID, s.At, s.Parts); err != nil {
				return t.Timer, 0, err
			}
		}
		if len(ahead) < recordsAtOnce || len(d.Withdrawn) == 0 {
			return t.Timer, withdrawn, nil
		}
	}
}

// readyAgain lets runs start that wait for a time that the clock has not reached again.
func readyAgain(ctx context.Context, tx WaitingStore, now time.Time) error {
	waiting, err := tx.WaitingAfter(ctx, now, waitingAtOnce)
	if err != nil {
		return err
	}
	var changed []rota.WaitingRun
	for _, w := range waiting {
		if ready := policy.ReadyAgain(w, now); !ready.Equal(w.ReadyAt) {
			w.ReadyAt = ready
			changed = append(changed, w)
		}
	}
	return tx.SetReady(ctx, changed)
}
