// Package postgres keeps everything in a PostgreSQL database, which several
// processes may have open at once.
//
// Transactions run side by side at READ COMMITTED, and lock what they read in
// order to change it; package sqlstore says in which order. One that
// PostgreSQL gives up to end a deadlock is made again.
package postgres

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

const (
	// connectTimeout holds unless the URL has another.
	connectTimeout = 10 * time.Second

	// idleInTransaction is how long a transaction may do nothing before
	// PostgreSQL ends it. Between two statements lie microseconds: one that
	// waits longer belongs to a process or a machine that is gone.
	idleInTransaction = 15 * time.Second

	// maxWait is how long a query or a transaction may take. Behind a connection
	// that is silent for longer, there is nobody.
	maxWait = time.Minute

	minVersion = 130000 // the first with pg_current_xact_id
)

// Store is a [store.Store] in a PostgreSQL database.
type Store struct {
	sqlstore.Queries // reads, on the pool

	pool    pool
	steps   steps
	maxWait time.Duration
	log     *slog.Logger
	changed func([]rota.Change)   // may be nil
	unled   atomic.Pointer[error] // why this process cannot lead
}

var _ store.Store = (*Store)(nil)

// Options are what may be changed of a store. The zero value is usable.
type Options struct {
	// Log gets what is waited for, and what is made smaller. Default: nobody does.
	Log *slog.Logger

	// PoolSize is how many connections queries and transactions share. If it is 0,
	// pool_max_conns in the URL says so; else there are twice as many as cores, and
	// at least 8.
	PoolSize int

	// AsItIs leaves the schema as it is: Open fails with [transfer.ErrNone] if there
	// is none, and with another error if it is an older one.
	AsItIs bool

	// OnChange is called after each commit of this process that has changed what others
	// may look at: see [sqlstore.Pending.Changes]. It must not block.
	OnChange func([]rota.Change)

	tracer  pgx.QueryTracer
	dial    pgconn.DialFunc
	maxWait time.Duration
}

// Open opens the database that the URL names, whose schema it brings up to
// date; of several processes that do so at once, one does. Open fails at once,
// with an error that says what to do, if the database cannot be reached, is
// not fit, is behind a pooler that is not in session mode, has been used by a newer
// program, or is the target of a transfer that has not ended. The error never holds
// the password. If the server, the database or the role allows fewer connections,
// the pool is made smaller.
func Open(ctx context.Context, databaseURL string, o Options) (*Store, error) {
	config, err := configure(databaseURL, o)
	if err != nil {
		return nil, err
	}
	s := &Store{maxWait: cmp.Or(o.maxWait, maxWait), changed: o.OnChange, log: cmp.Or(o.Log, slog.New(slog.DiscardHandler))}
	if err := s.prepare(ctx, config, o.AsItIs); err != nil {
		return nil, explain(config, err)
	}
	if s.pool, err = openPool(ctx, config, s.log); err != nil {
		return nil, explain(config, err)
	}
	err = s.pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error { return complete(ctx, c.Conn()) })
	if err != nil {
		s.pool.Close()
		return nil, explain(config, err)
	}
	s.Queries = sqlstore.NewReader(reader{s.pool, s.maxWait})
	return s, nil
}

// prepare makes sure of the server and of the schema, and fits the pool to what the
// server allows.
func (s *Store) prepare(ctx context.Context, config *pgxpool.Config, asItIs bool) error {
	conn, err := connect(ctx, config.ConnConfig.Copy())
	if err != nil {
		return err
	}
	defer closeConn(conn)
	if err := checkServer(ctx, conn); err != nil {
		return err
	}
	if err := checkPooler(ctx, conn, config.ConnConfig.Copy()); err != nil {
		return err
	}
	schema := migrate
	if asItIs {
		schema = current
	}
	if err := schema(ctx, conn, config.ConnConfig.Copy(), s.log); err != nil {
		return err
	}
	return fit(ctx, conn, config, s.log)
}

// configure reads the URL. Where it says nothing, the environment variables of
// libpq hold (PGPASSWORD, PGPASSFILE, PGSSLMODE and so on).
func configure(databaseURL string, o Options) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(databaseURL)
	if err != nil {
		return nil, wrongURL(err)
	}
	if strings.Contains(config.ConnConfig.Host, "@") {
		return nil, errURL // the end of a password that has an @
	}
	switch {
	case o.PoolSize > 0:
		config.MaxConns = int32(o.PoolSize)
	case !strings.Contains(databaseURL, "pool_max_conns="):
		config.MaxConns = int32(max(8, 2*runtime.GOMAXPROCS(0)))
	}
	if !strings.Contains(databaseURL, "connect_timeout=") && os.Getenv("PGCONNECT_TIMEOUT") == "" {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	config.ConnConfig.Tracer = o.tracer
	if o.dial != nil {
		config.ConnConfig.DialFunc = o.dial
	}
	setDefault(config.ConnConfig.RuntimeParams, "application_name", "rota")
	ordinary.on(config.ConnConfig)
	return config, nil
}

// place names the database, without user and password.
func place(c *pgxpool.Config) string {
	where := c.ConnConfig.Host // of a socket, its directory
	if where == "" || where[0] != '/' {
		where = net.JoinHostPort(where, strconv.Itoa(int(c.ConnConfig.Port)))
	}
	return fmt.Sprintf("%s at %s", c.ConnConfig.Database, where)
}

// Reader returns the queries on the pool.
func (s *Store) Reader() sqlstore.Queries { return s.Queries }

// Close closes the store. It may be called again.
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}

// Ahead returns how far a clock is ahead of that of the server, give or take half
// the time of a round trip.
func (s *Store) Ahead(ctx context.Context, now func() time.Time) (time.Duration, error) {
	asked := now()
	var theirs int64
	err := s.pool.scan(ctx, []any{&theirs}, "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
	took := now().Sub(asked)
	return asked.Add(took / 2).Sub(time.UnixMilli(theirs)), classify(ctx, err)
}
