package responder

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/budget"
	"github.com/rota-run/rota/internal/events"
)

const (
	leaseFor = 30 * time.Second // how long a process that is gone keeps its responses
	renew    = 5 * time.Second  // how often it says that it is not
	looks    = time.Second      // how often responses of others are looked for
	atOnce   = 16               // background responses that are taken in one transaction
	workers  = 256              // background responses that a process works on
	wait     = 250 * time.Millisecond
)

// Lease returns what this process takes a response with.
func (r *Responder) Lease() rota.Lease {
	return rota.Lease{Worker: r.Worker, Until: r.Now().Add(leaseFor)}
}

// Changed says that responses may wait for a process.
func (r *Responder) Changed() {
	select {
	case r.Wake <- struct{}{}:
	default:
	}
}

// Pause blocks for a while, or until ctx ends.
func (r *Responder) Pause(ctx context.Context) error {
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Run works on responses in the background, and ends those whose process is gone, until
// ctx ends. Then it lets others go on with what it has.
func (r *Responder) Run(ctx context.Context) {
	working, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	context.AfterFunc(ctx, func() { stop(errLeft) })
	if r.Alone {
		r.free(ctx)
	}
	renewed := r.Now()
	for ctx.Err() == nil {
		if now := r.Now(); now.Sub(renewed).Abs() >= renew {
			renewed = now
			r.renew(ctx)
		}
		r.look(ctx)
		r.take(ctx, working)
		select {
		case <-r.Wake:
		case <-time.After(looks):
		case <-ctx.Done():
		}
	}
	r.background.Wait()
	for _, here := range r.opened() {
		<-here.ended // its caller is being told that the server stops
	}
	err := r.Store.Update(context.WithoutCancel(ctx), func(ctx context.Context, tx Tx) error { return tx.LeaveResponses(ctx, r.Worker) })
	if err != nil {
		r.Log.Error("background responses could not be handed over: they go on in half a minute", "err", err)
	}
}

// free lets this process take what those before it have had.
func (r *Responder) free(ctx context.Context) {
	err := r.Store.Update(ctx, func(ctx context.Context, tx Tx) error { return tx.FreeResponses(ctx, r.Worker) })
	if err != nil {
		r.Log.Error("responses of the process before cannot be taken over yet", "err", err)
	}
}

// renew tells that the process is there, and stops work on what has ended elsewhere.
func (r *Responder) renew(ctx context.Context) {
	open := r.opened()
	if len(open) == 0 {
		return
	}
	mine := map[rota.ResponseID]bool{}
	err := r.Store.Update(ctx, func(ctx context.Context, tx Tx) error {
		ids, err := tx.RenewLeases(ctx, r.Lease())
		for _, id := range ids {
			mine[id] = true
		}
		return err
	})
	if err != nil {
		r.Log.Error("responses could not be kept by this process", "err", err)
		return
	}
	for id, here := range open {
		if here.kept && !mine[id] {
			here.cancel(errCancelled)
		}
	}
}

// Open returns the responses that are worked on here.
func (r *Responder) Open() []rota.ResponseID { return slices.Sorted(maps.Keys(r.opened())) }

func (r *Responder) opened() map[rota.ResponseID]*running {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.open)
}

// take takes responses that no process has, and begins to work on them.
func (r *Responder) take(ctx, working context.Context) {
	for ctx.Err() == nil && r.Busy.here() < workers {
		waits, err := r.Store.ResponsesWait(ctx, r.Now())
		if err != nil || !waits {
			return
		}
		var taken []rota.OpenResponse
		var t *turns
		err = r.Store.Update(ctx, func(ctx context.Context, tx Tx) error {
			t = &turns{r: r, offered: map[rota.Owner]bool{}}
			var err error
			taken, err = tx.TakeResponses(ctx, r.Lease(), r.Now(), t.all())
			return err
		})
		if err != nil || len(taken) == 0 {
			return
		}
		r.after = t.last
		for i, o := range taken {
			r.Busy.add(t.at[i], 1)
			r.background.Go(func() {
				defer r.left(t.at[i])
				r.goOn(working, o)
			})
		}
	}
}

// goOn works on a response in the background, or ends one whose caller is gone with its
// process.
func (r *Responder) goOn(ctx context.Context, o rota.OpenResponse) {
	room := r.Memory.Open()
	defer room.Release()
	w, err := r.load(ctx, o, room)
	if err != nil {
		r.Log.Error("a response cannot be read; it is tried again", "response_id", o.ID, "err", err)
		return
	}
	if o.Orphan {
		r.Log.Warn("took over a response", "response_id", o.ID, "background", o.Background)
	}
	_, _ = r.Answer(ctx, w, func(events.Event) {}) // its end is on record
}

// readCost is what the items of a response take of memory, as a multiple of their bytes.
const readCost = 8

// load reads the work on a response, after it has taken memory for it.
func (r *Responder) load(ctx context.Context, o rota.OpenResponse, room *budget.Account) (w rota.ResponseWork, err error) {
	size, err := r.Store.ResponseBytes(ctx, o.ID)
	if err == nil {
		err = room.Hold(ctx, readCost*int64(size))
	}
	if err != nil {
		return w, err
	}
	w.Kept, w.Lost = true, o.Orphan && !o.Background
	if w.ResponseRecord, w.Input, err = r.Store.ResponseWork(ctx, o.ID); err != nil {
		return w, err
	}
	if w.Steps, err = r.Store.ResponseSteps(ctx, o.ID); err != nil {
		return w, err
	}
	conversation, previous := rota.ConversationID(""), rota.ResponseID("")
	switch {
	case w.Conversation != nil:
		conversation = *w.Conversation
	case w.Previous != nil:
		previous = *w.Previous
	default:
		return w, nil
	}
	if size, err = r.Store.TurnBytes(ctx, w.Owner, conversation, previous); err == nil {
		err = room.Hold(ctx, room.Held()+readCost*int64(size))
	}
	if err == nil {
		w.Turns, err = r.Store.TurnsBefore(ctx, w.Owner, conversation, previous)
	}
	return rootless(w, err)
}

// rootless returns the work on a response of which what came before is not there any
// more: it ends as failed.
func rootless(w rota.ResponseWork, err error) (rota.ResponseWork, error) {
	var e *rota.Error
	if !errors.As(err, &e) || e.Code != rota.PreviousNotFound && e.Code != rota.NotFound {
		return w, err
	}
	w.Lost = true
	w.Steps = append(w.Steps, rota.ResponseStep{Kind: rota.StepFailed, Code: rota.RunErrRejected, Message: e.Msg})
	return w, nil
}
