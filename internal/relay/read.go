package relay

import (
	"context"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/events"
)

// onEnd handles the message that a run has ended. If the run is watched here, its
// events are read first.
func (r *Relay) onEnd(id rota.RunID) {
	r.receiver.Cancel(id)
	if _, ok := r.cfg.Hub.Awaits(id); ok {
		r.ends.add(id)
		return
	}
	r.cfg.Hub.End(id)
}

// read reads the events of runs that are watched here and worked on elsewhere,
// until ctx ends. Every few seconds it asks the store for ends that it may have
// missed.
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

// fetch appends a run's stored events to its log, and reports whether they could
// be read.
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

// end ends a run's log when it has all events. If that fails, endFinished tries
// again.
func (r *Relay) end(ctx context.Context, id rota.RunID) {
	if r.fetch(ctx, id) {
		r.cfg.Hub.End(id)
	}
}

// catchUp cancels the runs that are worked on here and have ended in another
// process, in case the messages were lost.
func (r *Relay) catchUp(ctx context.Context) {
	for _, id := range r.endedAmong(ctx, r.cfg.Hub.Busy()) {
		r.receiver.Cancel(id)
	}
}

// endedAmong returns those of the runs that have ended; none if the store fails.
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

// endFinished ends the logs of runs that are in before and have ended: a run's worker
// may write its last events some moments after the end. It returns the runs that
// have ended, for the next call.
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
