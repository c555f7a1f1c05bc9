package control

import (
	"context"
	"errors"
	"regexp"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/policy"
)

// Put is what became of an object that was put under its key.
type Put[T any] struct {
	Object  T
	Created bool // whether there was none before
}

// put is [write] for an object that is put under its key. If somebody else creates it at
// the same moment, it is there the second time.
func put[T any](ctx context.Context, c *Control, who auth.Caller, w Write, fn func(context.Context, Write, Tx, time.Time) (Put[T], error)) (Put[T], error) {
	w, err := c.altering(ctx, who, w)
	if err != nil {
		return Put[T]{}, err
	}
	once := func(ctx context.Context, tx Tx, now time.Time) (Put[T], error) { return fn(ctx, w, tx, now) }
	p, err := write(ctx, c, who, w, once)
	if p.Created && errors.Is(err, rota.Conflict) {
		return write(ctx, c, who, w, once)
	}
	return p, err
}

// PutSchedule makes the schedule of an agent that has a key what in says: it creates
// one if there is none, and changes the one that there is if it differs. What the
// schedule has gone through stays: its state and pause, its counts, its skips. Scope
// write:agents.
func (c *Control) PutSchedule(ctx context.Context, who auth.Caller, agent rota.AgentID, key string, in rota.ScheduleCreate, w Write) (Put[rota.Schedule], error) {
	if err := c.enter(ctx, who, rota.WriteAgents, "put_schedule", on("agent_id", agent), on("key", key)); err != nil {
		return Put[rota.Schedule]{}, err
	}
	if err := setKey(&in.Key, key); err != nil {
		return Put[rota.Schedule]{}, err
	}
	if err := checkNote(in); err != nil {
		return Put[rota.Schedule]{}, err
	}
	p, err := put(ctx, c, who, w, func(ctx context.Context, w Write, tx Tx, now time.Time) (p Put[rota.Schedule], err error) {
		if _, err := live(ctx, tx, who, agent); err != nil {
			return p, err
		}
		before, err := tx.ScheduleByKey(ctx, who.Owner, agent, key)
		if errors.Is(err, rota.NotFound) {
			if err := mayCreate(w); err != nil {
				return p, err
			}
			p.Object, err = c.addSchedule(ctx, tx, who, agent, in, now)
			p.Created = true
			return p, err
		}
		if err != nil {
			return p, err
		}
		p.Object, err = alter(ctx, tx, who, before, w, now, func(ctx context.Context, tx Tx, s rota.TimedSchedule, now time.Time) (rota.TimedSchedule, error) {
			return c.replaced(ctx, tx, who, s, in, now)
		})
		return p, err
	})
	p.Object = withScheduleWarnings(p.Object)
	return p, err
}

// replaced returns a schedule with other content, times and policy.
func (c *Control) replaced(ctx context.Context, tx Tx, who auth.Caller, s rota.TimedSchedule, in rota.ScheduleCreate, now time.Time) (_ rota.TimedSchedule, err error) {
	first := s.PreviousResponseID
	s.Schedule = withContent(s.Schedule, in)
	if !same(first, s.PreviousResponseID) {
		s.Timer.LastResponseID = "" // the chain starts anew from what was given
	}
	spec := rota.Some(in.Spec)
	if policy.HasSpec(s.Timer, in.Spec) {
		spec = rota.Opt[rota.Spec]{}
	}
	if s.Timer, err = c.pin(ctx, tx, who, s.Timer, in.AgentVersion); err != nil {
		return s, err
	}
	s.Timer, err = policy.Replan(s.Timer, spec, in.Policy.Apply(rota.DefaultPolicy()), c.MinInterval, now)
	return s, err
}

// ScheduleByKey returns the schedule of an agent that has a key. Scope read:agents.
func (c *Control) ScheduleByKey(ctx context.Context, who auth.Caller, agent rota.AgentID, key string) (rota.Schedule, error) {
	if err := c.enter(ctx, who, rota.ReadAgents, "schedule_by_key", on("agent_id", agent), on("key", key)); err != nil {
		return rota.Schedule{}, err
	}
	s, err := c.Store.ScheduleByKey(ctx, who.Owner, agent, key)
	return s.Schedule, err
}

// PutAgent makes the caller's agent that has a key what in says: it creates one if
// there is none, and gives the one that there is a new version if its configuration
// differs. Without a visibility, the one that there is keeps its own. Scope write:agents.
func (c *Control) PutAgent(ctx context.Context, who auth.Caller, key string, in rota.AgentCreate, w Write) (Put[rota.Agent], error) {
	if err := c.enter(ctx, who, rota.WriteAgents, "put_agent", on("key", key)); err != nil {
		return Put[rota.Agent]{}, err
	}
	if err := setKey(&in.Key, key); err != nil {
		return Put[rota.Agent]{}, err
	}
	p, err := put(ctx, c, who, w, func(ctx context.Context, w Write, tx Tx, now time.Time) (p Put[rota.Agent], err error) {
		p.Object, err = tx.AgentByKey(ctx, who.Owner, key)
		if errors.Is(err, rota.NotFound) {
			if err := mayCreate(w); err != nil {
				return p, err
			}
			p.Object, err = c.addAgent(ctx, tx, who, in, now)
			p.Created = true
			return p, err
		}
		if err != nil {
			return p, err
		}
		p.Object, err = alterAgent(ctx, tx, who, p.Object, w, now, func(ctx context.Context, tx Tx, before rota.AgentConfig) (rota.AgentConfig, *int64, error) {
			after := newAgent(in, now).AgentConfig
			if err := c.checkModels(before, after); err != nil {
				return after, nil, err
			}
			return after, nil, checkFunctions(ctx, tx, who.Owner, after)
		})
		if err != nil {
			return p, err
		}
		stop, err := share(ctx, tx, who, &p.Object, in.Visibility, now)
		if stop && err == nil {
			_, err = stopGuests(ctx, tx, who, p.Object.ID, "", now) // more than a page of them are paused when they fall due
		}
		return p, err
	})
	p.Object = c.withWarnings(p.Object)
	return p, err
}

// AgentByKey returns the caller's agent that has a key. Scope read:agents.
func (c *Control) AgentByKey(ctx context.Context, who auth.Caller, key string) (rota.Agent, error) {
	if err := c.enter(ctx, who, rota.ReadAgents, "agent_by_key", on("key", key)); err != nil {
		return rota.Agent{}, err
	}
	a, err := c.Store.AgentByKey(ctx, who.Owner, key)
	return c.shown(who, a), err
}

// validKey is what a key may be.
var validKey = regexp.MustCompile(rota.KeyPattern)

// setKey gives a body the key that the path has.
func setKey(given *rota.Opt[string], key string) error {
	if k, ok := given.Get(); ok && k != key {
		return rota.InvalidField("key", "must be the key that the path has, or be left out")
	}
	if len(key) > rota.MaxKey || !validKey.MatchString(key) {
		return rota.InvalidField("key", "must be 1 to %d printable ASCII characters, without a space at either end and without a dot at the end", rota.MaxKey)
	}
	*given = rota.Some(key)
	return nil
}

// mayCreate returns Precondition if the caller wants to change what there is, and
// nothing is there; and an error if the owner has stored as much as it may.
func mayCreate(w Write) error {
	if len(w.IfMatch) == 0 {
		return w.mayBecome(0, 1)
	}
	return rota.Errorf(rota.Precondition, "nothing has this key: without If-Match it would be created")
}
