package temporal

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"golang.org/x/sync/errgroup"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/cluster"
	"github.com/rota-run/rota/internal/engine"
)

const (
	resyncAtOnce  = 1000             // schedules that are marked together as unsynced
	syncAtOnce    = 100              // schedules that are leased together
	syncers       = 8                // requests to Temporal at one time
	syncLease     = time.Minute      // for which nobody else syncs them
	syncAgain     = 10 * time.Second // after a failure
	syncAhead     = 24 * time.Hour   // before Temporal knows no further times
	catchupWindow = time.Hour        // for which Temporal remembers a wake-up that it could not make
)

// memoInstallation is the key of a schedule's memo that says whose it is.
const memoInstallation = "rota_installation"

// mirror keeps Temporal's schedules as the store has them, until ctx ends.
func (e *Engine) mirror(ctx context.Context) {
	var audited time.Time
	resynced := false
	for ctx.Err() == nil {
		if e.unreachable.Load() {
			engine.Pause(ctx, healthEvery)
			continue
		}
		if !resynced {
			if err := e.resyncAll(ctx); err != nil {
				e.logFailure(ctx, "marking all schedules for Temporal failed", err)
				engine.Pause(ctx, pollEvery)
				continue
			}
			resynced = true
		}
		if now := time.Now(); now.Sub(audited) >= auditEvery {
			if err := e.audit(ctx); err != nil {
				e.logFailure(ctx, "comparing Temporal's schedules with the database failed", err)
			} else {
				audited = now
			}
		}
		n, err := e.syncSome(ctx)
		if err != nil {
			e.logFailure(ctx, "exporting schedules to Temporal failed", err)
		}
		if n < syncAtOnce {
			engine.Pause(ctx, pollEvery)
		}
	}
}

func (e *Engine) logFailure(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		e.cfg.Log.Error(what+"; it is tried again", "err", err)
	}
}

// syncSome exports some schedules to Temporal, and returns how many.
func (e *Engine) syncSome(ctx context.Context) (int, error) {
	now := rota.InstantOf(e.cfg.Now()).Time
	lease := now.Add(syncLease)
	var unsynced []cluster.Unsynced
	err := e.update(ctx, func(ctx context.Context, tx Tx) error {
		k, err := tx.Leadership(ctx)
		if err != nil || k.Kind != rota.EngineTemporal {
			return err
		}
		unsynced, err = tx.Unsynced(ctx, now, lease, syncAtOnce)
		return err
	})
	if err != nil {
		return 0, err
	}
	var group errgroup.Group
	group.SetLimit(syncers)
	for _, u := range unsynced {
		group.Go(func() error { return e.syncOne(ctx, u, now, lease) })
	}
	return len(unsynced), group.Wait()
}

// syncOne exports a schedule to Temporal, and notes that.
func (e *Engine) syncOne(ctx context.Context, u cluster.Unsynced, now, lease time.Time) error {
	nextSync, exported, failed := e.export(ctx, u, now)
	if failed != nil {
		nextSync, exported = now.Add(syncAgain), u.Exported
	}
	err := e.update(ctx, func(ctx context.Context, tx Tx) error {
		return tx.Synced(ctx, u.Timer.ScheduleID, lease, nextSync, exported)
	})
	return errors.Join(failed, err)
}

// export makes Temporal's schedule as ours is, and returns when to do so again
// and whether there is one.
func (e *Engine) export(ctx context.Context, u cluster.Unsynced, now time.Time) (nextSync time.Time, exported bool, err error) {
	if s := u.Timer.Status; s != rota.ScheduleActive && s != rota.SchedulePaused {
		return time.Time{}, false, e.hide(ctx, u.Timer.ScheduleID)
	}
	times, err := Compile(u.Timer, now)
	if err != nil {
		return time.Time{}, false, err
	}
	if !times.Until.IsZero() {
		nextSync = later(times.Until.Add(-syncAhead), now.Add(time.Hour))
	}
	if len(times.Spec.Calendars)+len(times.Spec.Intervals) == 0 {
		return nextSync, false, e.hide(ctx, u.Timer.ScheduleID)
	}
	if u.Exported {
		err = e.change(ctx, u, times.Spec)
		if !missing(err) {
			return nextSync, err == nil, err
		}
	}
	err = e.make(ctx, u, times.Spec)
	if errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		err = e.change(ctx, u, times.Spec)
	}
	return nextSync, err == nil, err
}

func (e *Engine) make(ctx context.Context, u cluster.Unsynced, spec client.ScheduleSpec) error {
	_, err := e.cfg.Client.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID:            string(u.Timer.ScheduleID),
		Spec:          spec,
		Action:        e.action(u),
		Overlap:       enums.SCHEDULE_OVERLAP_POLICY_BUFFER_ONE,
		CatchupWindow: catchupWindow,
		Paused:        u.Timer.Status == rota.SchedulePaused,
		Note:          note(u.Timer.PauseReason),
		Memo:          map[string]any{memoInstallation: e.cfg.Installation, "agent_id": u.Timer.AgentID},
	})
	return err
}

func (e *Engine) change(ctx context.Context, u cluster.Unsynced, spec client.ScheduleSpec) error {
	return e.handle(u.Timer.ScheduleID).Update(ctx, client.ScheduleUpdateOptions{
		DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			s := in.Description.Schedule
			s.Spec, s.Action = &spec, e.action(u)
			s.Policy = &client.SchedulePolicies{Overlap: enums.SCHEDULE_OVERLAP_POLICY_BUFFER_ONE, CatchupWindow: catchupWindow}
			s.State = &client.ScheduleState{Paused: u.Timer.Status == rota.SchedulePaused, Note: note(u.Timer.PauseReason)}
			return &client.ScheduleUpdate{Schedule: &s}, nil
		},
	})
}

// hide deletes Temporal's schedule, if there is one.
func (e *Engine) hide(ctx context.Context, id rota.ScheduleID) error {
	err := e.handle(id).Delete(ctx)
	if missing(err) {
		return nil
	}
	return err
}

func (e *Engine) handle(id rota.ScheduleID) client.ScheduleHandle {
	return e.cfg.Client.ScheduleClient().GetHandle(context.Background(), string(id))
}

func (e *Engine) action(u cluster.Unsynced) *client.ScheduleWorkflowAction {
	return &client.ScheduleWorkflowAction{
		ID: "fire-" + string(u.Timer.ScheduleID), Workflow: fireWorkflow, Args: []any{u.Timer.ScheduleID},
		TaskQueue: e.queue, WorkflowTaskTimeout: taskTimeout, WorkflowRunTimeout: longestFire(u.Timer.Policy), StaticSummary: u.Name,
	}
}

// note says in Temporal why a schedule is paused.
func note(why *rota.PauseReason) string {
	switch {
	case why == nil:
		return ""
	case why.Note == nil:
		return string(why.Code)
	}
	return string(why.Code) + ": " + *why.Note
}

func missing(err error) bool {
	var notFound *serviceerror.NotFound
	return errors.As(err, &notFound)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// audit finds where Temporal's schedules and the store's differ, whoever has
// changed them, and marks those as unsynced.
func (e *Engine) audit(ctx context.Context) error {
	theirs, err := schedules(ctx, e.cfg.Client, e.cfg.Installation)
	if err != nil {
		return err
	}
	err = exported(ctx, e.cfg.Store, func(id rota.ScheduleID, paused bool) error {
		is, there := theirs[id]
		delete(theirs, id)
		if there && is == paused {
			return nil
		}
		_, err := e.resync(ctx, id)
		return err
	})
	if err != nil {
		return err
	}
	return e.orphans(ctx, theirs)
}

// resyncAll marks every schedule as unsynced unless the stored destination is this
// one: when Temporal takes over, or since the settings name another namespace or
// task queue. After a crash halfway the destination is not stored yet, and the next
// leader starts over.
func (e *Engine) resyncAll(ctx context.Context) error {
	asking, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	namespace, err := NamespaceID(asking, e.cfg.Client, e.cfg.Namespace)
	if err != nil {
		return err
	}
	here := cluster.Destination{Namespace: namespace, Queue: e.queue}
	to, err := e.cfg.Store.Destination(asking)
	if err != nil || to == here {
		return err
	}
	e.cfg.Log.Info("every schedule is exported to Temporal", "namespace", e.cfg.Namespace, "task_queue", e.queue)
	for after, more := rota.ScheduleID(""), true; more && err == nil; more = after != "" {
		var last rota.ScheduleID
		err = e.update(ctx, func(ctx context.Context, tx Tx) error {
			k, err := tx.Leadership(ctx)
			if err != nil || k.Kind != rota.EngineTemporal {
				return errors.Join(err, errNoLeader)
			}
			last, err = tx.ResyncAll(ctx, here, after, resyncAtOnce)
			return err
		})
		after = last
	}
	return err
}

// exported calls each for every schedule that Temporal has as far as the store knows.
func exported(ctx context.Context, store ExportReader, each func(id rota.ScheduleID, paused bool) error) error {
	var after rota.ScheduleID
	for {
		reading, cancel := context.WithTimeout(ctx, storeTimeout)
		some, err := store.Exported(reading, after, syncAtOnce)
		cancel()
		for id, paused := range some {
			after = max(after, id)
			if err == nil {
				err = each(id, paused)
			}
		}
		if err != nil || len(some) < syncAtOnce {
			return err
		}
	}
}

// schedules returns the schedules of an installation that Temporal has, and
// whether they are paused.
func schedules(ctx context.Context, c client.Client, installation string) (map[rota.ScheduleID]bool, error) {
	list, err := c.ScheduleClient().List(ctx, client.ScheduleListOptions{PageSize: 1000})
	if err != nil {
		return nil, err
	}
	paused := make(map[rota.ScheduleID]bool)
	for list.HasNext() {
		s, err := list.Next()
		if err != nil {
			return nil, err
		}
		var of string
		p := s.Memo.GetFields()[memoInstallation]
		if p != nil && converter.GetDefaultDataConverter().FromPayload(p, &of) == nil && of == installation {
			paused[rota.ScheduleID(s.ID)] = s.Paused
		}
	}
	return paused, nil
}

// orphans deals with schedules that Temporal has and that the store does not
// know as exported.
func (e *Engine) orphans(ctx context.Context, ids map[rota.ScheduleID]bool) error {
	for id := range ids {
		known, err := e.resync(ctx, id)
		if err == nil && !known {
			err = e.hide(ctx, id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) resync(ctx context.Context, id rota.ScheduleID) (known bool, err error) {
	err = e.update(ctx, func(ctx context.Context, tx Tx) error {
		known, err = tx.Resync(ctx, id, rota.InstantOf(e.cfg.Now()).Time)
		return err
	})
	return known, err
}
