// Package sqlite keeps everything in one SQLite file.
//
// One goroutine, the writer, owns the only connection that writes. Updates
// that wait are committed together (group commit): under load the cost of
// making a write durable is shared by everyone who waits. Reads go to a pool
// of connections beside it and see what is committed. The file is locked, so
// that a second process cannot open it.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

//go:embed migrations/*.sql
var migrations embed.FS

// FileName is the name of the database in its directory.
const FileName = "rota.db"

// Names returns the names of the files that a database may have in its directory.
func Names() []string {
	return []string{FileName, FileName + "-wal", FileName + "-shm", FileName + ".lock"}
}

// Store is a [store.Store] in a SQLite file.
type Store struct {
	sqlstore.Queries // reads, on the pool

	lock    *os.File
	writing *sql.DB
	reading *sql.DB
	reader  *statements
	writer  *writer
	closing sync.Once // guards closed
	closed  error
}

var _ store.Store = (*Store)(nil)

// Options are what an operator may observe or change of a store. The zero
// value is usable.
type Options struct {
	// OnCommit is called after each commit with the number of updates in it,
	// on the writer's goroutine. It must not block.
	OnCommit func(updates int)

	// OnChange is called after each commit that has changed what others may look at:
	// see [sqlstore.Pending.Changes]. So it is with OnCommit.
	OnChange func([]rota.Change)
}

// Open opens the database in the directory, which it makes if need be, and
// brings its schema up to date. It fails at once, with an error that says what
// to do, if another process has the file open, if the file is damaged or not
// a database, if it cannot be written, if it has been used by a newer program,
// or if it is the target of a transfer that has not ended.
func Open(ctx context.Context, dir string, o Options) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the data directory cannot be made: %w", err)
	}
	lock, err := acquire(filepath.Join(dir, FileName+".lock"))
	if err != nil {
		return nil, err
	}
	if err := create(filepath.Join(dir, FileName)); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	s := &Store{lock: lock}
	if err := s.open(ctx, filepath.Join(dir, FileName), o); err != nil {
		return nil, errors.Join(explain(filepath.Join(dir, FileName), err), s.Close())
	}
	return s, nil
}

// create makes an empty database if there is none, which nobody else may read;
// SQLite gives the files beside it the same mode.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY, 0o600)
	if err != nil {
		return fmt.Errorf("the database cannot be opened: %w", err)
	}
	return f.Close()
}

func (s *Store) open(ctx context.Context, path string, o Options) error {
	var err error
	if s.writing, err = sql.Open("sqlite", dsn(path, writePragmas)); err != nil {
		return err
	}
	s.writing.SetMaxOpenConns(1)
	if err := migrate(ctx, s.writing); err != nil {
		return err
	}
	if err := complete(ctx, s.writing); err != nil {
		return err
	}
	if s.reading, err = sql.Open("sqlite", dsn(path, readPragmas)); err != nil {
		return err
	}
	readers := max(4, runtime.GOMAXPROCS(0))
	s.reading.SetMaxOpenConns(readers)
	s.reading.SetMaxIdleConns(readers)
	s.reader = newStatements(s.reading)
	s.Queries = sqlstore.New(s.reader)

	conn, err := s.writing.Conn(ctx)
	if err != nil {
		return err
	}
	if err := writable(ctx, conn); err != nil {
		return errors.Join(err, conn.Close())
	}
	s.writer = startWriter(conn, path+"-wal", o)
	return nil
}

// writable finds out whether the file can be written, with a write that
// changes nothing: SQLite opens a file that cannot for reading, and does not
// say so.
func writable(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "UPDATE keys SET name = name WHERE id = ''")
	return err
}

// busyTimeout is how long a statement waits for another program that holds the file.
const busyTimeout = 5 * time.Second

var (
	writePragmas = []string{
		"journal_mode(WAL)",
		"synchronous(FULL)",
		"foreign_keys(1)",
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
		"wal_autocheckpoint(10000)", // pages; the writer also checkpoints when it has nothing to do
		fmt.Sprintf("journal_size_limit(%d)", maxLog),
		"cache_size(-16384)", // KiB
		"temp_store(MEMORY)",
	}
	readPragmas = []string{"query_only(1)", fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "cache_size(-4096)"}
)

func dsn(path string, pragmas []string) string { return dsnOf(path, url.Values{"_pragma": pragmas}) }

func dsnOf(path string, options url.Values) string {
	u := url.URL{Scheme: "file", Path: path, RawQuery: options.Encode()}
	return u.String()
}

func migrate(ctx context.Context, db *sql.DB) error {
	return sqlstore.Migrate(ctx, db, goose.DialectSQLite3, migrations)
}

// Update runs fn in one transaction and returns when it is durable. Updates that
// wait are committed together. If fn returns an error, nothing that it did is kept
// and Update returns that error. fn may run twice, so it must have no effects
// outside the transaction. fn must use the context that it is given, must not call
// Update, and must return.
func (s *Store) Update(ctx context.Context, fn func(context.Context, sqlstore.Queries) error) error {
	return s.writer.do(ctx, fn)
}

// Reader returns the queries on the pool.
func (s *Store) Reader() sqlstore.Queries { return s.Queries }

// Close waits for what is being written and closes the store. It may be called
// again.
func (s *Store) Close() error {
	s.closing.Do(func() { s.closed = s.close() })
	return s.closed
}

func (s *Store) close() error {
	var errs []error
	if s.writer != nil {
		errs = append(errs, s.writer.close())
	}
	if s.reading != nil {
		s.reader.close()
		errs = append(errs, s.reading.Close())
	}
	if s.writing != nil {
		errs = append(errs, s.writing.Close())
	}
	return errors.Join(append(errs, s.lock.Close())...)
}
