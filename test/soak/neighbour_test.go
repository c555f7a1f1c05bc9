package soak

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
)

// A neighbour is an end user who means no harm: it has a schedule that fires every
// second, saves agents, and reads what it has.
type neighbour struct {
	client   *client.Client
	agent    rota.AgentID
	schedule rota.ScheduleID

	asked, again int     // calls, and those of them that were refused at first with 503
	failed       []error // calls that were not served
}

func newNeighbour(t *testing.T, s *server) *neighbour {
	n := &neighbour{client: client.New(s.url, key, client.OnBehalfOf("neighbour"))}
	a, err := n.client.Agents.Create(t.Context(), rota.AgentCreate{Name: "n", Model: quick})
	require.NoError(t, err)
	made, err := n.client.Schedules.Create(t.Context(), a.ID, rota.ScheduleCreate{
		Spec: rota.Spec{Type: rota.Interval, IntervalSeconds: 1}, Input: rota.InputText("hi"),
	})
	require.NoError(t, err)
	n.agent, n.schedule = a.ID, made.ID
	return n
}

// live calls the server until ctx ends.
func (n *neighbour) live(ctx context.Context) {
	calls := []func() error{
		func() error {
			_, err := n.client.Agents.Create(ctx, rota.AgentCreate{Name: "more", Model: quick})
			return err
		},
		func() error {
			_, err := n.client.Agents.Get(ctx, n.agent)
			return err
		},
		func() error {
			_, err := n.client.Schedules.Occurrences(ctx, n.agent, n.schedule, rota.OccurrenceFilter{}, rota.Page{})
			return err
		},
	}
	for i := 0; ctx.Err() == nil; i++ {
		n.call(ctx, calls[i%len(calls)])
		pause(ctx, 50*time.Millisecond)
	}
}

// call makes a call, and makes it again when the server says that it may.
func (n *neighbour) call(ctx context.Context, do func() error) {
	n.asked++
	for try := 1; ; try++ {
		err := do()
		var refused *rota.Error
		switch {
		case err == nil, ctx.Err() != nil:
			return
		case errors.As(err, &refused) && refused.Code == rota.Unavailable && try < 5:
			if try == 1 {
				n.again++
			}
			pause(ctx, max(refused.RetryAfter, time.Second))
		default:
			n.failed = append(n.failed, err)
			return
		}
	}
}

// report fails the test if the neighbour was not served.
func (n *neighbour) report(t *testing.T) {
	t.Logf("the neighbour's calls: %d, of which %d were refused with 503 at first and %d were not served", n.asked, n.again, len(n.failed))
	require.Empty(t, n.failed)
	outcomes := map[rota.Outcome]int{}
	after := ""
	for {
		list, err := n.client.Schedules.Occurrences(t.Context(), n.agent, n.schedule, rota.OccurrenceFilter{}, rota.Page{Limit: 100, After: after})
		require.NoError(t, err)
		for _, o := range list.Data {
			outcomes[o.Outcome]++
		}
		if !list.HasMore {
			break
		}
		after = *list.LastID
	}
	t.Logf("its schedule's occurrences: %v", outcomes)
	require.Positive(t, outcomes[rota.Fired])
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
