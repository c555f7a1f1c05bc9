package storetest

import (
	"context"
	"crypto/sha256"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

var keys = []testCase{
	{"keys are found by their hash", keyByHash},
	{"keys are each account's own", keyAccounts},
	{"a key is revoked once", revoke},
	{"two keys cannot have one secret", sameSecret},
	{"an account gets one first key", firstKeys},
	{"what keys have used of their limits is counted once", spent},
}

func (w *world) newKey() rota.Key {
	at := w.next()
	return rota.Key{
		Object: rota.ObjectKey, ID: rota.NewKeyID(at), Account: w.owner.Account, Name: "ключ", Hint: "rk_abcde",
		Scopes: rota.DefaultScopes(), RateLimits: []rota.RateLimit{}, CreatedAt: rota.InstantOf(at),
	}
}

func hashOf(k rota.Key) []byte {
	h := sha256.Sum256([]byte(k.ID))
	return h[:]
}

func (w *world) addKey() rota.Key {
	w.Helper()
	k := w.newKey()
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddKey(ctx, k, hashOf(k)) })
	return k
}

func keyByHash(w *world) {
	bare, expires := w.newKey(), w.newKey()
	expires.RateLimits = []rota.RateLimit{{Requests: 20, Per: rota.PerSecond}, {Requests: 999_999, Per: rota.PerDay}}
	expires.ExpiresAt, expires.Scopes = p(rota.InstantOf(start.Add(time.Hour))), []rota.Scope{rota.WriteAccounts}
	for _, k := range []rota.Key{bare, expires} {
		w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddKey(ctx, k, hashOf(k)) })
		got, hash, err := w.store.KeyByHash(w.Context(), hashOf(k))
		require.NoError(w, err)
		w.same(k, got)
		require.Equal(w, hashOf(k), hash)
	}
	for _, hash := range [][]byte{nil, {}, hashOf(bare)[:31], append(hashOf(bare), 0)} {
		_, _, err := w.store.KeyByHash(w.Context(), hash)
		require.ErrorIs(w, err, rota.NotFound)
	}
}

func keyAccounts(w *world) {
	k := w.addKey()
	l, err := w.store.Keys(w.Context(), "other", rota.Page{Limit: 10})
	require.NoError(w, err)
	require.Empty(w, l.Data)
	require.ErrorIs(w, w.try(func(ctx context.Context, tx sqlstore.Queries) error {
		_, err := tx.RevokeKey(ctx, "other", k.ID, start)
		return err
	}), rota.NotFound)
	got, _, err := w.store.KeyByHash(w.Context(), hashOf(k))
	require.NoError(w, err)
	w.same(k, got)
}

func revoke(w *world) {
	k := w.addKey()
	want := k
	want.RevokedAt = p(rota.InstantOf(start.Add(time.Minute)))
	for i := range 2 {
		w.update(func(ctx context.Context, tx sqlstore.Queries) error {
			got, err := tx.RevokeKey(ctx, k.Account, k.ID, start.Add(time.Duration(i+1)*time.Minute))
			w.same(want, got)
			return err
		})
	}
	got, _, err := w.store.KeyByHash(w.Context(), hashOf(k))
	require.NoError(w, err)
	w.same(want, got)
}

func sameSecret(w *world) {
	k := w.addKey()
	require.Error(w, w.try(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddKey(ctx, w.newKey(), hashOf(k)) }))
}

// firstKeys: of several that are added at once, one is the first.
func firstKeys(w *world) {
	var added atomic.Int64
	var group sync.WaitGroup
	for range 8 {
		k := w.newKey()
		group.Go(func() {
			err := w.store.Update(w.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
				first, err := tx.AddFirstKey(ctx, k, hashOf(k))
				if first {
					added.Add(1)
				}
				return err
			})
			if err != nil {
				w.Error(err)
			}
		})
	}
	group.Wait()
	require.EqualValues(w, 1, added.Load())
	l, err := w.store.Keys(w.Context(), w.owner.Account, rota.Page{Limit: 10})
	require.NoError(w, err)
	require.Len(w, l.Data, 1)
}

// spent: transactions that count at once do not count over each other.
func spent(w *world) {
	k, other := w.addKey(), w.addKey()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			err := w.store.Update(w.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
				s, err := tx.Spent(ctx, k.ID)
				if err != nil {
					return err
				}
				return tx.SaveSpent(ctx, k.ID, rota.Spent{rota.PerHour: s[rota.PerHour] + math.MaxInt64/8})
			})
			if err != nil {
				w.Error(err)
			}
		})
	}
	group.Wait()
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		s, err := tx.Spent(ctx, k.ID)
		require.NoError(w, err)
		w.same(rota.Spent{rota.PerHour: math.MaxInt64 / 8 * 8}, s)
		s, err = tx.Spent(ctx, other.ID)
		require.NoError(w, err)
		require.Empty(w, s)
		return nil
	})
	require.ErrorIs(w, w.try(func(ctx context.Context, tx sqlstore.Queries) error {
		_, err := tx.Spent(ctx, "key_none")
		return err
	}), rota.NotFound)
}
