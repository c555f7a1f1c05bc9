package control

import (
	"context"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
)

// AcknowledgeOccurrence acknowledges that an occurrence was missed or blocked, or how its
// run ended, and returns it. One that is acknowledged stays as it is, and one that needs
// nobody is a Conflict. Scope write:agents.
func (c *Control) AcknowledgeOccurrence(ctx context.Context, who auth.Caller, id rota.OccurrenceID, w Write) (rota.Occurrence, error) {
	if err := c.enter(ctx, who, rota.WriteAgents, "acknowledge_occurrence", on("occurrence_id", id)); err != nil {
		return rota.Occurrence{}, err
	}
	o := rota.Owners{Owner: who.Owner}
	return write(ctx, c, who, w, func(ctx context.Context, tx Tx, now time.Time) (rota.Occurrence, error) {
		have, err := occurrenceOf(ctx, tx, o, id)
		if err != nil || have.Acknowledged != nil {
			return have, err
		}
		var n int
		if have.RunID != nil {
			n, err = tx.AcknowledgeRuns(ctx, o, []rota.RunID{*have.RunID}, acknowledgement(who, now))
		} else {
			n, err = tx.Acknowledge(ctx, o, []rota.OccurrenceID{id}, acknowledgement(who, now))
		}
		if err == nil && n == 0 {
			err = rota.Errorf(rota.Conflict, "there is nothing to acknowledge: the occurrence was not missed or blocked, and no run of it failed or is incomplete")
		}
		if err != nil {
			return have, err
		}
		return occurrenceOf(ctx, tx, o, id)
	})
}

func occurrenceOf(ctx context.Context, tx Tx, o rota.Owners, id rota.OccurrenceID) (rota.Occurrence, error) {
	l, err := tx.AllOccurrences(ctx, o, rota.OccurrenceFilter{ID: id}, rota.Page{Limit: 1})
	if err == nil && len(l.Data) == 0 {
		err = rota.Errorf(rota.NotFound, "no such occurrence")
	}
	if err != nil {
		return rota.Occurrence{}, err
	}
	return l.Data[0], nil
}

// AcknowledgeRun acknowledges that a run failed or is incomplete, and returns it as it is
// then. One that is acknowledged stays as it is, and one that needs nobody is a Conflict. Its
// answer is [rota.Run.Deferred] if it is large. Scope write:agents.
func (c *Control) AcknowledgeRun(ctx context.Context, who auth.Caller, id rota.RunID, w Write) (rota.Run, error) {
	if err := c.enter(ctx, who, rota.WriteAgents, "acknowledge_run", on("run_id", id)); err != nil {
		return rota.Run{}, err
	}
	_, err := write(ctx, c, who, w, func(ctx context.Context, tx Tx, now time.Time) (struct{}, error) {
		have, err := tx.RunByID(ctx, who.Owner, id)
		if err != nil || have.Acknowledged != nil {
			return struct{}{}, err
		}
		n, err := tx.AcknowledgeRuns(ctx, rota.Owners{Owner: who.Owner}, []rota.RunID{id}, acknowledgement(who, now))
		if err == nil && n == 0 {
			err = rota.Errorf(rota.Conflict, "there is nothing to acknowledge: the run has not failed, and is not incomplete")
		}
		return struct{}{}, err
	})
	if err != nil {
		return rota.Run{}, err
	}
	return c.Store.RunByID(ctx, who.Owner, id)
}

func acknowledgement(who auth.Caller, now time.Time) rota.Acknowledgement {
	return rota.Acknowledgement{At: rota.InstantOf(now), By: string(who.Key)}
}

// AcknowledgeOccurrences acknowledges every occurrence that was missed or blocked and that
// matches: the caller's, or those of an end user, see [Control.owners]. What there is to
// acknowledge is read page by page outside of transactions. Scope write:agents.
func (c *Control) AcknowledgeOccurrences(ctx context.Context, who auth.Caller, in rota.AcknowledgeOccurrences, w Write) (rota.Acknowledgements, error) {
	f := rota.OccurrenceFilter{Unseen: true}
	outcome, user, dry := rota.Outcome(""), "", false
	in.AgentID.Apply(&f.AgentID)
	in.ScheduleID.Apply(&f.ScheduleID)
	in.Outcome.Apply(&outcome)
	in.Reason.Apply(&f.Reason)
	in.Trigger.Apply(&f.Trigger)
	in.Q.Apply(&f.Q)
	f.From, f.To, f.AsOf = timeOf(in.From), timeOf(in.To), timeOf(in.AsOf)
	in.EndUser.Apply(&user)
	in.DryRun.Apply(&dry)
	o, err := c.ownersOf(ctx, who, "acknowledge_occurrences", user, rota.WriteAgents, rota.WriteAccount)
	if err != nil {
		return rota.Acknowledgements{}, err
	}
	var parts []unseen
	for _, f.Outcome = range oneOr(outcome, rota.MissedOutcome, rota.Blocked) {
		parts = append(parts, c.unseenSpans(o, f), c.unseenOccurrences(o, f))
	}
	return c.acknowledgeAll(ctx, who, dry, w, parts)
}

// AcknowledgeRuns acknowledges every run that failed or is incomplete and that matches, as
// [Control.AcknowledgeOccurrences] does. Scope write:agents.
func (c *Control) AcknowledgeRuns(ctx context.Context, who auth.Caller, in rota.AcknowledgeRuns, w Write) (rota.Acknowledgements, error) {
	f := rota.RunFilter{Unseen: true, Metadata: in.Metadata}
	phase, user, dry := rota.Phase(""), "", false
	in.AgentID.Apply(&f.AgentID)
	in.ScheduleID.Apply(&f.ScheduleID)
	in.Phase.Apply(&phase)
	in.ErrorCode.Apply(&f.ErrorCode)
	in.Trigger.Apply(&f.Trigger)
	in.Q.Apply(&f.Q)
	f.From, f.To, f.AsOf = timeOf(in.From), timeOf(in.To), timeOf(in.AsOf)
	in.EndUser.Apply(&user)
	in.DryRun.Apply(&dry)
	o, err := c.ownersOf(ctx, who, "acknowledge_runs", user, rota.WriteAgents, rota.WriteAccount)
	if err != nil {
		return rota.Acknowledgements{}, err
	}
	var parts []unseen
	for _, f.Phase = range oneOr(phase, rota.PhaseFailed, rota.PhaseIncomplete) {
		parts = append(parts, c.unseenRuns(o, f))
	}
	return c.acknowledgeAll(ctx, who, dry, w, parts)
}

func timeOf(i rota.Opt[rota.Instant]) time.Time {
	at, _ := i.Get()
	return at.Time
}

// oneOr returns what was asked for alone, or all that there is.
func oneOr[T ~string](asked T, all ...T) []T {
	if asked == "" {
		return all
	}
	return []T{asked}
}

// unseen is a list of what needs somebody.
type unseen struct {
	// read returns the identifiers on a page, and the cursor of the next; empty if there is
	// none.
	read func(ctx context.Context, p rota.Page) (ids []string, next string, err error)

	mark func(ctx context.Context, tx Tx, ids []string, by rota.Acknowledgement) (int, error)
}

func (c *Control) unseenOccurrences(o rota.Owners, f rota.OccurrenceFilter) unseen {
	return unseen{
		read: func(ctx context.Context, p rota.Page) ([]string, string, error) {
			l, err := c.Store.AllOccurrences(ctx, o, f, p)
			return pageOf(l, func(o rota.Occurrence) string { return string(o.ID) }, err)
		},
		mark: markOccurrences(o),
	}
}

// unseenSpans is those that begin before the filter's From and reach it.
func (c *Control) unseenSpans(o rota.Owners, f rota.OccurrenceFilter) unseen {
	return unseen{
		read: func(ctx context.Context, _ rota.Page) (ids []string, _ string, err error) {
			if f.From.IsZero() {
				return nil, "", nil
			}
			spans, err := c.Store.SpansAcross(ctx, o, f)
			for _, s := range spans {
				if f.Passes(s) {
					ids = append(ids, string(s.ID))
				}
			}
			return ids, "", err
		},
		mark: markOccurrences(o),
	}
}

func markOccurrences(o rota.Owners) func(context.Context, Tx, []string, rota.Acknowledgement) (int, error) {
	return func(ctx context.Context, tx Tx, ids []string, by rota.Acknowledgement) (int, error) {
		return tx.Acknowledge(ctx, o, named[rota.OccurrenceID](ids), by)
	}
}

func (c *Control) unseenRuns(o rota.Owners, f rota.RunFilter) unseen {
	return unseen{
		read: func(ctx context.Context, p rota.Page) ([]string, string, error) {
			l, err := c.Store.AllRuns(ctx, o, f, p)
			return pageOf(l, func(r rota.Run) string { return string(r.ID) }, err)
		},
		mark: func(ctx context.Context, tx Tx, ids []string, by rota.Acknowledgement) (int, error) {
			return tx.AcknowledgeRuns(ctx, o, named[rota.RunID](ids), by)
		},
	}
}

func pageOf[T any](l rota.List[T], id func(T) string, err error) ([]string, string, error) {
	ids := make([]string, len(l.Data))
	for i, row := range l.Data {
		ids[i] = id(row)
	}
	if !l.HasMore || l.LastID == nil {
		return ids, "", err
	}
	return ids, *l.LastID, err
}

func named[ID ~string](ids []string) []ID {
	out := make([]ID, len(ids))
	for i, id := range ids {
		out[i] = ID(id)
	}
	return out
}

// acknowledgeAll acknowledges what lists have, and remembers the answer. After a crash in
// between, asking again goes on with what is left.
func (c *Control) acknowledgeAll(ctx context.Context, who auth.Caller, dry bool, w Write, lists []unseen) (rota.Acknowledgements, error) {
	a := rota.Acknowledgements{Object: rota.ObjectAcknowledgements, DryRun: dry}
	kept := w.IdempotencyKey != "" && !dry
	if kept {
		done := false
		err := c.Store.Update(ctx, func(ctx context.Context, tx Tx) (err error) {
			done, err = replay(ctx, tx, who, w, c.Now(), &a)
			return err
		})
		if done || err != nil {
			return a, err
		}
	}
	for _, l := range lists {
		n, err := c.acknowledgeList(ctx, who, dry, l)
		a.Acknowledged += n
		if err != nil {
			return a, err
		}
	}
	if !kept {
		return a, nil
	}
	return a, c.Store.Update(ctx, func(ctx context.Context, tx Tx) error { return remember(ctx, tx, who, w, c.Now(), a) })
}

// acknowledgeList acknowledges what a list has, page by page, or counts it.
func (c *Control) acknowledgeList(ctx context.Context, who auth.Caller, dry bool, l unseen) (total int, err error) {
	p := rota.Page{Limit: bulkPage, Ascending: true}
	for {
		ids, next, err := l.read(ctx, p)
		if err != nil {
			return total, err
		}
		n := len(ids)
		if n > 0 && !dry {
			err = c.Store.Update(ctx, func(ctx context.Context, tx Tx) (err error) {
				n, err = l.mark(ctx, tx, ids, acknowledgement(who, c.Now()))
				return err
			})
		}
		if total += n; err != nil || next == "" {
			return total, err
		}
		p.After = next
	}
}
