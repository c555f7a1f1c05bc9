package control

import (
	"context"
	"errors"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/policy"
	"github.com/rota-run/rota/internal/prompt"
)

// CreateSchedule puts an agent on a schedule. Scope write:agents.
func (c *Control) CreateSchedule(ctx context.Context, who auth.Caller, agent rota.AgentID, in rota.ScheduleCreate, w Write) (rota.Schedule, error) {
	if err := c.enter(ctx, who, rota.WriteAgents, "create_schedule", on("agent_id", agent)); err != nil {
		return rota.Schedule{}, err
	}
	if err := checkNote(in); err != nil {
		return rota.Schedule{}, err
	}
	s, err := write(ctx, c, who, w.growing(), func(ctx context.Context, tx Tx, now time.Time) (rota.Schedule, error) {
		if _, err := live(ctx, tx, who, agent); err != nil {
			return rota.Schedule{}, err
		}
		return c.addSchedule(ctx, tx, who, agent, in, now)
	})
	return withScheduleWarnings(s), err
}

func (c *Control) addSchedule(ctx context.Context, tx Tx, who auth.Caller, agent rota.AgentID, in rota.ScheduleCreate, now time.Time) (rota.Schedule, error) {
	s, err := c.newSchedule(who, agent, in, now)
	if err != nil {
		return rota.Schedule{}, err
	}
	if s.Timer, err = c.pin(ctx, tx, who, s.Timer, in.AgentVersion); err != nil {
		return rota.Schedule{}, err
	}
	if err := mayGoOn(who, nil, s.PreviousResponseID); err != nil {
		return rota.Schedule{}, err
	}
	if s.Conversation, err = joined(ctx, tx, who, agent, rota.Conversation{}, s.Conversation, now); err != nil {
		return rota.Schedule{}, err
	}
	s.Schedule = s.WithTimer(s.Timer)
	return s.Schedule, tx.AddSchedule(ctx, s)
}

// withScheduleWarnings returns a schedule that was created or updated, with what
// may not be what was meant.
func withScheduleWarnings(s rota.Schedule) rota.Schedule {
	s.Warnings = []rota.Warning{}
	if s.Policy.Variables {
		s.Warnings = prompt.InputWarnings("input", s.Input)
	}
	return s
}

func (c *Control) newSchedule(who auth.Caller, agent rota.AgentID, in rota.ScheduleCreate, now time.Time) (rota.TimedSchedule, error) {
	s := withContent(rota.Schedule{
		Object:    rota.ObjectSchedule,
		ID:        rota.NewScheduleID(now),
		AgentID:   agent,
		CreatedAt: rota.InstantOf(now),
		UpdatedAt: rota.InstantOf(now),
		Version:   1,

		VersionedAt: rota.InstantOf(now),
		MadeBy:      who.Key,
	}, in)
	in.Key.ApplyNullable(&s.Key)
	t := rota.Timer{ScheduleID: s.ID, AgentID: agent, Owner: who.Owner, ScheduleVersion: 1}
	t, err := policy.Replan(t, rota.Some(in.Spec), in.Policy.Apply(rota.DefaultPolicy()), c.MinInterval, now)
	if err == nil {
		t, err = begin(t, who, in, now)
	}
	return rota.TimedSchedule{Schedule: s.WithTimer(t), Timer: t}, err
}

// withContent returns a schedule with what somebody who creates one says of its runs:
// what is not said has its default.
func withContent(s rota.Schedule, in rota.ScheduleCreate) rota.Schedule {
	s.Input, s.Conversation, s.Metadata = in.Input, present(in.Conversation), in.Metadata
	if s.Metadata == nil {
		s.Metadata = map[string]string{}
	}
	s.Name, s.Description, s.PreviousResponseID, s.ContextManagement = nil, nil, nil, rota.Any{}
	in.Name.ApplyNullable(&s.Name)
	in.Description.ApplyNullable(&s.Description)
	in.PreviousResponseID.ApplyNullable(&s.PreviousResponseID)
	in.ContextManagement.Apply(&s.ContextManagement)
	return s
}

// begin returns the timer of a new schedule, which may begin paused.
func begin(t rota.Timer, who auth.Caller, in rota.ScheduleCreate, now time.Time) (rota.Timer, error) {
	if paused, _ := in.Paused.Get(); !paused {
		return t, nil
	}
	return policy.Pause(t, byHand(who, in.Note, now))
}

// checkNote refuses a reason for a pause where there is none.
func checkNote(in rota.ScheduleCreate) error {
	paused, _ := in.Paused.Get()
	if _, noted := in.Note.Get(); noted && !paused {
		return rota.InvalidField("note", "says why a schedule begins paused: it goes with paused, which must be true")
	}
	return nil
}

// byHand is the reason of a pause that the caller asks for.
func byHand(who auth.Caller, note rota.Opt[string], now time.Time) rota.PauseReason {
	actor := string(who.Key)
	why := rota.PauseReason{Code: rota.PausedManually, Actor: &actor, At: rota.InstantOf(now)}
	note.ApplyNullable(&why.Note)
	return why
}

// present returns the conversation, or an absent one for null.
func present(c rota.Conversation) rota.Conversation {
	if string(c.RawMessage) == "null" {
		return rota.Conversation{}
	}
	return c
}

// Schedule returns a schedule; one that is deleted only if deleted is true.
// Scope read:agents.
func (c *Control) Schedule(ctx context.Context, who auth.Caller, agent rota.AgentID, id rota.ScheduleID, deleted bool) (rota.Schedule, error) {
	if err := c.enter(ctx, who, rota.ReadAgents, "schedule", on("agent_id", agent), on("schedule_id", id)); err != nil {
		return rota.Schedule{}, err
	}
	return c.Store.Schedule(ctx, who.Owner, agent, id, deleted)
}

// Schedules returns a page of an agent's schedules. Scope read:agents.
func (c *Control) Schedules(ctx context.Context, who auth.Caller, agent rota.AgentID, p rota.Page) (rota.List[rota.Schedule], error) {
	if err := c.enter(ctx, who, rota.ReadAgents, "schedules", on("agent_id", agent)); err != nil {
		return rota.List[rota.Schedule]{}, err
	}
	l, err := c.Store.Schedules(ctx, who.Owner, agent, p)
	if err == nil && len(l.Data) == 0 {
		_, err = c.Store.VisibleAgent(ctx, who.Owner, agent)
	}
	return l, err
}

// UpdateSchedule changes what in names, at once: also for runs that wait in
// the queue. Scope write:agents.
func (c *Control) UpdateSchedule(ctx context.Context, who auth.Caller, agent rota.AgentID, id rota.ScheduleID, in rota.ScheduleUpdate, w Write) (rota.Schedule, error) {
	w, err := c.altering(ctx, who, w)
	if err != nil {
		return rota.Schedule{}, err
	}
	s, err := c.change(ctx, who, "update_schedule", agent, id, w, func(ctx context.Context, tx Tx, s rota.TimedSchedule, now time.Time) (_ rota.TimedSchedule, err error) {
		s = updateContent(s, in)
		if !in.AgentVersion.IsZero() {
			if s.Timer, err = c.pin(ctx, tx, who, s.Timer, in.AgentVersion); err != nil {
				return s, err
			}
		}
		s.Timer, err = policy.Replan(s.Timer, in.Spec, in.Policy.Apply(s.Timer.Policy), c.MinInterval, now)
		return s, err
	})
	return withScheduleWarnings(s), err
}

func updateContent(s rota.TimedSchedule, in rota.ScheduleUpdate) rota.TimedSchedule {
	in.Input.Apply(&s.Input)
	in.Name.ApplyNullable(&s.Name)
	in.Description.ApplyNullable(&s.Description)
	in.Metadata.Apply(&s.Metadata)
	in.Conversation.Apply(&s.Conversation)
	if in.Conversation.IsNull() {
		s.Conversation = rota.Conversation{}
	}
	in.ContextManagement.Apply(&s.ContextManagement)
	if in.ContextManagement.IsNull() {
		s.ContextManagement = rota.Any{}
	}
	if !in.PreviousResponseID.IsZero() {
		in.PreviousResponseID.ApplyNullable(&s.PreviousResponseID)
		s.Timer.LastResponseID = "" // the chain starts anew from what was given
	}
	return s
}

// PauseSchedule stops a schedule, at once: runs that wait in the queue do not
// start. One that is paused stays as it is. Scope write:agents.
func (c *Control) PauseSchedule(ctx context.Context, who auth.Caller, agent rota.AgentID, id rota.ScheduleID, in rota.SchedulePause, w Write) (rota.Schedule, error) {
	return c.change(ctx, who, "pause_schedule", agent, id, w, func(_ context.Context, _ Tx, s rota.TimedSchedule, now time.Time) (_ rota.TimedSchedule, err error) {
		s.Timer, err = policy.Pause(s.Timer, byHand(who, in.Note, now))
		return s, err
	})
}

// ResumeSchedule lets a paused schedule go on, with its next time computed
// from now. One that is active stays as it is. Scope write:agents.
func (c *Control) ResumeSchedule(ctx context.Context, who auth.Caller, agent rota.AgentID, id rota.ScheduleID, _ rota.SchedulePause, w Write) (rota.Schedule, error) {
	return c.change(ctx, who, "resume_schedule", agent, id, w, func(_ context.Context, _ Tx, s rota.TimedSchedule, now time.Time) (_ rota.TimedSchedule, err error) {
		s.Timer, err = policy.Resume(s.Timer, now)
		return s, err
	})
}

// A changeSchedule returns what becomes of a schedule and its timer.
type changeSchedule func(context.Context, Tx, rota.TimedSchedule, time.Time) (rota.TimedSchedule, error)

// change reads a schedule and its timer, lets fn change them, and writes them
// back if it did.
func (c *Control) change(ctx context.Context, who auth.Caller, operation string, agent rota.AgentID, id rota.ScheduleID, w Write, fn changeSchedule) (rota.Schedule, error) {
	if err := c.enter(ctx, who, rota.WriteAgents, operation, on("agent_id", agent), on("schedule_id", id)); err != nil {
		return rota.Schedule{}, err
	}
	return write(ctx, c, who, w, func(ctx context.Context, tx Tx, now time.Time) (rota.Schedule, error) {
		if _, err := live(ctx, tx, who, agent); err != nil {
			return rota.Schedule{}, err
		}
		before, err := tx.TimedSchedule(ctx, who.Owner, agent, id)
		if err != nil {
			return before.Schedule, err
		}
		return alter(ctx, tx, who, before, w, now, fn)
	})
}

// alter lets fn change a schedule and its timer, and writes them back if it did.
func alter(ctx context.Context, tx Tx, who auth.Caller, before rota.TimedSchedule, w Write, now time.Time, fn changeSchedule) (rota.Schedule, error) {
	if err := match(w, before.Version); err != nil {
		return before.Schedule, err
	}
	after, err := fn(ctx, tx, before, now)
	if err != nil {
		return before.Schedule, err
	}
	if err := mayGoOn(who, before.PreviousResponseID, after.PreviousResponseID); err != nil {
		return before.Schedule, err
	}
	if after.Conversation, err = joined(ctx, tx, who, after.AgentID, before.Conversation, after.Conversation, now); err != nil {
		return before.Schedule, err
	}
	after.Schedule = after.WithTimer(after.Timer)
	if same(before, after) {
		return before.Schedule, nil
	}
	if err := w.mayBecome(textLength(before.Schedule), textLength(after.Schedule)); err != nil {
		return before.Schedule, err
	}
	if after, err = nextVersion(ctx, tx, before, after, now); err != nil {
		return before.Schedule, err
	}
	saved, err := save(ctx, tx, before.Timer, after, now)
	if err == nil {
		err = undecided(ctx, tx, after.Timer, now)
	}
	return saved, err
}

// undecided returns Invalid if the timer's next time has just passed, which a
// once schedule's may, and is on record already, alone or inside of a span, be it by the
// change itself.
func undecided(ctx context.Context, tx Tx, t rota.Timer, now time.Time) error {
	if t.NextRunAt.IsZero() || t.NextRunAt.After(now) {
		return nil
	}
	rows, err := tx.Ledger(ctx, t.Owner, t.ScheduleID, t.NextRunAt, t.NextRunAt, 1)
	if err != nil || len(rows) == 0 {
		return err
	}
	return rota.InvalidField("schedule.run_at", "must be another time: this one is on record as %s", rows[0].Outcome)
}

// save writes back a schedule whose content or timer has changed, and puts on
// record the times that the change took from it.
func save(ctx context.Context, tx Tx, before rota.Timer, s rota.TimedSchedule, now time.Time) (rota.Schedule, error) {
	s.Schedule = s.WithTimer(s.Timer)
	s.UpdatedAt = rota.InstantOf(now)
	s.Version++
	if err := drop(ctx, tx, before, s.Timer, now); err != nil {
		return s.Schedule, err
	}
	return s.Schedule, tx.SaveSchedule(ctx, s, policy.Continues(s.PreviousResponseID, s.Timer))
}

// drop puts on record the times that a change takes from a timer.
func drop(ctx context.Context, tx Tx, before, after rota.Timer, now time.Time) error {
	var last time.Time
	if before.Status == rota.SchedulePaused {
		var err error
		if last, err = tx.LastOnRecord(ctx, before.ScheduleID); err != nil {
			return err
		}
	}
	if err := tx.Record(ctx, policy.Dropped(before, after, last, now)); err != nil {
		return err
	}
	if why := policy.GivesUp(before, after); why != nil {
		return tx.GiveUp(ctx, []rota.ScheduleID{before.ScheduleID}, *why)
	}
	return nil
}

// DeleteSchedule deletes a schedule, at once: runs that wait in the queue do
// not start, runs that have started go on. Scope write:agents.
func (c *Control) DeleteSchedule(ctx context.Context, who auth.Caller, agent rota.AgentID, id rota.ScheduleID, w Write) (rota.Deleted[rota.ScheduleID], error) {
	gone := rota.Deleted[rota.ScheduleID]{Object: rota.ObjectScheduleDeleted, ID: id, Deleted: true}
	if err := c.enter(ctx, who, rota.WriteAgents, "delete_schedule", on("agent_id", agent), on("schedule_id", id)); err != nil {
		return gone, err
	}
	return write(ctx, c, who, w, func(ctx context.Context, tx Tx, now time.Time) (rota.Deleted[rota.ScheduleID], error) {
		if _, err := live(ctx, tx, who, agent); err != nil && !errors.Is(err, errUnshared) {
			return gone, err
		}
		s, err := tx.TimedSchedule(ctx, who.Owner, agent, id)
		if err != nil {
			return gone, err
		}
		if err := match(w, s.Version); err != nil {
			return gone, err
		}
		if err := drop(ctx, tx, s.Timer, policy.Delete(s.Timer), now); err != nil {
			return gone, err
		}
		return gone, tx.DeleteSchedule(ctx, who.Owner, agent, id, now)
	})
}
