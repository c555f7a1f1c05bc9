package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	sdk "go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"golang.org/x/sync/errgroup"

	"github.com/rota-run/rota/internal/engine/temporal"
)

// bareWorkflow is the workflow that does nothing.
const bareWorkflow = "bare"

// hands is how many requests change Temporal's schedules at one time.
const hands = 8

// bare measures Temporal alone: as many schedules, with the same intervals, due
// when the seconds begin in which ours are due, that start a workflow which does
// nothing. Lateness is taken when its code begins.
func (r *rig) bare(ctx context.Context, i int) (row, error) {
	w, queue := r.next(), fmt.Sprint("bare-", i)
	var seen starts
	work := worker.New(r.client, queue, worker.Options{
		MaxConcurrentActivityTaskPollers: temporal.Pollers,
		MaxConcurrentWorkflowTaskPollers: temporal.Pollers,
	})
	work.RegisterWorkflowWithOptions(seen.workflow, workflow.RegisterOptions{Name: bareWorkflow})
	if err := work.Start(); err != nil {
		return row{}, err
	}
	defer work.Stop()
	ids := make([]string, w.schedules)
	for k := range ids {
		ids[k] = fmt.Sprint(queue, "-", k)
	}
	defer r.forget(ids)
	if err := r.plan(ctx, w, queue, ids); err != nil {
		return row{}, err
	}
	w = w.now()
	err := w.await(ctx, func() int { return seen.count(w) })
	got := w.row(seen.all())
	distinct := seen.count(w)
	got.Lost, got.Duplicates = got.Due-distinct, got.Fires-distinct
	return got, err
}

// plan makes a schedule for each id.
func (r *rig) plan(ctx context.Context, w window, queue string, ids []string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(hands)
	for i, id := range ids {
		group.Go(func() error {
			first := w.nominal(i).Truncate(time.Second)
			_, err := r.client.ScheduleClient().Create(ctx, client.ScheduleOptions{
				ID: id,
				Spec: client.ScheduleSpec{
					Intervals: []client.ScheduleIntervalSpec{{Every: w.every, Offset: time.Duration(first.Unix()) * time.Second % w.every}},
					StartAt:   first,
				},
				Overlap: enums.SCHEDULE_OVERLAP_POLICY_BUFFER_ONE, // as ours: a skip would hide that the server is behind
				Action:  &client.ScheduleWorkflowAction{ID: "run-" + id, Workflow: bareWorkflow, Args: []any{id}, TaskQueue: queue},
			})
			return err
		})
	}
	return group.Wait()
}

// forget deletes schedules, as far as they are there.
func (r *rig) forget(ids []string) {
	var group errgroup.Group
	group.SetLimit(hands)
	for _, id := range ids {
		group.Go(func() error {
			return r.client.ScheduleClient().GetHandle(context.Background(), id).Delete(context.Background())
		})
	}
	_ = group.Wait() // one that is not there any more was to go
}

// starts are the starts of workflows that do nothing.
type starts struct {
	mu    sync.Mutex // guards what follows
	calls []call
	ids   []string // of the schedules, one for each call
}

// workflow notes that it has begun. That is a side effect that a workflow must not
// have, and that shows when its code began.
func (s *starts) workflow(ctx workflow.Context, id string) error {
	at := time.Now()
	nominal, ok := workflow.GetTypedSearchAttributes(ctx).GetTime(sdk.NewSearchAttributeKeyTime("TemporalScheduledStartTime"))
	if !ok {
		return fmt.Errorf("workflow %s was started by no schedule", id)
	}
	if workflow.IsReplaying(ctx) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls, s.ids = append(s.calls, call{at, at.Sub(nominal)}), append(s.ids, id)
	return nil
}

func (s *starts) all() []call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// count counts the nominal times of a window that have come.
func (s *starts) count(w window) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	distinct := make(map[string]bool)
	for i, c := range s.calls {
		if at := c.nominal(); w.has(at) {
			distinct[fmt.Sprint(s.ids[i], at.Unix())] = true
		}
	}
	return len(distinct)
}
