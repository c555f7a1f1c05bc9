package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

const (
	maxBatch = 512                    // updates in one commit
	idle     = 500 * time.Millisecond // with nothing to write, before a checkpoint
	again    = 5 * time.Second        // before a checkpoint that a reader was in the way of is tried again

	// maxLog is how many bytes the write-ahead log may have and stay as it is while
	// there are writes. A reader that stays makes it grow beyond that; when the reader
	// has gone, the log is moved to the database and cut back.
	maxLog = 64 << 20

	patience = 100 * time.Millisecond // with readers that are in the way of that
)

// A writer commits updates in the order in which they come, together with
// those that wait at the same time.
//
//	do ──► queue ──► batch: BEGIN, one update after the other, COMMIT ──► answer all
//
// If an update fails when it has written, the batch is made again with a
// savepoint for each, so that it alone is taken back. A failure of the file,
// or of the commit, is the answer to every update of the batch.
type writer struct {
	conn    *sql.Conn
	db      *statements
	log     string // the path of the write-ahead log
	options Options

	mu     sync.RWMutex // held for reading while sending to queue; guards closed
	closed bool
	queue  chan *update
	done   chan struct{}
}

type update struct {
	ctx   context.Context
	fn    func(context.Context, sqlstore.Queries) error
	taken atomic.Bool // by the writer, or by a caller who gave up
	err   error
	done  chan struct{}
}

func startWriter(conn *sql.Conn, log string, o Options) *writer {
	w := &writer{
		conn:    conn,
		db:      newStatements(conn),
		log:     log,
		options: o,
		queue:   make(chan *update, maxBatch),
		done:    make(chan struct{}),
	}
	go w.loop()
	return w
}

// do runs fn in a transaction and returns when it is durable. A caller whose
// context ends before the writer takes the update has changed nothing; one
// whose context ends later waits for the commit all the same, to know.
func (w *writer) do(ctx context.Context, fn func(context.Context, sqlstore.Queries) error) error {
	u := &update{ctx: ctx, fn: fn, done: make(chan struct{})}
	if err := w.send(ctx, u); err != nil {
		return err
	}
	select {
	case <-u.done:
	case <-ctx.Done():
		if u.taken.CompareAndSwap(false, true) {
			return context.Cause(ctx)
		}
		<-u.done
	}
	return u.err
}

func (w *writer) send(ctx context.Context, u *update) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return rota.Errorf(rota.Unavailable, "the server is stopping")
	}
	select {
	case w.queue <- u:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (w *writer) close() error {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.queue)
	}
	w.mu.Unlock()
	<-w.done
	w.db.close()
	return w.conn.Close()
}

func (w *writer) loop() {
	defer close(w.done)
	timer := time.NewTimer(idle)
	defer timer.Stop()
	dirty := false
	looked := time.Now()
	for {
		select {
		case u, ok := <-w.queue:
			if !ok {
				return
			}
			w.commit(w.collect(u))
			dirty = true
			if time.Since(looked) > again {
				looked = time.Now()
				w.cutBack()
			}
			timer.Reset(idle)
		case <-timer.C:
			if dirty = dirty && !w.checkpoint(0); dirty {
				timer.Reset(again)
			}
		}
	}
}

// collect returns the update and all that wait behind it.
func (w *writer) collect(first *update) []*update {
	batch := []*update{first}
	for len(batch) < maxBatch {
		select {
		case u, ok := <-w.queue:
			if !ok {
				return batch
			}
			batch = append(batch, u)
		default:
			return batch
		}
	}
	return batch
}

func (w *writer) commit(batch []*update) {
	err := w.transact(batch)
	if err == nil && w.options.OnCommit != nil {
		w.options.OnCommit(len(batch))
	}
	for _, u := range batch {
		if err != nil {
			u.err = err
		}
		close(u.done)
	}
}

// transact runs the batch in one transaction. The error, if any, is about all
// of it; what is about one update is in the update.
func (w *writer) transact(batch []*update) error {
	ctx := context.Background()
	var live []*update
	for _, u := range batch {
		if u.ctx.Err() != nil || !u.taken.CompareAndSwap(false, true) {
			u.err = context.Cause(u.ctx)
			continue
		}
		live = append(live, u)
	}
	err := w.together(ctx, live, w.run)
	if errors.Is(err, errSpoiled) {
		err = w.together(ctx, live, w.runApart)
	}
	return err
}

// together commits what run makes of the updates, and what they have counted.
func (w *writer) together(ctx context.Context, batch []*update, run func(context.Context, *update) (*sqlstore.Pending, error)) error {
	if _, err := w.db.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	counted := sqlstore.NewPending()
	for _, u := range batch {
		pending, err := run(ctx, u)
		if err != nil {
			return errors.Join(err, w.rollback(ctx))
		}
		if u.err == nil {
			counted.Merge(pending)
		}
	}
	if err := sqlstore.New(w.db).Flush(ctx, counted); err != nil {
		return errors.Join(err, w.rollback(ctx))
	}
	if _, err := w.db.exec(ctx, "COMMIT"); err != nil {
		return errors.Join(err, w.rollback(ctx))
	}
	if changes := counted.Changes(); len(changes) > 0 && w.options.OnChange != nil {
		w.options.OnChange(changes)
	}
	return nil
}

// rollback gives the transaction up, if SQLite has not done so itself.
func (w *writer) rollback(ctx context.Context) error {
	_, err := w.db.exec(ctx, "ROLLBACK")
	if condition(err) == "" {
		return nil // there was no transaction left
	}
	return err
}

// errSpoiled says that an update failed when it had written: what it wrote
// stands among the work of others.
var errSpoiled = errors.New("an update failed in the middle")

// run makes one update without a savepoint, which costs more than many an
// update: few fail, and fewer when they have written. It returns what the update has
// counted. Its error is about the whole batch.
func (w *writer) run(_ context.Context, u *update) (*sqlstore.Pending, error) {
	guard := &guarded{DB: w.db}
	tx := sqlstore.New(guard)
	u.err = call(u.ctx, u.fn, tx)
	switch {
	case guard.failure != nil:
		return nil, guard.failure
	case u.err != nil && guard.wrote:
		return nil, errSpoiled
	}
	return tx.Pending(), nil
}

// runApart makes one update in a savepoint, so that it can be taken back by
// itself. Its error is about the whole batch.
func (w *writer) runApart(ctx context.Context, u *update) (*sqlstore.Pending, error) {
	if _, err := w.db.exec(ctx, "SAVEPOINT one"); err != nil {
		return nil, err
	}
	counted, err := w.run(ctx, u)
	if err != nil && !errors.Is(err, errSpoiled) {
		return nil, err
	}
	if u.err != nil {
		if _, err := w.db.exec(ctx, "ROLLBACK TO one"); err != nil {
			return nil, err
		}
	}
	_, err = w.db.exec(ctx, "RELEASE one")
	return counted, err
}

// A guarded DB does nothing more once the file has failed: SQLite may have
// given the transaction up, and what came after would be outside of one. It
// lets no statement be interrupted, because that would take the work of the
// batch's other updates along.
type guarded struct {
	sqlstore.DB
	failure error
	wrote   bool // whether anything may have been changed
}

// Exec implements sqlstore.DB.
func (g *guarded) Exec(ctx context.Context, steps ...sqlstore.Step) ([]int64, error) {
	if g.failure != nil {
		return nil, g.failure
	}
	g.wrote = g.wrote || slices.ContainsFunc(steps, func(s sqlstore.Step) bool { return len(s.Lists) > 0 })
	affected, err := g.DB.Exec(context.WithoutCancel(ctx), steps...)
	return affected, g.note(err)
}

// Write implements sqlstore.DB.
func (g *guarded) Write(ctx context.Context, steps ...sqlstore.Step) error {
	_, err := g.Exec(ctx, steps...)
	return err
}

// Query implements sqlstore.DB.
func (g *guarded) Query(ctx context.Context, row func(sqlstore.Scanner) error, query string, args ...any) error {
	if g.failure != nil {
		return g.failure
	}
	g.wrote = g.wrote || !strings.HasPrefix(query, "SELECT")
	return g.note(g.DB.Query(context.WithoutCancel(ctx), row, query, args...))
}

func (g *guarded) note(err error) error {
	if condition(err) != "" {
		g.failure = err
	}
	return err
}

// call runs fn and turns a panic into an error: one caller's bug must not stop
// everyone's writes.
func call(ctx context.Context, fn func(context.Context, sqlstore.Queries) error, tx sqlstore.Queries) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in an update: %v\n%s", p, debug.Stack())
		}
	}()
	return fn(ctx, tx)
}

// cutBack makes a log small that has become large, though there is more to write.
func (w *writer) cutBack() {
	if s, err := os.Stat(w.log); err == nil && s.Size() > maxLog {
		w.checkpoint(patience) // if it fails, it is tried again
	}
}

// checkpoint moves what is in the write-ahead log to the database, gives the log's
// space back, and reports whether it could. It waits that long for readers.
func (w *writer) checkpoint(wait time.Duration) (done bool) {
	ctx := context.Background()
	if _, err := w.conn.ExecContext(ctx, busyPragma(wait)); err != nil {
		return false
	}
	var busy, logged, moved int
	err := w.conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &logged, &moved)
	_, restored := w.conn.ExecContext(ctx, busyPragma(busyTimeout))
	return err == nil && restored == nil && busy == 0
}

func busyPragma(wait time.Duration) string {
	return fmt.Sprintf("PRAGMA busy_timeout(%d)", wait.Milliseconds())
}
