package control

import (
	"context"
	"errors"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/policy"
)

// absencePage is how many schedules of an agent one transaction pauses, or puts back.
const absencePage = 500

// DeleteAgent deletes an agent until it is restored, and pauses its schedules. Runs
// that have started go on. An agent that another one has as a tool is a Conflict; one
// that is deleted stays as it is. If there are very many schedules, the agent is
// deleted with the first of them, and then the others are paused; those that a crash
// leaves are paused when they fall due.
// Scope write:agents.
func (c *Control) DeleteAgent(ctx context.Context, who auth.Caller, id rota.AgentID, w Write) (rota.Deleted[rota.AgentID], error) {
	gone := rota.Deleted[rota.AgentID]{Object: rota.ObjectAgentDeleted, ID: id, Deleted: true}
	if err := c.enter(ctx, who, rota.WriteAgents, "delete_agent", on("agent_id", id)); err != nil {
		return gone, err
	}
	actor := string(who.Key)
	return writeInParts(ctx, c, who, w, func(ctx context.Context, tx Tx, now time.Time, after rota.ScheduleID) (rota.Deleted[rota.AgentID], *rota.ScheduleID, error) {
		a, err := ownAgent(ctx, tx, who, id)
		if err != nil {
			return gone, nil, err
		}
		if err := match(w, a.Version); err != nil {
			return gone, nil, err
		}
		since := a.DeletedAt
		switch {
		case since != nil:
		case after != "": // it has been restored since
			return gone, nil, nil
		default:
			since = rota.InstantOrNil(now)
			if err := c.deleteAgent(ctx, tx, who, id, now); err != nil {
				return gone, nil, err
			}
		}
		why := rota.PauseReason{Code: rota.PausedByDeletion, Actor: &actor, At: *since}
		next, err := pauseSome(ctx, tx, who.Owner, id, after, why)
		return gone, next, err
	})
}

func (c *Control) deleteAgent(ctx context.Context, tx Tx, who auth.Caller, id rota.AgentID, now time.Time) error {
	user, err := tx.AgentUser(ctx, who.Owner, id)
	if err == nil && user != "" {
		err = rota.Errorf(rota.Conflict, "the agent %s has this one as a tool; take it out of its tools first", user)
	}
	if err != nil {
		return err
	}
	return tx.DeleteAgent(ctx, who.Owner, id, now, now.Add(c.AgentRetention))
}

// pauseSome pauses a page of the schedules on an agent that is deleted, whosever they are,
// and returns the last of them; nil if none are left.
func pauseSome(ctx context.Context, tx Tx, o rota.Owner, id rota.AgentID, after rota.ScheduleID, why rota.PauseReason) (*rota.ScheduleID, error) {
	timers, err := tx.LiveTimers(ctx, o, id, after, absencePage)
	if err != nil {
		return nil, err
	}
	return lastOf(timers), leave(ctx, tx, timers, why)
}

// leave pauses schedules that are active, and gives up what waits in any.
func leave(ctx context.Context, tx Tx, timers []rota.Timer, why rota.PauseReason) error {
	if len(timers) == 0 {
		return nil
	}
	var records []rota.Occurrence
	var waiting []rota.ScheduleID
	var given rota.Reason
	for _, t := range timers {
		after := policy.Leave(t, why)
		if t.Status == rota.ScheduleActive {
			records = append(records, policy.Dropped(t, after, time.Time{}, why.At.Time)...)
		}
		if r := policy.GivesUp(t, after); r != nil {
			waiting, given = append(waiting, t.ScheduleID), *r
		}
	}
	if err := tx.Record(ctx, records); err != nil {
		return err
	}
	if err := tx.GiveUp(ctx, waiting, given); err != nil {
		return err
	}
	return tx.RestTimers(ctx, timers, why)
}

// lastOf returns the schedule of the last timer on a page; nil if the page is not full.
func lastOf(page []rota.Timer) *rota.ScheduleID {
	if len(page) < absencePage {
		return nil
	}
	return &page[len(page)-1].ScheduleID
}

// RestoreAgent takes the deletion of an agent back, as long as it is retained. Its
// schedules stay paused, and what they had to do meanwhile is not made up for. If
// there are very many, the agent is restored with the last of them; asking again
// after a crash goes on.
// Scope write:agents.
func (c *Control) RestoreAgent(ctx context.Context, who auth.Caller, id rota.AgentID, w Write) (rota.Agent, error) {
	if err := c.enter(ctx, who, rota.WriteAgents, "restore_agent", on("agent_id", id)); err != nil {
		return rota.Agent{}, err
	}
	return writeInParts(ctx, c, who, w, func(ctx context.Context, tx Tx, now time.Time, after rota.ScheduleID) (rota.Agent, *rota.ScheduleID, error) {
		a, err := ownAgent(ctx, tx, who, id)
		if err != nil {
			return a, nil, err
		}
		if err := match(w, a.Version); err != nil {
			return a, nil, err
		}
		if a.DeletedAt != nil && !now.Before(a.RetentionExpiresAt.Time) {
			return a, nil, rota.Errorf(rota.Conflict, "the agent could be restored until %s", a.RetentionExpiresAt)
		}
		if err := keyIsFree(ctx, tx, who, a); err != nil {
			return a, nil, err
		}
		if a.DeletedAt != nil {
			if next, err := putBack(ctx, tx, who.Owner, a, after, now); err != nil || next != nil {
				return a, next, err
			}
		}
		if err := tx.RestoreAgent(ctx, who.Owner, id, now); err != nil {
			return a, nil, err
		}
		a, err = tx.Agent(ctx, who.Owner, id)
		return a, nil, err
	})
}

// keyIsFree returns Conflict if another agent has the key of one that was deleted.
func keyIsFree(ctx context.Context, tx Tx, who auth.Caller, a rota.Agent) error {
	if a.Key == nil || a.DeletedAt == nil {
		return nil
	}
	other, err := tx.AgentByKey(ctx, who.Owner, *a.Key)
	if errors.Is(err, rota.NotFound) {
		return nil
	}
	if err == nil {
		err = rota.Errorf(rota.Conflict, "the agent %s has the key of this one by now; delete it first", other.ID)
	}
	return err
}

// putBack puts on record what a page of the schedules of an agent had to do while it
// was away, and returns the last of them; nil if none are left. Those that an
// earlier deletion paused were paused already.
func putBack(ctx context.Context, tx Tx, o rota.Owner, a rota.Agent, after rota.ScheduleID, now time.Time) (*rota.ScheduleID, error) {
	if after == "" { // a crash may have left some that the deletion had to pause
		why := rota.PauseReason{Code: rota.PausedByDeletion, At: *a.DeletedAt}
		if left, err := pauseSome(ctx, tx, o, a.ID, after, why); err != nil || left != nil {
			return &after, err
		}
	}
	page, err := tx.PausedTimers(ctx, o, a.ID, after, absencePage)
	if err != nil {
		return nil, err
	}
	var records []rota.Occurrence
	var all, absent []rota.Timer
	for _, t := range page {
		all = append(all, t.Timer)
		if t.PauseReason.Code != rota.PausedByDeletion || t.PauseReason.At.Before(a.DeletedAt.Time) {
			continue
		}
		back := policy.Restore(t.Timer, now)
		absent = append(absent, back)
		records = append(records, policy.Dropped(t.Timer, back, t.LastOnRecord, now)...)
	}
	if err := tx.Record(ctx, records); err != nil {
		return nil, err
	}
	return lastOf(all), tx.SavePauses(ctx, absent)
}
