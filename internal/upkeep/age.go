package upkeep

import (
	"context"
	"time"

	"github.com/rota-run/rota"
)

// An AgeReader finds what is older than its account keeps it.
type AgeReader interface {
	// AllKeptFor returns how long each account keeps what has ended, as far as it has
	// settings of its own.
	AllKeptFor(ctx context.Context) ([]rota.KeptFor, error)

	// OldRuns returns up to limit runs of an account that ended before an instant,
	// after a run, in the order of their ids.
	OldRuns(ctx context.Context, account string, before time.Time, after rota.RunID, limit int) ([]rota.RunID, error)

	// OldOccurrences returns up to limit occurrences of an account whose times, and the
	// putting on record, were before an instant, after an occurrence, in the order of
	// their ids. What waits to start, and what has a run that has not ended, is not old.
	OldOccurrences(ctx context.Context, account string, before time.Time, after rota.OccurrenceID, limit int) ([]rota.OldOccurrence, error)
}

// A pass goes once through all accounts. Its zero value has not begun.
type pass struct {
	tasks             []task
	runs, occurrences int64 // deleted so far
}

// A task is to delete what is old of one kind in one account.
type task struct {
	account  string
	before   time.Time
	runs     bool              // or else occurrences
	afterRun rota.RunID        // up to which it has come
	after    rota.OccurrenceID // the same of occurrences
}

// age makes a step of deleting what is old, and reports whether the pass goes on.
func (u *Upkeep) age(ctx context.Context, now time.Time) (more bool, err error) {
	if len(u.pass.tasks) == 0 {
		if u.pass, err = u.begin(ctx, now); err != nil || len(u.pass.tasks) == 0 {
			return false, err
		}
	}
	t := &u.pass.tasks[0]
	deleteOld := u.deleteOccurrences
	if t.runs {
		deleteOld = u.deleteRuns
	}
	found, err := deleteOld(ctx, t)
	if err != nil || found == atOnce {
		return err == nil, err
	}
	if u.pass.tasks = u.pass.tasks[1:]; len(u.pass.tasks) == 0 && u.pass.runs+u.pass.occurrences > 0 {
		u.Log.Info("what was older than it is kept has been deleted", "runs", u.pass.runs, "occurrences", u.pass.occurrences)
	}
	return len(u.pass.tasks) > 0, nil
}

// begin returns a new pass, with the accounts as they are now.
func (u *Upkeep) begin(ctx context.Context, now time.Time) (pass, error) {
	var p pass
	if u.Kept == nil {
		return p, nil
	}
	accounts, err := u.Store.AllKeptFor(ctx)
	for _, k := range accounts {
		r := u.Kept(k)
		if r.OccurrencesSeconds > 0 {
			p.tasks = append(p.tasks, task{account: k.Account, before: ago(now, r.OccurrencesSeconds)})
		}
		if r.RunsSeconds > 0 {
			p.tasks = append(p.tasks, task{account: k.Account, before: ago(now, r.RunsSeconds), runs: true})
		}
	}
	return p, err
}

func ago(now time.Time, seconds int64) time.Time {
	return now.Add(-time.Duration(seconds) * time.Second)
}

// deleteRuns deletes the next old runs, and returns how many there were.
func (u *Upkeep) deleteRuns(ctx context.Context, t *task) (int, error) {
	old, err := u.Store.OldRuns(ctx, t.account, t.before, t.afterRun, atOnce)
	if err != nil || len(old) == 0 {
		return 0, err
	}
	deleted, err := u.inTx(ctx, func(ctx context.Context, tx Tx) (int64, error) { return tx.DeleteEnded(ctx, old) })
	if err == nil {
		t.afterRun = old[len(old)-1]
		u.pass.runs += deleted
	}
	return len(old), err
}

// deleteOccurrences deletes the next old occurrences, and returns how many there were.
func (u *Upkeep) deleteOccurrences(ctx context.Context, t *task) (int, error) {
	old, err := u.Store.OldOccurrences(ctx, t.account, t.before, t.after, atOnce)
	if err != nil || len(old) == 0 {
		return 0, err
	}
	deleted, err := u.inTx(ctx, func(ctx context.Context, tx Tx) (int64, error) { return tx.DeleteOccurrences(ctx, old) })
	if err == nil {
		t.after = old[len(old)-1].ID
		u.pass.occurrences += deleted
	}
	return len(old), err
}

func (u *Upkeep) inTx(ctx context.Context, fn func(context.Context, Tx) (int64, error)) (n int64, err error) {
	err = u.Store.Update(ctx, func(ctx context.Context, tx Tx) error {
		var err error
		n, err = fn(ctx, tx)
		return err
	})
	return n, err
}
