package events_test

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/events"
)

func changed(account string, ids ...int) (all []rota.Change) {
	for _, id := range ids {
		all = append(all, rota.Change{Kind: rota.RunChanged, ID: strconv.Itoa(id), Account: account})
	}
	return all
}

func numbers(from, to int) (all []int) {
	for n := from; n < to; n++ {
		all = append(all, n)
	}
	return all
}

func ofAcme(c rota.Change) bool { return c.Account == "acme" }

// follower reads a feed in a bubble of time.
type follower struct {
	*testing.T
	*events.FeedReader
	last int64
}

func (f *follower) next() rota.Changes {
	f.Helper()
	number, m, err := f.Next(f.Context())
	require.NoError(f, err)
	f.last = number
	return m
}

// nothing requires that no message comes for a minute.
func (f *follower) nothing() {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), time.Minute)
	defer cancel()
	_, m, err := f.Next(ctx)
	require.ErrorIs(f, err, context.DeadlineExceeded, "%v", m)
}

func follow(t *testing.T, feed *events.Feed, after int64) *follower {
	return &follower{T: t, FeedReader: feed.Read(after, ofAcme)}
}

// TestFeed: the first change is told at once, and what follows it is gathered; each thing
// once, and nobody else's.
func TestFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		feed := events.NewFeed(time.After)
		feed.Changed(changed("acme", 0))
		f := follow(t, feed, -1)
		require.Equal(t, rota.ChangesStarted, f.next().Type)
		f.nothing()

		began := time.Now()
		feed.Changed(changed("acme", 1))
		require.Equal(t, rota.Changes{Type: rota.ChangesSome, Data: changed("acme", 1)}, f.next())
		require.Zero(t, time.Since(began))
		feed.Changed(changed("acme", 2, 3))
		feed.Changed(changed("globex", 4))
		go func() {
			time.Sleep(events.FeedPause / 2)
			feed.Changed(changed("acme", 3, 5))
		}()
		require.Equal(t, changed("acme", 2, 3, 5), f.next().Data)
		require.Equal(t, events.FeedPause, time.Since(began))
		feed.Changed(changed("globex", 6))
		f.nothing()
	})
}

// TestFeedResumes: what came since a number is told; a number that is too old, or of
// another feed, brings a reset.
func TestFeedResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		feed := events.NewFeed(time.After)
		first := follow(t, feed, -1)
		first.next()
		feed.Changed(changed("acme", 1, 2))
		require.Equal(t, changed("acme", 1, 2), follow(t, feed, first.last).next().Data)
		first.next()
		follow(t, feed, first.last).nothing()

		require.Equal(t, rota.ChangesReset, follow(t, events.NewFeed(time.After), first.last).next().Type)
		require.Equal(t, rota.ChangesReset, follow(t, feed, 0).next().Type)
		for range 2 {
			feed.Changed(changed("globex", numbers(0, events.MaxFeed)...))
		}
		slow := follow(t, feed, first.last)
		require.Equal(t, rota.ChangesReset, slow.next().Type)
		feed.Changed(changed("acme", 9))
		require.Equal(t, changed("acme", 9), slow.next().Data, "it goes on after that")
	})
}

// TestFeedIsBounded: of many changes at once one message says that there are many, and
// so does a change that stands for many.
func TestFeedIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		feed := events.NewFeed(time.After)
		f := follow(t, feed, -1)
		f.next()
		feed.Changed(changed("acme", numbers(0, rota.MaxChanges)...))
		require.Len(t, f.next().Data, rota.MaxChanges)
		for range 10 {
			feed.Changed(changed("acme", numbers(0, rota.MaxChanges+1)...))
		}
		require.Equal(t, rota.Changes{Type: rota.ChangesMany, Data: []rota.Change{}}, f.next())
		f.nothing()
		feed.Changed([]rota.Change{rota.Many(rota.Owner{Account: "acme", EndUser: "ana"})})
		require.Equal(t, rota.ChangesMany, f.next().Type)
		feed.Missed()
		require.Equal(t, rota.ChangesReset, f.next().Type)
	})
}
