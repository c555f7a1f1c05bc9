package postgres_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/cluster"
	"github.com/rota-run/rota/internal/store/postgres"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

var owner = rota.Owner{Account: "acme"}

func named(name string) rota.Agent {
	at := rota.InstantOf(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	return rota.Agent{
		ID: rota.AgentID("agt_" + name), CreatedAt: at, UpdatedAt: at,
		AgentConfig: rota.AgentConfig{Name: name, Model: "mock/m", ToolChoice: rota.AnyOf("auto")},
	}
}

func addAgents(ctx context.Context, s *postgres.Store, names ...string) error {
	return s.Update(ctx, func(ctx context.Context, tx sqlstore.Queries) error {
		for _, name := range names {
			if err := tx.AddAgent(ctx, owner, named(name)); err != nil {
				return err
			}
		}
		return nil
	})
}

// agents returns the names of all agents, in the order of their ids.
func agents(t *testing.T, s *postgres.Store) []string {
	t.Helper()
	l, err := s.Agents(t.Context(), owner, false, rota.Page{Limit: 100, Ascending: true})
	require.NoError(t, err)
	var out []string
	for _, a := range l.Data {
		out = append(out, a.Name)
	}
	return out
}

// TestDeadlock: two updates that wait for each other are both made.
func TestDeadlock(t *testing.T) {
	s := open(t, postgrestest.URL(t)+"&deadlock_timeout=10ms", postgres.Options{})
	defer s.Close()
	require.NoError(t, addAgents(t.Context(), s, "a", "b"))
	var both, group sync.WaitGroup
	both.Add(2)
	var calls atomic.Int64
	for _, order := range [][]string{{"a", "b"}, {"b", "a"}} {
		group.Go(func() {
			first := true
			err := s.Update(t.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
				calls.Add(1)
				if err := touch(ctx, tx, order[0]); err != nil {
					return err
				}
				if first {
					first = false
					both.Done()
					both.Wait()
				}
				return touch(ctx, tx, order[1])
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	require.Greater(t, calls.Load(), int64(2), "one was given up and made again")
	for _, name := range []string{"a", "b"} {
		a, err := s.Agent(t.Context(), owner, named(name).ID)
		require.NoError(t, err)
		require.EqualValues(t, 2, a.Version)
	}
}

// TestAScheduleInTheMomentOfASwitch: who adds it has seen the engine of before,
// and Temporal is told of it all the same.
func TestAScheduleInTheMomentOfASwitch(t *testing.T) {
	databaseURL := postgrestest.URL(t)
	s := open(t, databaseURL, postgres.Options{})
	defer s.Close()
	require.NoError(t, addAgents(t.Context(), s, "a"))
	added, release := make(chan struct{}), make(chan struct{})
	var group errgroup.Group
	group.Go(func() error {
		return s.Update(t.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
			sch := rota.Schedule{ID: "asch_1", AgentID: named("a").ID, Input: rota.InputText("hi")}
			err := tx.AddSchedule(ctx, rota.TimedSchedule{Schedule: sch, Timer: rota.Timer{ScheduleID: sch.ID, AgentID: sch.AgentID, Owner: owner, Status: rota.ScheduleActive}})
			require.NoError(t, err)
			_, err = tx.Schedule(ctx, owner, sch.AgentID, sch.ID, false)
			close(added)
			<-release
			return err
		})
	})
	<-added
	switched := make(chan struct{})
	group.Go(func() error {
		defer close(switched)
		return s.Update(t.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
			return tx.SaveLeadership(ctx, "", cluster.Leadership{Kind: rota.EngineTemporal})
		})
	})
	waitsOr(t, databaseURL, switched)
	close(release)
	require.NoError(t, group.Wait())
	require.NoError(t, s.Update(t.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
		last, err := sqlstore.External{Queries: tx}.ResyncAll(ctx, cluster.Destination{}, "", 10)
		require.EqualValues(t, "asch_1", last)
		return err
	}))
}

// waitsOr returns when somebody waits for a lock in the database, or done is
// closed.
func waitsOr(t *testing.T, databaseURL string, done <-chan struct{}) {
	conn := connect(t, databaseURL)
	for waiting := false; !waiting; {
		err := conn.QueryRow(t.Context(), `SELECT EXISTS (SELECT 1 FROM pg_locks l JOIN pg_database d ON d.oid = l.database
			WHERE NOT l.granted AND d.datname = current_database())`).Scan(&waiting)
		require.NoError(t, err)
		select {
		case <-done:
			return
		default:
		}
	}
}

func touch(ctx context.Context, tx sqlstore.Queries, name string) error {
	a, err := tx.Agent(ctx, owner, named(name).ID)
	if err != nil {
		return err
	}
	a.Version++
	return tx.SaveAgent(ctx, owner, a, nil)
}

// TestAnErrorThatIsKeptBack: an update that a statement of has failed is not
// made, whatever its function says.
func TestAnErrorThatIsKeptBack(t *testing.T) {
	s := open(t, postgrestest.URL(t), postgres.Options{})
	defer s.Close()
	require.NoError(t, addAgents(t.Context(), s, "a"))
	for name, read := range map[string]rota.AgentID{"told before the commit": "", "told with the commit": named("a").ID} {
		err := s.Update(t.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
			if read != "" {
				_, err := tx.Agent(ctx, owner, read)
				require.NoError(t, err)
			}
			require.NoError(t, tx.AddAgent(ctx, owner, named("b")))
			_ = tx.AddAgent(ctx, owner, named("a"))
			return nil
		})
		require.ErrorContains(t, err, "agents_pkey", name)
		require.Equal(t, []string{"a"}, agents(t, s), name)
	}
}

// TestADatabaseThatIsSilent: a connection that says nothing is not waited for
// without end, and later ones are as good as ever.
func TestADatabaseThatIsSilent(t *testing.T) {
	var w wire
	s := open(t, postgrestest.URL(t), postgres.Impatient(w.dial, time.Second))
	defer s.Close()
	w.silent.Store(true)
	_, err := s.Agents(t.Context(), owner, false, rota.Page{Limit: 1})
	require.ErrorIs(t, err, rota.Unavailable)
	require.ErrorContains(t, err, "the database does not answer")
	require.ErrorIs(t, addAgents(t.Context(), s, "lost"), rota.Unavailable)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, addAgents(ended, s, "lost"), context.Canceled)
	w.silent.Store(false)
	for conn := range w.lost.Range {
		_ = conn.(net.Conn).Close() // unless it is
	}
	require.Eventually(t, func() bool { return addAgents(t.Context(), s, "a") == nil }, time.Minute, 10*time.Millisecond)
	require.Equal(t, []string{"a"}, agents(t, s))
}

// A wire cuts connections at a chosen moment.
type wire struct {
	down     atomic.Bool
	silent   atomic.Bool                                        // what is written gets lost
	lost     sync.Map                                           // the connections that lost something
	atCommit atomic.Pointer[func(server net.Conn, sent []byte)] // called with the COMMIT instead of sending it
	trips    atomic.Int64                                       // times that something was read after something was written
}

func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if w.down.Load() {
		return nil, errors.New("the wire is down")
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	return &wired{Conn: conn, wire: w}, err
}

type wired struct {
	net.Conn
	wire  *wire
	wrote atomic.Bool
}

func (c *wired) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && c.wrote.Swap(false) {
		c.wire.trips.Add(1)
	}
	return n, err
}

func (c *wired) Write(b []byte) (int, error) {
	c.wrote.Store(true)
	if c.wire.silent.Load() {
		c.wire.lost.Store(c.Conn, nil)
		return len(b), nil
	}
	if cut := c.wire.atCommit.Load(); cut != nil && commits(b) {
		c.wire.atCommit.Store(nil)
		(*cut)(c.Conn, b)
		return len(b), c.Conn.Close()
	}
	return c.Conn.Write(b)
}

// commits reports whether the prepared statement COMMIT is told to be carried
// out. pgx names it by the text.
func commits(sent []byte) bool {
	text := sha256.Sum256([]byte("COMMIT"))
	return bytes.Contains(sent, []byte("\x00stmtcache_"+hex.EncodeToString(text[:24])+"\x00"))
}

// TestACommitThatIsNotAnswered: the answer of Update is true all the same.
func TestACommitThatIsNotAnswered(t *testing.T) {
	var w wire
	databaseURL := postgrestest.URL(t)
	s := open(t, databaseURL+"&pool_max_conns=1", postgres.Dialing(w.dial))
	defer s.Close()
	made := func(server net.Conn, sent []byte) {
		server.Write(sent)
		server.Read(make([]byte, 100)) // it is made when it is answered
	}
	require.Eventually(t, func() bool {
		return truth(t, databaseURL, "SELECT checkpoint_time < date_trunc('second', now()) FROM pg_control_checkpoint()")
	}, time.Minute, 10*time.Millisecond, "a crash in the second before cannot be ruled out")
	w.atCommit.Store(&made)
	require.NoError(t, addAgents(t.Context(), s, "made"))
	require.Equal(t, []string{"made"}, agents(t, s))

	lost := func(net.Conn, []byte) {}
	w.atCommit.Store(&lost)
	err := addAgents(t.Context(), s, "lost")
	require.ErrorIs(t, err, rota.Unavailable)
	require.ErrorContains(t, err, "nothing was written")
	require.Equal(t, []string{"made"}, agents(t, s))
	require.NoError(t, addAgents(t.Context(), s, "next"))
}

// TestACommitThatACrashTookBack: its number may be another transaction's
// afterwards, which says nothing about it.
func TestACommitThatACrashTookBack(t *testing.T) {
	for name, others := range map[string]int{"nobody has its number": 0, "another one has its number": 1} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			require.NoError(t, l.Close())
			server := postgrestest.StartRestartable(t, l.Addr().String())
			var w wire
			s := open(t, server.URL(), postgres.Dialing(w.dial))
			defer s.Close()
			crash := func(net.Conn, []byte) {
				server.Kill()
				require.NoError(t, server.Start())
				other := open(t, server.URL(), postgres.Options{})
				defer other.Close()
				for range others {
					require.NoError(t, addAgents(t.Context(), other, "other"))
				}
			}
			w.atCommit.Store(&crash)
			err = addAgents(t.Context(), s, "lost")
			require.ErrorIs(t, err, rota.Unavailable)
			require.Len(t, agents(t, s), others)
		})
	}
}

// TestWhatIsToldWithTheCommit: it can wait for others no longer than its caller
// does, and then nothing is written.
func TestWhatIsToldWithTheCommit(t *testing.T) {
	databaseURL := postgrestest.URL(t)
	s := open(t, databaseURL, postgres.Options{})
	defer s.Close()
	key := rota.Key{ID: "key_1", Account: "acme"}
	require.NoError(t, s.Update(t.Context(), func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddKey(ctx, key, []byte("hash")) }))
	other, err := connect(t, databaseURL).Begin(t.Context())
	require.NoError(t, err)
	_, err = other.Exec(t.Context(), "LOCK TABLE keys IN SHARE MODE")
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- s.Update(ctx, func(ctx context.Context, tx sqlstore.Queries) error {
			if _, err := tx.Leadership(ctx); err != nil && !errors.Is(err, rota.NotFound) {
				return err
			}
			return tx.SaveSpent(ctx, key.ID, rota.Spent{rota.PerHour: 1})
		})
	}()
	waitsOr(t, databaseURL, nil)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	require.NoError(t, other.Rollback(t.Context()))
	require.NoError(t, s.Update(t.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
		spent, err := tx.Spent(ctx, key.ID)
		require.Empty(t, spent)
		return err
	}))
}

// truth returns what a query answers.
func truth(t *testing.T, databaseURL, query string) (is bool) {
	conn, err := pgx.Connect(t.Context(), databaseURL)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	require.NoError(t, conn.QueryRow(t.Context(), query).Scan(&is))
	return is
}

const killOthers = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"

// TestAConnectionThatBreaks: what was begun on it is gone, and the next update
// has another.
func TestAConnectionThatBreaks(t *testing.T) {
	databaseURL := postgrestest.URL(t)
	s := open(t, databaseURL, postgres.Options{})
	defer s.Close()
	calls := 0
	err := s.Update(t.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
		calls++
		if err := tx.AddAgent(ctx, owner, named("a")); err != nil {
			return err
		}
		if _, err := tx.Agent(ctx, owner, named("a").ID); err != nil {
			return err
		}
		postgrestest.Exec(t, databaseURL, killOthers)
		return tx.AddAgent(ctx, owner, named("b"))
	})
	require.Equal(t, 1, calls)
	require.ErrorIs(t, err, rota.Unavailable)
	require.Empty(t, agents(t, s))

	postgrestest.Exec(t, databaseURL, killOthers)
	require.NoError(t, addAgents(t.Context(), s, "a"), "a connection that broke while nobody used it is no failure")
	require.Equal(t, []string{"a"}, agents(t, s))
}

func TestADatabaseThatIsAway(t *testing.T) {
	databaseURL := postgrestest.URL(t)
	var w wire
	s := open(t, databaseURL, postgres.Dialing(w.dial))
	w.down.Store(true)
	postgrestest.Exec(t, databaseURL, killOthers)
	require.Eventually(t, func() bool { return errors.Is(s.Ping(t.Context()), rota.Unavailable) }, 10*time.Second, 10*time.Millisecond)
	err := addAgents(t.Context(), s, "a")
	require.ErrorIs(t, err, rota.Unavailable)
	require.Contains(t, rota.Public(err).Msg, "the database")
	w.down.Store(false)
	require.Eventually(t, func() bool { return s.Ping(t.Context()) == nil }, 10*time.Second, 10*time.Millisecond)
	require.NoError(t, addAgents(t.Context(), s, "a"))

	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Ping(t.Context()), rota.Unavailable)
	require.ErrorIs(t, addAgents(t.Context(), s, "b"), rota.Unavailable)
}

func TestADatabaseThatIsReadOnly(t *testing.T) {
	databaseURL := postgrestest.URL(t)
	s := open(t, databaseURL+"&default_transaction_read_only=on", postgres.Options{})
	defer s.Close()
	err := addAgents(t.Context(), s, "a")
	require.ErrorIs(t, err, rota.Unavailable)
	require.ErrorContains(t, err, "the database can only be read")
	require.Empty(t, agents(t, s))
}

// TestATransactionOfTheDead: one whose process is gone lets go of what it has
// locked.
func TestATransactionOfTheDead(t *testing.T) {
	databaseURL := postgrestest.URL(t)
	s := open(t, databaseURL, postgres.Options{})
	defer s.Close()
	require.NoError(t, addAgents(t.Context(), s, "a"))
	dead := open(t, databaseURL+"&idle_in_transaction_session_timeout=1s", postgres.Options{})
	defer dead.Close()
	err := dead.Update(t.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
		if err := touch(ctx, tx, "a"); err != nil {
			return err
		}
		return addTouch(ctx, s) // waits for this one, which waits too long
	})
	require.ErrorIs(t, err, rota.Unavailable)
	a, err := s.Agent(t.Context(), owner, named("a").ID)
	require.NoError(t, err)
	require.EqualValues(t, 1, a.Version, "the second was made, the first was not")
}

func addTouch(ctx context.Context, s *postgres.Store) error {
	return s.Update(ctx, func(ctx context.Context, tx sqlstore.Queries) error { return touch(ctx, tx, "a") })
}

func TestConditions(t *testing.T) {
	for code, want := range map[string]string{
		"08006": "the connection to the database broke",
		"25006": "the database can only be read: it is a standby, or is set read-only",
		"28P01": "the database refuses the user or the password",
		"3D000": "the database does not exist",
		"42501": "the user lacks a right in the database",
		"53100": "the disk that holds the database is full",
		"53200": "the database has run out of memory or of another resource",
		"53300": "the database takes no more connections",
		"57014": "the database stopped a statement that took too long",
		"57P01": "the database is starting or stopping",
		"57P03": "the database is starting or stopping",
		"58030": "the machine that holds the database fails",
		"XX001": "the database is damaged",
		"23505": "",
		"40P01": "",
		"42P01": "",
	} {
		require.Equal(t, want, postgres.Condition(&pgconn.PgError{Code: code}), code)
	}
	require.Empty(t, postgres.Condition(errors.New("a bug")))
	require.Empty(t, postgres.Condition(context.Canceled))
}

// TestARefusalIsSaidOnce, however many ways to the server were tried.
func TestARefusalIsSaidOnce(t *testing.T) {
	absent := regexp.MustCompile(`test_\d+`).ReplaceAllString(postgrestest.URL(t), "absent")
	_, err := postgres.Open(t.Context(), absent, postgres.Options{})
	require.Regexp(t, `^open the database absent at \S+: the database does not exist: FATAL: database "absent" does not exist \(SQLSTATE 3D000\)$`, err)
	_, err = postgres.Open(t.Context(), "postgres://h@127.0.0.1:1/absent?sslmode=prefer", postgres.Options{})
	require.Equal(t, 1, strings.Count(err.Error(), "connection refused"), err)
}
