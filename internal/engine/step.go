// Package engine is what engines have in common: what they do to the store in
// one transaction. When they do it, and who carries the runs that come of it, is
// where they differ.
package engine

import (
	"context"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/policy"
)

// BatchSize is how many timers one step takes.
const BatchSize = 500

// A Step takes what is due out of the store: it records what becomes of the
// timers that are due, and claims as many waiting runs as may be worked on; if
// nothing more is due, it lets what was missed catch up. A step may be taken
// from one goroutine at a time.
type Step struct {
	Provider          func(model string) string // the provider that serves an agent's model
	Providers         []Provider                // at least one
	MaxConcurrentRuns int

	next int // the provider that is served first
}

// A Provider bounds the runs that are at one provider at once.
type Provider struct {
	Name string
	Max  int // 0: no bound of its own
}

// Busy counts the runs that are worked on, by provider. It is asked in the
// transaction of the step, when what is due has been decided.
type Busy func(context.Context) (map[string]int, error)

// A Moment is when a step is taken.
type Moment struct {
	Now     time.Time // in whole milliseconds
	Since   time.Time // when somebody began to look at what is due
	Busy    Busy
	CatchUp int // runs that may make up for the past; negative: do not look at that
}

// Batch is what a step took.
type Batch struct {
	Decided     []rota.Occurrence // outcomes that were put on record
	Work        []rota.Work       // runs that begin
	Ended       []Ended           // runs that were ended without a beginning
	Freed       bool              // a run was put aside: what it would have taken is free
	CaughtUp    int               // runs that make up for the past
	BacklogLeft bool              // there is more to make up for
	Saturated   bool              // more runs may wait than there is room for
	Fired       int               // timers that were decided
	Wake        time.Time         // when the next is due, or may go on; zero if there is nothing to wait for

	busy  map[string]int
	total int
}

// An Ended is a run that was ended, and not by a worker: it must not begin, or
// its worker is lost and it must not begin again.
type Ended struct {
	Run   rota.RunID
	Phase rota.Phase
	Code  string // of its error
}

// Lost returns how a run has ended whose worker is lost.
func Lost(id rota.RunID) Ended { return Ended{id, rota.PhaseFailed, rota.RunErrWorkerLost} }

// Run takes a step in a transaction.
func (s *Step) Run(ctx context.Context, q Queue, m Moment) (Batch, error) {
	var batch Batch
	_, err := q.FireDue(ctx, m.Now, BatchSize, func(t rota.Timer) rota.Decision {
		batch.Fired++
		d := policy.Decide(t, m.Now, m.Since)
		batch.Decided = append(batch.Decided, d.Records...)
		d.Provider = s.Provider(t.Model)
		return d
	})
	if err != nil {
		return batch, err
	}
	s.next++
	if err := batch.count(ctx, m.Busy); err != nil {
		return batch, err
	}
	if err := s.claim(ctx, q, &batch, m.Now); err != nil {
		return batch, err
	}
	batch.Wake, err = q.NextWake(ctx, m.Now)
	if err != nil || !batch.Wake.IsZero() && !batch.Wake.After(m.Now) || m.CatchUp < 0 {
		return batch, err
	}
	if err := s.catchUp(ctx, q, &batch, m); err != nil || batch.CaughtUp == 0 {
		return batch, err
	}
	return batch, s.claim(ctx, q, &batch, m.Now)
}

// Announce tells of the outcomes that were put on record, and of the runs that
// were ended without a beginning. Either may be nil.
func (batch Batch) Announce(decided func(rota.Occurrence), ended func(Ended)) {
	for _, o := range batch.Decided {
		if decided != nil {
			decided(o)
		}
	}
	for _, e := range batch.Ended {
		if ended != nil {
			ended(e)
		}
	}
}

// count notes the places that are taken.
func (batch *Batch) count(ctx context.Context, busy Busy) (err error) {
	batch.busy, err = busy(ctx)
	for _, n := range batch.busy {
		batch.total += n
	}
	return err
}

// add notes that a run takes a place.
func (batch *Batch) add(w rota.Work) {
	batch.Work = append(batch.Work, w)
	batch.busy[w.Provider]++
	batch.total++
}

// claim takes the runs that wait, as far as there is room for them.
func (s *Step) claim(ctx context.Context, q Queue, batch *Batch, now time.Time) error {
	for _, p := range s.rotate() {
		room := s.room(p, batch)
		claimed, err := q.ClaimRuns(ctx, now, p.Name, room)
		if err != nil {
			return err
		}
		batch.Saturated = batch.Saturated || len(claimed) == room
		if err := s.sort(ctx, q, batch, claimed, now); err != nil {
			return err
		}
	}
	return nil
}

// catchUp starts what was missed, as far as it may and there is room for it.
func (s *Step) catchUp(ctx context.Context, q Queue, batch *Batch, m Moment) error {
	room := map[string]int{"": s.room(Provider{}, batch)} // of each provider, and of all
	for _, p := range s.Providers {
		room[p.Name] = s.room(p, batch)
	}
	fires, left, err := q.FireBacklog(ctx, m.Now, m.CatchUp, func(t rota.Timer, o rota.Occurrence) (rota.Decision, bool) {
		d := policy.CatchUp(t, o, m.Now)
		d.Provider = s.Provider(t.Model)
		if d.Timer.OpenRuns > t.OpenRuns {
			if room[""] == 0 || room[d.Provider] == 0 {
				batch.Saturated = true
				return d, false
			}
			room[""]--
			room[d.Provider]--
		}
		batch.Decided = append(batch.Decided, d.Records...)
		return d, true
	})
	batch.CaughtUp, batch.BacklogLeft = len(fires), left
	return err
}

// sort parts the claimed runs into those that start, those that must not, and
// those whose agent has moved to another provider since they were queued.
func (s *Step) sort(ctx context.Context, q Queue, batch *Batch, claimed []rota.Work, now time.Time) error {
	for _, w := range claimed {
		id := w.Run.ID
		provider := s.Provider(w.Model())
		switch {
		case w.Blocked != nil:
			end := rota.Result{Phase: rota.PhaseCancelled, Blocked: true, Error: w.Blocked, CompletedAt: now}
			if _, err := q.FinishRun(ctx, id, end, policy.Settle); err != nil {
				return err
			}
			batch.Ended = append(batch.Ended, Ended{id, end.Phase, end.Error.Code})
			batch.Freed = true
		case provider != w.Provider:
			if err := q.RequeueRun(ctx, w.At(), provider); err != nil {
				return err
			}
			batch.Freed = true
		default:
			batch.add(w)
		}
	}
	return nil
}

// Names returns the names of the providers.
func (s *Step) Names() []string {
	var names []string
	for _, p := range s.Providers {
		names = append(names, p.Name)
	}
	return names
}

// rotate returns the providers, each time beginning with another, so that none
// takes all the room.
func (s *Step) rotate() []Provider {
	i := s.next % len(s.Providers)
	return append(append([]Provider(nil), s.Providers[i:]...), s.Providers[:i]...)
}

// room returns how many more runs may start at the provider.
func (s *Step) room(p Provider, batch *Batch) int {
	n := s.MaxConcurrentRuns - batch.total
	if p.Max > 0 {
		n = min(n, p.Max-batch.busy[p.Name])
	}
	return max(n, 0)
}
