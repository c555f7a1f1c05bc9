package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/events"
	"github.com/rota-run/rota/internal/policy"
)

// StartRun queues a run of an agent. Scope write:agents.
func (c *Control) StartRun(ctx context.Context, who auth.Caller, agent rota.AgentID, in rota.RunCreate, w Write) (rota.Run, error) {
	if err := c.enter(ctx, who, rota.WriteAgents, "start_run", on("agent_id", agent)); err != nil {
		return rota.Run{}, err
	}
	use, err := c.limitReached(ctx, who.Owner)
	if err != nil {
		return rota.Run{}, err
	}
	return write(ctx, c, who, w.growing(), func(ctx context.Context, tx Tx, now time.Time) (rota.Run, error) {
		a, err := live(ctx, tx, who, agent)
		if err != nil {
			return rota.Run{}, err
		}
		if use != nil {
			return rota.Run{}, use.Err()
		}
		r := newRun(a, in, now)
		if err := mayGoOn(who, nil, r.PreviousResponseID); err != nil {
			return rota.Run{}, err
		}
		if r.Conversation, err = joined(ctx, tx, who, agent, rota.Conversation{}, r.Conversation, now); err != nil {
			return rota.Run{}, err
		}
		provider, _, _ := c.Models.Resolve(a.Model)
		return r, tx.AddRun(ctx, who.Owner, r, provider)
	})
}

func newRun(a rota.Agent, in rota.RunCreate, now time.Time) rota.Run {
	r := rota.Run{
		Object:       rota.ObjectRun,
		ID:           rota.NewRunID(now),
		AgentID:      a.ID,
		AgentVersion: a.Version,
		Status:       rota.RunQueued,
		Phase:        rota.PhaseQueued,
		Input:        in.Input,
		Conversation: present(in.Conversation),
		Metadata:     in.Metadata,
		Trigger:      rota.TriggerAPI,
		Attempts:     []rota.RunAttempt{},
		CreatedAt:    rota.InstantOf(now),
	}
	in.PreviousResponseID.ApplyNullable(&r.PreviousResponseID)
	in.ContextManagement.Apply(&r.ContextManagement)
	if deltas, ok := in.Stream.Get(); ok {
		r.NoDeltas = !deltas
	}
	if r.Metadata == nil {
		r.Metadata = map[string]string{}
	}
	return r
}

// Run returns a run. Scope read:agents.
func (c *Control) Run(ctx context.Context, who auth.Caller, agent rota.AgentID, id rota.RunID) (rota.Run, error) {
	if err := c.enter(ctx, who, rota.ReadAgents, "run", on("agent_id", agent), on("run_id", id)); err != nil {
		return rota.Run{}, err
	}
	return c.Store.Run(ctx, who.Owner, agent, id)
}

// WholeRun returns a run that was read with what is [rota.Run.Deferred] of it. Scope
// read:agents.
func (c *Control) WholeRun(ctx context.Context, who auth.Caller, r rota.Run) (rota.Run, error) {
	if err := c.enter(ctx, who, rota.ReadAgents, "whole_run", on("run_id", r.ID)); err != nil {
		return rota.Run{}, err
	}
	return whole(ctx, c.Store, who, r)
}

func whole(ctx context.Context, s RunReader, who auth.Caller, r rota.Run) (rota.Run, error) {
	if r.Deferred == 0 {
		return r, nil
	}
	o := rota.Owner{Account: who.Owner.Account}
	if r.EndUser != nil {
		o.EndUser = *r.EndUser
	}
	var err error
	r.GatewayResponse, err = s.Response(ctx, o, r.ID)
	r.Deferred = 0
	return r, err
}

// RunByID returns a run, whatever its agent. Its answer is [rota.Run.Deferred] if it is
// large. Scope read:agents.
func (c *Control) RunByID(ctx context.Context, who auth.Caller, id rota.RunID) (rota.Run, error) {
	if err := c.enter(ctx, who, rota.ReadAgents, "run_by_id", on("run_id", id)); err != nil {
		return rota.Run{}, err
	}
	return c.Store.RunByID(ctx, who.Owner, id)
}

// Runs returns a page of an agent's runs, also of one that is deleted. Scope
// read:agents.
func (c *Control) Runs(ctx context.Context, who auth.Caller, agent rota.AgentID, p rota.Page) (rota.List[rota.Run], error) {
	if err := c.enter(ctx, who, rota.ReadAgents, "runs", on("agent_id", agent)); err != nil {
		return rota.List[rota.Run]{}, err
	}
	if who.Owner.EndUser != "" {
		_, err := c.Store.Agent(ctx, who.Owner, agent)
		if errors.Is(err, rota.NotFound) {
			return c.runsAsGuest(ctx, who, agent, p)
		}
		if err != nil {
			return rota.List[rota.Run]{}, err
		}
	}
	l, err := c.Store.Runs(ctx, who.Owner, agent, p)
	if err == nil && len(l.Data) == 0 {
		_, err = c.Store.Agent(ctx, who.Owner, agent)
	}
	return l, err
}

// runsAsGuest returns a page of the caller's runs of an agent that is, or was, shared with it.
func (c *Control) runsAsGuest(ctx context.Context, who auth.Caller, agent rota.AgentID, p rota.Page) (rota.List[rota.Run], error) {
	l, err := c.Store.AllRuns(ctx, rota.Owners{Owner: who.Owner}, rota.RunFilter{AgentID: agent, Guest: true}, p)
	if err == nil && len(l.Data) == 0 {
		_, err = c.Store.VisibleAgent(ctx, who.Owner, agent)
	}
	return l, err
}

// CancelRun ends a run that has not ended, at once. One that is cancelled
// stays as it is; one that ended otherwise is a Conflict. Scope write:agents.
func (c *Control) CancelRun(ctx context.Context, who auth.Caller, agent rota.AgentID, id rota.RunID, w Write) (rota.Run, error) {
	if err := c.enter(ctx, who, rota.WriteAgents, "cancel_run", on("agent_id", agent), on("run_id", id)); err != nil {
		return rota.Run{}, err
	}
	r, err := write(ctx, c, who, w, func(ctx context.Context, tx Tx, now time.Time) (rota.Run, error) {
		run, err := tx.Run(ctx, who.Owner, agent, id)
		if err != nil {
			return run, err
		}
		why := rota.RunError{Code: rota.RunErrCancelled, Message: "the run was cancelled"}
		end := rota.Result{Phase: rota.PhaseCancelled, Error: &why, Tokens: rota.TokensOf(run.Attempts...), CompletedAt: now}
		if _, err := tx.FinishRun(ctx, id, end, policy.Settle); err != nil {
			return run, err
		}
		run, err = tx.Run(ctx, who.Owner, agent, id) // it may have ended otherwise, even since it was read
		if err == nil && run.Phase != rota.PhaseCancelled {
			err = rota.Errorf(rota.Conflict, "the run has ended: its status is %s", run.Status)
		}
		if err != nil {
			return run, err
		}
		return whole(ctx, tx, who, run)
	})
	if err == nil {
		c.Engine.Cancel(id)
		c.Hub.End(id)
	}
	return r, err
}

// An EventReader gives the events of a run in order. Next blocks until there
// is one, and returns io.EOF after the terminal event, or ctx's error.
type EventReader interface {
	Next(ctx context.Context) (events.Event, error)
}

// A Room is asked for memory.
type Room func(ctx context.Context, bytes int) error

// RunEvents returns the events of a run after a sequence number (-1: all), and
// at last one terminal event. Of a run that has ended there is only that one.
// It returns nil if after says that the terminal event of such a run has been
// seen. The reader lives as long as ctx. Before a terminal event that is large is
// made, room is asked for as many bytes; it may block, and nil is no bound. Scope read:agents.
func (c *Control) RunEvents(ctx context.Context, who auth.Caller, agent rota.AgentID, id rota.RunID, after int64, room Room) (EventReader, error) {
	if err := c.enter(ctx, who, rota.ReadAgents, "run_events", on("agent_id", agent), on("run_id", id)); err != nil {
		return nil, err
	}
	if _, err := c.Store.Run(ctx, who.Owner, agent, id); err != nil {
		return nil, err
	}
	r := c.Hub.Read(id, after)
	context.AfterFunc(ctx, r.Close)
	run, err := c.Store.Run(ctx, who.Owner, agent, id) // it may have ended before there was a reader
	if err != nil {
		return nil, err
	}
	if run.CompletedAt != nil && after >= Terminal(run).Seq {
		r.Close()
		return nil, nil
	}
	return &runEvents{
		log:   r,
		ended: run.CompletedAt != nil,
		run:   func(ctx context.Context) (rota.Run, error) { return c.Store.Run(ctx, who.Owner, agent, id) },
		whole: func(ctx context.Context, r rota.Run) (rota.Run, error) { return whole(ctx, c.Store, who, r) },
		room:  room,
	}, nil
}

type runEvents struct {
	log   *events.Reader
	ended bool // what is in the log is all there will be
	done  bool
	run   func(context.Context) (rota.Run, error)
	whole func(context.Context, rota.Run) (rota.Run, error)
	room  Room
}

func (r *runEvents) Next(ctx context.Context) (events.Event, error) {
	if r.done {
		return events.Event{}, io.EOF
	}
	if !r.ended {
		e, err := r.log.Next(ctx)
		if !errors.Is(err, io.EOF) {
			return e, err
		}
	}
	r.ended = true
	run, err := r.last(ctx)
	if err != nil {
		return events.Event{}, err
	}
	r.done = true
	last := Terminal(run)
	if last.Seq <= r.log.After() {
		return events.Event{}, io.EOF // the caller has seen it
	}
	return last, nil
}

// largeEvent is from how many bytes on an event needs room.
const largeEvent = 64 << 10

// last reads the run when it has ended, as a whole if there is room for it.
func (r *runEvents) last(ctx context.Context) (rota.Run, error) {
	run, err := r.run(ctx)
	size := len(run.GatewayResponse.RawMessage) + run.Deferred
	if err != nil || size < largeEvent {
		return run, err
	}
	if r.room != nil {
		if err := r.room(ctx, size); err != nil {
			return rota.Run{}, err
		}
	}
	return r.whole(ctx, run)
}

// Terminal returns the one event that says how a run ended. Its sequence
// number is above those of the events of every attempt.
func Terminal(r rota.Run) events.Event {
	seq := events.FirstSeq(r.Attempt + 1)
	kind := "response." + string(r.Status)
	response := r.GatewayResponse
	if response.IsZero() {
		response = rota.AnyOf(map[string]any{
			"id": r.GatewayResponseID, "object": "response", "status": r.Status, "error": r.Error, "output": []any{},
			"created_at": r.CreatedAt.Unix(),
		})
	}
	data := make([]byte, 0, len(response.RawMessage)+len(kind)+64)
	data = append(append(data, `{"response":`...), response.RawMessage...)
	data = fmt.Appendf(data, `,"sequence_number":%d,"type":%q}`, seq, kind)
	return events.Event{Seq: seq, Data: data}
}
