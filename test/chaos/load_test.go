package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
)

const (
	every   = 2  // seconds, of the schedules that end with the chaos
	firing  = 20 // of those: together they fire 10 times per second
	lasting = 7  // seconds, of those that go on
	seldom  = 3600
)

// The calls of the API are made by a load. Each must be answered rightly, or
// refused as unavailable, and then it is made again.
type load struct {
	*cluster
	http  *http.Client
	agent rota.AgentID

	ending, going []rota.Schedule // that fire

	mu        sync.Mutex // guards what follows
	rng       *rand.Rand
	refused   int                       // calls that were answered with unavailable
	runs      map[string]rota.RunID     // by Idempotency-Key
	cancelled map[rota.RunID]bool       // runs of which a cancellation was accepted
	churned   map[rota.ScheduleID]bool  // whether it still exists
	seen      map[rota.ScheduleID]int64 // run_count
}

func newLoad(c *cluster, rng *rand.Rand) *load {
	return &load{
		cluster: c, rng: rng, http: &http.Client{Timeout: time.Minute},
		runs: make(map[string]rota.RunID), cancelled: make(map[rota.RunID]bool),
		churned: make(map[rota.ScheduleID]bool), seen: make(map[rota.ScheduleID]int64),
	}
}

// prepare makes the schedules that fire, most of which end at about a time.
func (l *load) prepare(t *testing.T, end time.Time) {
	ctx, c := t.Context(), l.apis[0].client(l.http)
	a, err := c.Agents.Create(ctx, rota.AgentCreate{Name: "chaos", Model: "any"})
	require.NoError(t, err)
	l.agent = a.ID
	overlaps := []rota.Overlap{rota.OverlapSkip, rota.OverlapBufferOne, rota.OverlapAllowAll}
	misses := []rota.Missed{rota.MissedLatest, rota.MissedSkip, rota.MissedAll}
	for i := range firing + 3 {
		body := rota.ScheduleCreate{
			Spec: rota.Spec{Type: rota.Interval, IntervalSeconds: lasting}, Input: rota.InputText("hi"),
			Policy: rota.PolicyUpdate{Overlap: rota.Some(overlaps[i%3]), Missed: rota.Some(misses[i/3%3])},
		}
		if i < firing {
			body.Spec.IntervalSeconds = every
			body.Policy.EndAt = rota.Some(rota.InstantOf(end.Add(time.Duration(l.rng.IntN(2000)) * time.Millisecond)))
		}
		s, err := c.Schedules.Create(ctx, a.ID, body)
		require.NoError(t, err)
		if i < firing {
			l.ending = append(l.ending, s)
		} else {
			l.going = append(l.going, s)
		}
	}
}

// press calls the API until ctx ends, and returns when all is answered.
func (l *load) press(ctx context.Context) {
	var group sync.WaitGroup
	rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Hour)
	defer cancel()
	group.Go(func() { l.look(ctx) })
	for i := 0; ctx.Err() == nil; i++ {
		group.Go(func() { l.run(rest, fmt.Sprintf("run-%d", i)) })
		if i%5 == 0 {
			group.Go(func() { l.churn(rest, fmt.Sprintf("schedule-%d", i)) })
		}
		pause(ctx, 300*time.Millisecond)
	}
	group.Wait()
}

// again makes a call until it is answered, and returns the answer.
func again[T any](ctx context.Context, l *load, what string, by []*process, call func(*client.Client) (T, error)) (T, error) {
	for i := 0; ; i++ {
		answer, err := call(by[i%len(by)].client(l.http))
		if !errors.Is(err, rota.Unavailable) || ctx.Err() != nil {
			if err != nil && !expected(err) {
				l.faults.add("%s: %v", what, err)
			}
			return answer, err
		}
		l.mu.Lock()
		l.refused++
		l.mu.Unlock()
		pause(ctx, 300*time.Millisecond)
	}
}

// expected reports whether a refusal is one that the caller must look at.
func expected(err error) bool { return errors.Is(err, rota.Conflict) || errors.Is(err, rota.NotFound) }

// run starts a run through both processes at once, which must both answer with
// the same one, and cancels some.
func (l *load) run(ctx context.Context, idempotencyKey string) {
	both := make([]rota.Run, len(l.apis))
	var group sync.WaitGroup
	for i, p := range l.apis {
		group.Go(func() {
			both[i], _ = again(ctx, l, "start a run", []*process{p}, func(c *client.Client) (rota.Run, error) {
				r, err := c.Runs.Create(ctx, l.agent, rota.RunCreate{
					Input: rota.InputText("hi"), Metadata: map[string]string{"key": idempotencyKey},
				}, client.IdempotencyKey(idempotencyKey))
				if expected(err) {
					l.faults.add("start run %s: %v", idempotencyKey, err)
				}
				return r, err
			})
			l.there(ctx, both[i])
		})
	}
	group.Wait()
	if both[0].ID != both[1].ID {
		l.faults.add("%s made two runs: %s and %s", idempotencyKey, both[0].ID, both[1].ID)
	}
	l.mu.Lock()
	l.runs[idempotencyKey] = both[0].ID
	cancel, after := l.rng.IntN(4) == 0, time.Duration(l.rng.IntN(1500))*time.Millisecond
	l.mu.Unlock()
	if cancel {
		pause(ctx, after)
		l.cancel(ctx, both[0].ID)
	}
}

// there looks whether a run that was answered is there for everybody.
func (l *load) there(ctx context.Context, r rota.Run) {
	for _, p := range l.apis {
		got, err := again(ctx, l, "get a run", []*process{p}, func(c *client.Client) (rota.Run, error) { return c.Runs.Find(ctx, r.ID) })
		if err != nil || got.ID != r.ID {
			l.faults.add("run %s was answered and is not there: %v", r.ID, err)
		}
	}
}

func (l *load) cancel(ctx context.Context, id rota.RunID) {
	r, err := again(ctx, l, "cancel a run", l.apis, func(c *client.Client) (rota.Run, error) { return c.Runs.Cancel(ctx, l.agent, id) })
	switch {
	case err == nil && r.Phase == rota.PhaseCancelled:
		l.mu.Lock()
		l.cancelled[id] = true
		l.mu.Unlock()
	case !errors.Is(err, rota.Conflict): // it had ended
		l.faults.add("cancel run %s: phase %q, %v", id, r.Phase, err)
	}
}

// churn makes a schedule that does not fire, and may delete it.
func (l *load) churn(ctx context.Context, idempotencyKey string) {
	s, err := again(ctx, l, "create a schedule", l.apis, func(c *client.Client) (rota.Schedule, error) {
		return c.Schedules.Create(ctx, l.agent, rota.ScheduleCreate{
			Spec: rota.Spec{Type: rota.Interval, IntervalSeconds: seldom}, Input: rota.InputText("hi"),
		}, client.IdempotencyKey(idempotencyKey))
	})
	if err != nil {
		l.faults.add("create a schedule: %v", err)
		return
	}
	l.mu.Lock()
	gone, after := l.rng.IntN(2) == 0, time.Duration(l.rng.IntN(4000))*time.Millisecond
	l.churned[s.ID] = !gone
	l.mu.Unlock()
	if !gone {
		return
	}
	pause(ctx, after)
	tries := 0
	_, err = again(ctx, l, "delete a schedule", l.apis, func(c *client.Client) (rota.Deleted[rota.ScheduleID], error) {
		tries++
		return c.Schedules.Delete(ctx, l.agent, s.ID)
	})
	if err != nil && !(errors.Is(err, rota.NotFound) && tries > 1) { // the first try may have done it
		l.faults.add("delete schedule %s: %v", s.ID, err)
	}
}

// look reads schedules through both processes in turn: what they show never goes
// back.
func (l *load) look(ctx context.Context) {
	rest := context.WithoutCancel(ctx)
	next := make(map[rota.ScheduleID]time.Time)
	for i := 0; ctx.Err() == nil; i++ {
		id := l.ending[i%len(l.ending)].ID
		s, err := again(rest, l, "get a schedule", l.apis, func(c *client.Client) (rota.Schedule, error) { return c.Schedules.Get(rest, l.agent, id) })
		switch {
		case err != nil:
			l.faults.add("schedule %s: %v", id, err)
		case s.RunCount < l.seen[id]:
			l.faults.add("run_count of %s went from %d to %d", id, l.seen[id], s.RunCount)
		case s.NextRunAt != nil && s.NextRunAt.Before(next[id]):
			l.faults.add("next_run_at of %s went from %s to %s", id, next[id], s.NextRunAt)
		case s.NextRunAt != nil:
			next[id] = s.NextRunAt.Time
		}
		l.seen[id] = s.RunCount
		pause(ctx, 50*time.Millisecond)
	}
}
