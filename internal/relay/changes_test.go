package relay_test

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/events"
)

// TestChangesReachOthers: what one process changes is told in all, once; while nothing
// changes, nothing is sent.
func TestChangesReachOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newDatabase()
		a, b := start(t, db), start(t, db)
		synctest.Wait()
		readers := []*events.FeedReader{}
		for _, p := range []*process{a, b} {
			readers = append(readers, p.feed.Read(p.feed.Mark(), func(rota.Change) bool { return true }))
		}
		one := rota.Change{
			Kind: rota.OccurrenceChanged, ID: "occ_1", AgentID: "agt_1", ScheduleID: "asch_1", RunID: "arun_1", EndUser: `"ana"@b`, Account: "acme",
		}
		a.feed.Changed([]rota.Change{one})
		for _, r := range readers {
			_, m, err := r.Next(t.Context())
			require.NoError(t, err)
			require.Equal(t, rota.Changes{Type: rota.ChangesSome, Data: []rota.Change{one}}, m)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		sent := db.messages()
		time.Sleep(time.Hour)
		require.Equal(t, sent, db.messages(), "nothing is sent while nothing changes")
	})
}

// TestManyChangesAreFewMessages: a burst is told in a few messages, by owners or as a
// reset, however many changes it has.
func TestManyChangesAreFewMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newDatabase()
		a, b := start(t, db), start(t, db)
		synctest.Wait()
		burst := func(owners int) rota.Changes {
			reader := b.feed.Read(b.feed.Mark(), func(rota.Change) bool { return true })
			before := db.messages()
			for n := range 10_000 {
				a.feed.Changed([]rota.Change{{Kind: rota.RunChanged, ID: "arun_" + strconv.Itoa(n), Account: "acme", EndUser: strconv.Itoa(n % owners)}})
			}
			_, m, err := reader.Next(t.Context())
			require.NoError(t, err)
			time.Sleep(time.Minute)
			require.LessOrEqual(t, db.messages()-before, 10)
			return m
		}
		require.Equal(t, rota.ChangesMany, burst(3).Type)
		require.Equal(t, rota.ChangesReset, burst(5_000).Type)
	})
}
