package temporal

import (
	"context"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/cluster"
	"github.com/rota-run/rota/internal/engine"
)

// A Store is what the engines of one installation share. Reads outside of a
// transaction see committed data.
type Store struct {
	LeadershipReader
	AttemptReader
	ExportReader
	Updater
}

// An Updater makes transactions.
type Updater interface {
	// Update runs fn in one transaction and returns when it is durable. fn may
	// run twice.
	Update(ctx context.Context, fn func(context.Context, Tx) error) error
}

// A Tx is one transaction.
type Tx struct {
	engine.Queue
	engine.Planner
	AttemptReader
	AttemptWriter
	ExportWriter
}

// LeadershipReader reads which kind of engine leads.
type LeadershipReader interface {
	Leadership(ctx context.Context) (cluster.Leadership, error)
}

// AttemptReader reads what there is to work on, and what is worked on.
type AttemptReader interface {
	// Due returns the next nominal time of a schedule, and when it is to be
	// acted on; zero if there is nothing to do.
	Due(ctx context.Context, id rota.ScheduleID) (nominal, due time.Time, err error)

	RunByID(ctx context.Context, o rota.Owner, id rota.RunID) (rota.Run, error)

	// Unstarted returns the attempts that were claimed before an instant and
	// that no worker has begun.
	Unstarted(ctx context.Context, before time.Time) ([]cluster.Claim, error)

	// Claimed returns the attempts that workers are working on.
	Claimed(ctx context.Context) ([]cluster.Claim, error)
}

// AttemptWriter hands attempts to workers and takes them back.
type AttemptWriter interface {
	// Busy counts the runs that are worked on. Of the transactions that ask, each waits until the one before has ended, so that together they
	// claim no more than one alone may.
	Busy(ctx context.Context) (map[rota.OwnerAt]int, error)

	// TakeRun gives a claimed run to the one worker that asks first for this
	// attempt. Others get NotFound, as do all when the attempt is over.
	TakeRun(ctx context.Context, a rota.Attempt, now time.Time) (rota.Work, error)

	// ReturnRun does for one attempt whose worker is lost what Recover does for
	// all. It does nothing if the attempt is over.
	ReturnRun(ctx context.Context, a rota.Attempt, now time.Time, lost rota.Lost, settle rota.Settle) (rota.Finish, error)

	// Recover returns the runs that a dead process left running to the queue,
	// ends those that lost says end, and moves the runs of providers that are not
	// listed to the first that is.
	Recover(ctx context.Context, now time.Time, providers []string, lost rota.Lost, settle rota.Settle) (rota.Recovered, error)

	// Rehome moves the runs that wait under providers that are not listed to the
	// first that is.
	Rehome(ctx context.Context, providers []string) error
}

// ExportReader reads which schedules Temporal has.
type ExportReader interface {
	// Destination returns where Temporal has all schedules, or is getting them.
	Destination(ctx context.Context) (cluster.Destination, error)

	// Exported returns schedules that Temporal has, in the order of their ids,
	// and whether they are paused.
	Exported(ctx context.Context, after rota.ScheduleID, limit int) (map[rota.ScheduleID]bool, error)
}

// ExportWriter keeps account of the schedules that Temporal has to get: those
// that were made, changed or deleted, or of which it knows too few times.
type ExportWriter interface {
	// Unsynced returns up to limit schedules that Temporal has to get at now, the
	// longest waiting first. Until lease, or until they change again, nobody else
	// gets them.
	Unsynced(ctx context.Context, now, lease time.Time, limit int) ([]cluster.Unsynced, error)

	// Synced notes that Temporal has got a schedule, unless that has changed since
	// it was leased, and when it has to get it again; zero for never.
	Synced(ctx context.Context, id rota.ScheduleID, lease, nextSync time.Time, exported bool) error

	// Resync marks a schedule as unsynced at now, and reports whether there is
	// one, if only a deleted one.
	Resync(ctx context.Context, id rota.ScheduleID, now time.Time) (bool, error)

	// ResyncAll marks up to limit schedules as unsynced, in the order of their
	// ids, and returns the last one. When there are no more, it returns none, and
	// stores the destination that all of them get to from now on.
	ResyncAll(ctx context.Context, to cluster.Destination, after rota.ScheduleID, limit int) (last rota.ScheduleID, err error)

	// Forget notes that Temporal has no schedule, nor has to get one.
	Forget(ctx context.Context) error
}
