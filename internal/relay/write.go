package relay

import (
	"context"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/events"
)

const (
	batchPause = 20 * time.Millisecond // between two batches of a run
	batchSize  = 1 << 20               // size of a full batch in bytes
)

// A mirror copies the log of a run into the store.
type mirror struct {
	id          rota.RunID
	log         *events.Reader
	began       time.Time
	stop        context.CancelFunc
	announceEnd bool // send the end of the run when all is written; guarded by the relay's mutex
}

// onWatch handles the message that a run is watched in another process. If it is
// mirrored already, it announces that.
func (r *Relay) onWatch(id rota.RunID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.cfg.Now()
	r.watchedElsewhere[id] = now
	if m := r.mirrors[id]; m != nil && now.Sub(m.began) < mirrorMaxAge {
		r.outbox.add("+" + string(id))
		return
	}
	r.mirror(id, now)
}

// onOpen is called when this process begins to work on a run.
func (r *Relay) onOpen(id rota.RunID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.watchedElsewhere[id]; ok && r.mirrors[id] == nil {
		r.mirror(id, r.cfg.Now())
	}
}

// mirror starts a mirror of a run, replacing an older one, if this process has a
// log of it. The caller holds the mutex.
func (r *Relay) mirror(id rota.RunID, now time.Time) {
	log, ok := r.cfg.Hub.Follow(id)
	if !ok || r.mirrorCtx.Err() != nil {
		return
	}
	m := &mirror{id: id, log: log, began: now}
	ctx, stop := context.WithCancel(r.mirrorCtx)
	m.stop = stop
	if old := r.mirrors[id]; old != nil {
		m.announceEnd = old.announceEnd
		old.stop()
	}
	r.mirrors[id] = m
	r.writing.Go(func() { r.copy(ctx, m) })
}

// repeatWatches repeats which runs are watched here, and forgets runs that are no
// longer watched elsewhere, until ctx ends.
func (r *Relay) repeatWatches(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
			r.announceWatches()
			r.expireWatches()
		case <-ctx.Done():
		}
	}
}

// forgetEvents has the store forget what nobody will read, again and again, until ctx
// ends.
func (r *Relay) forgetEvents(ctx context.Context) {
	for pause(ctx, forgetEvery); ctx.Err() == nil; pause(ctx, forgetEvery) {
		storeCtx, cancel := context.WithTimeout(ctx, storeTimeout)
		err := r.cfg.Store.ForgetEvents(storeCtx, r.cfg.Now())
		cancel()
		if err != nil && ctx.Err() == nil {
			r.cfg.Log.Error("what runs have said could not be forgotten; it is tried again", "err", err)
		}
	}
}

// expireWatches ends the mirrors of runs that no process watches any more.
func (r *Relay) expireWatches() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, at := range r.watchedElsewhere {
		if r.cfg.Now().Sub(at) <= watchTTL {
			continue
		}
		delete(r.watchedElsewhere, id)
		if m := r.mirrors[id]; m != nil && !m.announceEnd {
			delete(r.mirrors, id)
			m.stop()
		}
	}
}

// copy writes the events of a log until the log ends. If ctx ends first, it writes
// only those already there.
func (r *Relay) copy(ctx context.Context, m *mirror) {
	defer r.done(m)
	for {
		batch, err := m.log.NextAll(ctx, batchSize)
		if err != nil || !r.store(ctx, m.id, batch) {
			return
		}
		r.outbox.add("+" + string(m.id))
		pause(ctx, batchPause)
	}
}

// store writes a batch. It retries until ctx ends.
func (r *Relay) store(ctx context.Context, id rota.RunID, batch []events.Event) bool {
	for {
		err := r.append(ctx, id, batch)
		if err == nil || ctx.Err() != nil {
			return err == nil
		}
		r.cfg.Log.Error("what a run says could not be stored for the other processes; it is tried again", "run_id", id, "err", err)
		pause(ctx, time.Second)
	}
}

func (r *Relay) append(ctx context.Context, id rota.RunID, batch []events.Event) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	return r.cfg.Store.AppendEvents(ctx, id, batch, r.cfg.Now())
}

// done announces the end of the run if it has ended.
func (r *Relay) done(m *mirror) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m.stop()
	if r.mirrors[m.id] != m {
		return // it was given up, or another one goes on
	}
	delete(r.mirrors, m.id)
	if m.announceEnd {
		r.outbox.add(string(m.id))
	}
}
