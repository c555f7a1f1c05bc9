// Package engine has what the engines share: the step, which is one transaction
// on the store. Engines differ in when they take a step and in who works on the
// runs that it claims.
package engine

import (
	"cmp"
	"context"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/policy"
)

// BatchSize is how many timers one step decides at most.
const BatchSize = 500

// A Step decides the timers that are due and records the outcomes. It claims as
// many waiting runs as limits allow. If nothing more is due, it starts missed
// occurrences from backlogs. One goroutine at a time may run it.
type Step struct {
	Provider          func(model string) string // the provider that serves an agent's model
	Providers         []Provider                // at least one
	MaxConcurrentRuns int
	Limits            Limits
	Responses         func() map[rota.OwnerAt]int // counts background responses that are worked on; may be nil

	next    int                   // the provider whose runs are claimed first
	after   map[string]rota.Owner // who had the last turn, by provider
	inTurns bool                  // at the last claim, more runs waited than could start
}

// Limits knows what accounts and their end users may have, and have stored. It must not
// block.
type Limits interface {
	Of(account string) rota.AllLimits
	Known(o rota.Owner) rota.Stored
}

// A Provider bounds the concurrent runs at one provider.
type Provider struct {
	Name string
	Max  int // 0: unlimited
}

// Busy counts the runs that workers have. The step calls it in its transaction,
// after it has decided what is due.
type Busy func(context.Context) (map[rota.OwnerAt]int, error)

// A Moment is the input of a step.
type Moment struct {
	Now     time.Time // in whole milliseconds
	Since   time.Time // since when an engine has been up: what fell due before was missed
	Busy    Busy
	CatchUp int // how many runs may start from backlogs; negative: leave backlogs alone
}

// A Batch is what a step did.
type Batch struct {
	Decided     []rota.Occurrence // recorded outcomes
	Work        []rota.Work       // claimed runs, to be started
	Ended       []Ended           // runs that ended without having started
	Paused      []rota.Paused     // schedules that were paused
	Freed       bool              // a claimed run ended, moved to another provider or waits in line, so more may be claimed at once
	CaughtUp    int               // runs started from backlogs
	BacklogLeft bool              // backlogs still have occurrences that could start
	Saturated   bool              // more runs may be waiting than workers are free
	Fired       int               // timers that were decided
	Wake        time.Time         // when the next timer or run is due; zero if there is none

	load Load
}

// An Ended is a run that the engine ended, not a worker: because it must not
// start, or because its worker is lost and it must not start again.
type Ended struct {
	Run   rota.RunID
	Phase rota.Phase
	Code  string // of its error
}

// Lost returns the end of a run whose worker is lost.
func Lost(id rota.RunID) Ended { return Ended{id, rota.PhaseFailed, rota.RunErrWorkerLost} }

// Run runs the step in the transaction of q.
func (s *Step) Run(ctx context.Context, q Queue, m Moment) (Batch, error) {
	var batch Batch
	quota := s.newQuota(q)
	_, err := q.FireDue(ctx, m.Now, BatchSize, quota.count, func(t rota.Timer) rota.Decision {
		batch.Fired++
		d := quota.decide(t, func(t rota.Timer) rota.Decision { return policy.Decide(t, m.Now, m.Since) })
		batch.Decided = append(batch.Decided, d.Records...)
		if p := rota.PausedBy(t, d.Timer); p != nil {
			batch.Paused = append(batch.Paused, *p)
		}
		d.Provider = s.Provider(t.Model)
		return d
	})
	if err != nil {
		return batch, err
	}
	s.next++
	if err := s.count(ctx, &batch, m.Busy); err != nil {
		return batch, err
	}
	if err := s.claim(ctx, q, &batch, m.Now); err != nil {
		return batch, err
	}
	batch.Wake, err = q.NextWake(ctx, m.Now)
	if err != nil || !batch.Wake.IsZero() && !batch.Wake.After(m.Now) || m.CatchUp < 0 {
		return batch, err
	}
	if err := s.catchUp(ctx, q, &batch, quota, m); err != nil || batch.CaughtUp == 0 {
		return batch, err
	}
	return batch, s.claim(ctx, q, &batch, m.Now)
}

// Announce calls decided for each recorded outcome, ended for each run that
// ended without having started, and paused for each schedule that was paused. Each
// may be nil.
func (batch Batch) Announce(decided func(rota.Occurrence), ended func(Ended), paused func(rota.Paused)) {
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
	for _, p := range batch.Paused {
		if paused != nil {
			paused(p)
		}
	}
}

// count notes how many workers are busy.
func (s *Step) count(ctx context.Context, batch *Batch, busy Busy) error {
	at, err := busy(ctx)
	var others map[rota.OwnerAt]int
	if s.Responses != nil {
		others = s.Responses()
	}
	batch.load = NewLoad(at, others)
	return err
}

func (s *Step) shares() Shares { return Shares{s.MaxConcurrentRuns, s.Providers, s.Limits} }

// add adds a claimed run.
func (batch *Batch) add(w rota.Work) {
	batch.Work = append(batch.Work, w)
	batch.load.Add(rota.OwnerAt{Owner: w.Owner, Provider: w.Provider}, 1)
}

// claim claims waiting runs, as far as workers are free. Only when more wait do
// their owners have to take turns.
func (s *Step) claim(ctx context.Context, q Queue, batch *Batch, now time.Time) error {
	if !s.inTurns {
		fit := func(work []rota.Work) bool { return s.fit(batch.load, work) }
		claimed, all, err := q.ClaimAll(ctx, now, s.room(Provider{}, batch), fit, policy.MayStart)
		if err != nil {
			return err
		}
		if all {
			return s.sort(ctx, q, batch, claimed, now)
		}
	}
	s.inTurns = false
	for _, p := range s.rotate() {
		if err := s.claimInTurns(ctx, q, batch, p, now); err != nil {
			return err
		}
	}
	batch.Saturated = batch.Saturated || s.inTurns
	return nil
}

// claimInTurns claims runs that wait under a provider.
func (s *Step) claimInTurns(ctx context.Context, q Queue, batch *Batch, p Provider, now time.Time) error {
	room, refused, load, shares := s.room(p, batch), false, batch.load.clone(), s.shares()
	claimed, err := q.ClaimRuns(ctx, now, rota.Claim{
		Provider: p.Name, Limit: room, After: s.after[p.Name], MayStart: policy.MayStart,
		May: func(o rota.Owner) bool {
			may := shares.May(load, rota.OwnerAt{Owner: o, Provider: p.Name})
			refused = refused || !may
			return may
		},
		Took: func(o rota.Owner) { load.Add(rota.OwnerAt{Owner: o, Provider: p.Name}, 1) },
	})
	if err != nil {
		return err
	}
	if n := len(claimed); n > 0 {
		if s.after == nil {
			s.after = make(map[string]rota.Owner)
		}
		s.after[p.Name] = claimed[n-1].Owner
	}
	s.inTurns = s.inTurns || refused || len(claimed) == room
	return s.sort(ctx, q, batch, claimed, now)
}

// catchUp starts missed occurrences, as far as the limit allows and workers are free.
func (s *Step) catchUp(ctx context.Context, q Queue, batch *Batch, quota *quota, m Moment) error {
	room := map[string]int{"": s.room(Provider{}, batch)} // of each provider, and of all
	for _, p := range s.Providers {
		room[p.Name] = s.room(p, batch)
	}
	var failed error
	fires, left, err := q.FireBacklog(ctx, m.Now, m.CatchUp, func(t rota.Timer, o rota.Occurrence) (rota.Decision, bool) {
		if err := quota.count(ctx, []rota.Timer{t}); err != nil {
			failed = err
			return rota.Decision{}, false
		}
		d := quota.decide(t, func(t rota.Timer) rota.Decision { return policy.CatchUp(t, o, m.Now) })
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
	return cmp.Or(failed, err)
}

// sort starts the claimed runs, ends those that must not start, and requeues
// those whose agent has moved to another provider meanwhile.
func (s *Step) sort(ctx context.Context, q Queue, batch *Batch, claimed []rota.Work, now time.Time) error {
	for _, w := range claimed {
		id := w.Run.ID
		provider := s.Provider(w.Model())
		switch {
		case w.Blocked != nil:
			// What a call has started was not counted by a schedule.
			end := rota.Result{Phase: rota.PhaseCancelled, Blocked: w.Run.Trigger != rota.TriggerAPI, Error: w.Blocked, CompletedAt: now}
			if _, err := q.FinishRun(ctx, id, end, policy.Settle); err != nil {
				return err
			}
			batch.Ended = append(batch.Ended, Ended{id, end.Phase, end.Error.Code})
			batch.Freed = true
		case w.InLine:
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

// rotate returns the providers, starting with a different one each time, so that
// none takes all the workers.
func (s *Step) rotate() []Provider {
	i := s.next % len(s.Providers)
	return append(append([]Provider(nil), s.Providers[i:]...), s.Providers[:i]...)
}

// room returns how many more runs may start at the provider.
func (s *Step) room(p Provider, batch *Batch) int {
	n := s.MaxConcurrentRuns - batch.load.busy
	if p.Max > 0 {
		n = min(n, p.Max-batch.load.provider[p.Name])
	}
	return max(n, 0)
}
