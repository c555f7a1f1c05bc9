package engine

import (
	"context"
	"maps"

	"github.com/rota-run/rota"
)

// A quota holds owners to their limits of open runs and bytes during a step.
type quota struct {
	limits Limits
	queue  Queue
	seen   map[rota.Owner]bool
	open   rota.OpenRuns
}

func (s *Step) newQuota(q Queue) *quota {
	return &quota{
		limits: s.Limits, queue: q, seen: make(map[rota.Owner]bool),
		open: rota.OpenRuns{Owner: make(map[rota.Owner]int), Account: make(map[string]int)},
	}
}

// count counts the open runs of the owners of timers that are not known, as far as
// there are limits.
func (q *quota) count(ctx context.Context, timers []rota.Timer) error {
	var owners []rota.Owner
	var accounts []string
	for _, t := range timers {
		if q.seen[t.Owner] {
			continue
		}
		q.seen[t.Owner] = true
		limits := q.limits.Of(t.Owner.Account)
		if limits.EndUser.BoundsOpenRuns() {
			owners = append(owners, t.Owner)
		}
		if _, known := q.open.Account[t.Owner.Account]; !known && limits.Account.BoundsOpenRuns() {
			q.open.Account[t.Owner.Account] = 0
			accounts = append(accounts, t.Owner.Account)
		}
	}
	if len(owners) == 0 && len(accounts) == 0 {
		return nil
	}
	open, err := q.queue.OpenRunsOf(ctx, owners, accounts)
	maps.Copy(q.open.Owner, open.Owner)
	maps.Copy(q.open.Account, open.Account)
	return err
}

// decide has fn decide about a timer, whose owner may have reached a limit, and
// counts the runs that start.
func (q *quota) decide(t rota.Timer, fn rota.Decide) rota.Decision {
	limits := q.limits.Of(t.Owner.Account)
	use := limits.Reached(t.Owner, q.open)
	if use == nil && limits.BoundBytes() {
		use = limits.Full(q.limits.Known(t.Owner))
	}
	if use != nil {
		t.Refused = use.Reason()
	}
	d := fn(t)
	for _, o := range d.Records {
		if o.Outcome == rota.Fired {
			q.open.Add(t.Owner, 1)
		}
	}
	return d
}
