package relay_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/events"
	"github.com/rota-run/rota/internal/relay"
	"github.com/rota-run/rota/internal/store/postgres"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
)

// stories are told over memory and over PostgreSQL.
var stories = map[string]func(a, b, c *process){
	"a watcher before the run starts": func(a, b, _ *process) {
		w := a.watch()
		b.begin()
		b.say(0, 3)
		w.sees(0, 3)
		b.say(3, 2000)
		b.end()
		w.sees(3, 2000)
		w.seesEnd()
	},
	"late watchers, in two processes": func(a, b, c *process) {
		b.begin()
		b.say(0, 1000)
		first := a.watch()
		first.sees(0, 1000)
		second := c.watch()
		second.sees(0, 1000)
		b.say(1000, 1001)
		first.sees(1000, 1001)
		second.sees(1000, 1001)
		b.end()
		first.seesEnd()
		second.seesEnd()
	},
	"the run goes on elsewhere": func(a, b, c *process) {
		w := a.watch()
		b.begin()
		b.say(0, 10)
		w.sees(0, 10)
		b.hub.Rest(run, b.log)
		late := b.watch() // where the run was
		c.begin()
		again := events.FirstSeq(2)
		c.say(again, again+10)
		w.sees(again, again+10)
		late.sees(0, 10)
		late.sees(again, again+10)
		c.end()
		w.seesEnd()
		late.seesEnd()
	},
	"the process stops in good order": func(a, b, _ *process) {
		w := a.watch()
		b.begin()
		b.say(0, 1)
		w.sees(0, 1)
		b.say(1, 100)
		b.end()
		b.stop()
		w.sees(1, 100)
		w.seesEnd()
	},
}

func TestStories(t *testing.T) {
	for name, tell := range stories {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDatabase()
				tell(start(t, d), start(t, d), start(t, d))
			})
		})
	}
}

// onPostgreSQL opens a database, once for each process that start is to start.
func onPostgreSQL(t *testing.T) (databaseURL string, open func() relay.Store) {
	databaseURL = postgrestest.URL(t)
	return databaseURL, func() relay.Store {
		s, err := postgres.Open(t.Context(), databaseURL, postgres.Options{})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	}
}

func TestStoriesOnPostgreSQL(t *testing.T) {
	for name, tell := range stories {
		t.Run(name, func(t *testing.T) {
			databaseURL, open := onPostgreSQL(t)
			openRun(t, databaseURL)
			tell(start(t, open()), start(t, open()), start(t, open()))
		})
	}
}

// openRun stores that the run has not ended.
func openRun(t *testing.T, databaseURL string) {
	postgrestest.Exec(t, databaseURL, `INSERT INTO runs (id, account, end_user, agent_id, agent_version, trigger, input, metadata, created_at, phase, attempts)
		VALUES ('arun_1', 'acme', '', 'agt_1', 1, 'api', '""', '{}', 0, 'queued', 0)`)
}

// TestCutOnPostgreSQL: whatever connections break, nothing is lost. The end,
// too, is heard of.
func TestCutOnPostgreSQL(t *testing.T) {
	databaseURL, open := onPostgreSQL(t)
	openRun(t, databaseURL)
	a, b := start(t, open()), start(t, open())
	w := a.watch()
	b.begin()
	for i := range int64(5) {
		b.say(i*100, i*100+50)
		postgrestest.Exec(t, databaseURL, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		b.say(i*100+50, i*100+100)
		w.sees(i*100, i*100+100)
	}
	postgrestest.Exec(t, databaseURL, "UPDATE runs SET completed_at = 1")
	postgrestest.Exec(t, databaseURL, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database() AND query LIKE 'LISTEN%'`)
	b.say(500, 510)
	b.end()
	w.sees(500, 510)
	w.seesEnd()
}

// between has two processes over a database, in a bubble.
func between(t *testing.T, tell func(t *testing.T, d *database, a, b *process)) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		tell(t, d, start(t, d), start(t, d))
	})
}

// TestAQuickRun: of one that is over at once nothing is lost either. What it has
// said does not stay until another one speaks.
func TestAQuickRun(t *testing.T) {
	between(t, func(t *testing.T, d *database, a, b *process) {
		w := a.watch()
		synctest.Wait()
		b.begin()
		b.say(0, 10)
		b.end()
		w.sees(0, 10)
		w.seesEnd()
		kept, _ := d.count()
		require.Equal(t, 10, kept)
		time.Sleep(4 * time.Minute)
		kept, _ = d.count()
		require.Zero(t, kept)
	})
}

// TestNothingIsWrittenForNobody: nor for who watches where the run is.
func TestNothingIsWrittenForNobody(t *testing.T) {
	between(t, func(t *testing.T, d *database, a, b *process) {
		early := b.watch()
		b.begin()
		b.say(0, 100)
		late := b.watch()
		time.Sleep(time.Minute)
		b.hub.Rest(run, b.log)
		time.Sleep(time.Minute)
		b.begin()
		b.end()
		early.sees(0, 100)
		late.sees(0, 100)
		late.seesEnd()
		time.Sleep(time.Minute)
		_, written := d.count()
		require.Zero(t, written)
		_, ends := a.received()
		require.Equal(t, []rota.RunID{run}, ends)
	})
}

// TestWatchersGo: when nobody watches any more, nothing more is written, until
// somebody does.
func TestWatchersGo(t *testing.T) {
	between(t, func(t *testing.T, d *database, a, b *process) {
		w := a.watch()
		b.begin()
		b.say(0, 10)
		w.sees(0, 10)
		time.Sleep(time.Minute)
		b.say(10, 20)
		w.sees(10, 20)
		w.reader.Close()
		time.Sleep(time.Minute)
		b.say(20, 30)
		time.Sleep(time.Minute)
		rows, _ := d.count()
		require.Equal(t, 20, rows)

		d.set(func() { delete(d.rows, run) }) // forgotten meanwhile
		w = a.watch()
		w.sees(0, 30)
		b.end()
		w.seesEnd()
	})
}

// TestLongRuns: the beginning of what a run says is there for as long as it
// lasts and somebody watches.
func TestLongRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		a, b, c := start(t, d), start(t, d), start(t, d)
		w := a.watch()
		b.begin()
		b.say(0, 10)
		w.sees(0, 10)
		time.Sleep(20 * time.Minute)
		_, written := d.count()
		require.Equal(t, 10, written)
		time.Sleep(time.Hour)
		_, written = d.count()
		require.Equal(t, 30, written, "written again")
		late := c.watch()
		late.sees(0, 10)
		b.end()
		w.seesEnd()
		late.seesEnd()
	})
}

// TestADeadWorker: a process that dies as a run ends tells nobody, and those
// who watch hear of it all the same.
func TestADeadWorker(t *testing.T) {
	between(t, func(t *testing.T, d *database, a, b *process) {
		w := a.watch()
		b.begin()
		b.say(0, 10)
		w.sees(0, 10)
		d.set(func() { d.ended[run], d.deaf = true, true })
		b.say(10, 20) // written, but the words are lost
		w.sees(10, 20)
		w.seesEnd()
		rested := a.hub.Open("arun_2") // of a run that has ended elsewhere
		a.hub.Rest("arun_2", rested)
		d.set(func() { d.ended["arun_2"] = true })
		time.Sleep(time.Minute)
		require.Empty(t, a.hub.Idle(), "no log is kept for ever")
	})
}

// TestAnEndWaitsForLastWords: also when a look at the store finds it first.
func TestAnEndWaitsForLastWords(t *testing.T) {
	between(t, func(t *testing.T, d *database, a, b *process) {
		w := a.watch()
		b.begin()
		b.say(0, 1)
		w.sees(0, 1)
		d.set(func() { d.broken = true })
		b.say(1, 10)
		b.end()
		time.Sleep(4 * time.Second)
		d.set(func() { d.ended[run] = true })
		time.Sleep(2 * time.Second)
		d.set(func() { d.broken = false })
		w.sees(1, 10)
		w.seesEnd()
	})
}

func TestChanges(t *testing.T) {
	between(t, func(t *testing.T, d *database, a, b *process) {
		changes, _ := b.received()
		require.Equal(t, 1, changes, "it has begun to hear")
		a.relay.Changed()
		changes, _ = b.received()
		require.Equal(t, 2, changes)
		b.hub.Open(run)
		a.relay.Ended(run)
		_, ends := b.received()
		require.Equal(t, []rota.RunID{run}, ends)
		_, ok := b.hub.Follow(run)
		require.False(t, ok, "the log of a run that was cancelled elsewhere ends")
	})
}

// TestAMissedEnd: who works on a run that somebody cancelled while nobody could
// hear of it hears of it later.
func TestAMissedEnd(t *testing.T) {
	between(t, func(t *testing.T, d *database, a, b *process) {
		b.begin()
		b.received()
		d.set(func() { d.deaf, d.ended[run] = true, true })
		a.relay.Ended(run)
		_, ends := b.received()
		require.Empty(t, ends)
		d.set(func() { d.deaf = false })
		d.reconnect()
		_, ends = b.received()
		require.Equal(t, []rota.RunID{run}, ends)
	})
}

// TestBound: what is mirrored is bounded as every log is.
func TestBound(t *testing.T) {
	between(t, func(t *testing.T, d *database, a, b *process) {
		w := a.watch()
		b.begin()
		synctest.Wait()
		const size = events.MaxLogBytes / 4
		for seq := range int64(40) {
			b.log.Append(events.Event{Seq: seq, Data: make([]byte, size)})
			time.Sleep(time.Second)
		}
		b.end()
		synctest.Wait()
		for seq := int64(36); seq < 40; seq++ {
			e, err := w.reader.Next(t.Context())
			require.NoError(t, err)
			require.Equal(t, seq, e.Seq)
		}
		w.seesEnd()
	})
}
