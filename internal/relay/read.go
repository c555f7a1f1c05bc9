package relay

import (
	"context"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/events"
)

// onEnd takes the word that a run has ended. What it said is read first, if
// somebody watches.
func (r *Relay) onEnd(id rota.RunID) {
	r.receiver.Cancel(id)
	if _, ok := r.cfg.Hub.Awaits(id); ok {
		r.ends.add(id)
		return
	}
	r.cfg.Hub.End(id)
}

// read reads, until ctx ends, what other processes have written of the runs
// that are watched here. Now and then it asks the store for ends that it has
// not heard of.
func (r *Relay) read(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var before map[rota.RunID]bool
	for ctx.Err() == nil {
		select {
		case <-r.unread.more:
			for _, id := range r.unread.drain() {
				r.fetch(ctx, id)
			}
		case <-r.ends.more:
			for _, id := range r.ends.drain() {
				r.end(ctx, id)
			}
		case <-r.missed:
			r.catchUp(ctx)
		case <-tick.C:
			before = r.endFinished(ctx, before)
		case <-ctx.Done():
		}
	}
}

// fetch appends to a run's log what the store has of it, and reports whether
// it could be read.
func (r *Relay) fetch(ctx context.Context, id rota.RunID) bool {
	last, ok := r.cfg.Hub.Awaits(id)
	if !ok {
		return true
	}
	readCtx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	err := r.cfg.Store.EventsAfter(readCtx, id, last, func(e events.Event) { r.cfg.Hub.Receive(id, e) })
	if err != nil && ctx.Err() == nil {
		r.cfg.Log.Error("what a run says could not be read; it is tried again", "run_id", id, "err", err)
	}
	return err == nil
}

// end ends a run's log when all is in it. If that fails, look will try again.
func (r *Relay) end(ctx context.Context, id rota.RunID) {
	if r.fetch(ctx, id) {
		r.cfg.Hub.End(id)
	}
}

// catchUp says which of the runs that are worked on here have ended in another
// process, for instance because somebody cancelled them, without a word of it
// having come.
func (r *Relay) catchUp(ctx context.Context) {
	for _, id := range r.endedAmong(ctx, r.cfg.Hub.Busy()) {
		r.receiver.Cancel(id)
	}
}

// endedAmong returns those of the runs that have ended, as far as the store can
// be asked.
func (r *Relay) endedAmong(ctx context.Context, ids []rota.RunID) []rota.RunID {
	if len(ids) == 0 {
		return nil
	}
	readCtx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	ended, err := r.cfg.Store.EndedAmong(readCtx, ids)
	if err != nil && ctx.Err() == nil {
		r.cfg.Log.Error("the ends of runs could not be read; it is tried again", "err", err)
	}
	return ended
}

// endFinished ends the logs of runs that had ended before the last look: the process
// that worked on one may still be writing its last words. It returns those
// that have ended since.
func (r *Relay) endFinished(ctx context.Context, before map[rota.RunID]bool) map[rota.RunID]bool {
	var idle []rota.RunID
	for id := range r.cfg.Hub.Idle() {
		idle = append(idle, id)
	}
	ended := r.endedAmong(ctx, idle)
	since := make(map[rota.RunID]bool)
	for _, id := range ended {
		since[id] = true
		if before[id] {
			r.end(ctx, id)
		}
	}
	return since
}
