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
	{"a key can be changed, and given another secret", saveKey},
	{"keys of an end user", keysOfEndUser},
	{"a token finds its key and signing key", keyOfToken},
	{"keys descend from the key that made them", descent},
	{"signing keys are retired, and deleted later", signingKeys},
	{"a request counts once against a key's limits", spent},
	{"a session ends with its time, its key's secret, and when it is removed", sessions},
}

func (w *world) newKey() rota.Key {
	at := w.next()
	return rota.Key{
		Object: rota.ObjectKey, ID: rota.NewKeyID(at), Account: w.owner.Account, Name: "ключ", Hint: "rk_abcde",
		Scopes: rota.DefaultScopes(), RateLimits: []rota.RateLimit{}, CreatedAt: rota.InstantOf(at), Generation: 1,
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
	l, err := w.store.Keys(w.Context(), rota.Owner{Account: "other"}, rota.Page{Limit: 10})
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
	l, err := w.store.Keys(w.Context(), rota.Owner{Account: w.owner.Account}, rota.Page{Limit: 10})
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

func saveKey(w *world) {
	k, other := w.addKey(), w.addKey()
	want := k
	want.Name, want.Scopes = "another", []rota.Scope{rota.ReadAgents}
	want.RateLimits = []rota.RateLimit{{Requests: 1, Per: rota.PerDay}}
	want.ExpiresAt = p(rota.InstantOf(start.Add(time.Hour)))
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.SaveKey(ctx, want, nil) })
	got, _, err := w.store.KeyByHash(w.Context(), hashOf(k))
	require.NoError(w, err)
	w.same(want, got)
	require.EqualValues(w, 1, got.Generation)

	want.Hint, want.ExpiresAt, want.Generation = "rk_anew", nil, 2
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.SaveKey(ctx, want, []byte("anew")) })
	_, _, err = w.store.KeyByHash(w.Context(), hashOf(k))
	require.ErrorIs(w, err, rota.NotFound)
	got, _, err = w.store.KeyByHash(w.Context(), []byte("anew"))
	require.NoError(w, err)
	w.same(want, got)
	require.EqualValues(w, 2, got.Generation)

	got, _, err = w.store.KeyByHash(w.Context(), hashOf(other))
	require.NoError(w, err)
	w.same(other, got)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		got, err := tx.Key(ctx, k.Account, k.ID)
		w.same(want, got)
		_, elsewhere := tx.Key(ctx, "other", k.ID)
		require.ErrorIs(w, elsewhere, rota.NotFound)
		return err
	})
}

func keysOfEndUser(w *world) {
	w.addKey()
	k := w.newKey()
	k.EndUser, k.TeamID, k.CreatedBy = p("ana"), p("web"), p(rota.KeyID("key_1"))
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddKey(ctx, k, hashOf(k)) })
	for endUser, n := range map[string]int{"": 2, "ana": 1, "bob": 0} {
		l, err := w.store.Keys(w.Context(), rota.Owner{Account: k.Account, EndUser: endUser}, rota.Page{Limit: 10})
		require.NoError(w, err)
		require.Len(w, l.Data, n, endUser)
		if n == 1 {
			w.same(k, l.Data[0])
		}
	}
}

func (w *world) addSigningKey() rota.SigningKey {
	w.Helper()
	at := w.next()
	k := rota.SigningKey{
		Object: rota.ObjectSigningKey, ID: rota.NewSigningKeyID(at), Public: []byte{4, 0, 255}, Sealed: []byte{0, 1}, CreatedAt: rota.InstantOf(at),
	}
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddSigningKey(ctx, k) })
	return k
}

func keyOfToken(w *world) {
	k, signing := w.addKey(), w.addSigningKey()
	got, public, err := w.store.KeyOfToken(w.Context(), signing.ID, k.ID)
	require.NoError(w, err)
	w.same(k, got)
	require.EqualValues(w, 1, got.Generation)
	require.Equal(w, signing.Public, public)
	_, _, err = w.store.KeyOfToken(w.Context(), signing.ID, "key_none")
	require.ErrorIs(w, err, rota.NotFound)
	_, _, err = w.store.KeyOfToken(w.Context(), "sig_none", k.ID)
	require.ErrorIs(w, err, rota.NotFound)
}

func signingKeys(w *world) {
	list := func() []rota.SigningKey {
		all, err := w.store.SigningKeys(w.Context())
		require.NoError(w, err)
		return all
	}
	retire := func(at, forget time.Duration) {
		w.update(func(ctx context.Context, tx sqlstore.Queries) error {
			return tx.RetireSigningKeys(ctx, start.Add(at), start.Add(forget))
		})
	}
	require.Empty(w, list())
	first := w.addSigningKey()
	require.Equal(w, []rota.SigningKey{first}, list())
	retire(time.Hour, 0)
	second := w.addSigningKey()
	first.RetiredAt = p(rota.InstantOf(start.Add(time.Hour)))
	require.Equal(w, []rota.SigningKey{second, first}, list())
	retire(2*time.Hour, time.Hour)
	second.RetiredAt = p(rota.InstantOf(start.Add(2 * time.Hour)))
	require.Equal(w, []rota.SigningKey{second}, list())
	retire(3*time.Hour, 3*time.Hour)
	require.Empty(w, list())
}

func sessions(w *world) {
	k := w.addKey()
	begin := func(secret byte, ends time.Time, now time.Time) {
		w.update(func(ctx context.Context, tx sqlstore.Queries) error {
			return tx.AddSession(ctx, []byte{secret}, rota.Session{Key: k.ID, Generation: k.Generation, ExpiresAt: ends}, now)
		})
	}
	lasts := func(secret byte, now time.Time) bool {
		got, err := w.store.KeyOfSession(w.Context(), []byte{secret}, now)
		if err == nil {
			w.same(k, got)
			return true
		}
		require.ErrorIs(w, err, rota.NotFound)
		return false
	}
	begin(1, start.Add(time.Hour), start)
	begin(2, start.Add(3*time.Hour), start)
	require.True(w, lasts(1, start.Add(time.Hour-time.Millisecond)))
	require.False(w, lasts(1, start.Add(time.Hour)))
	require.False(w, lasts(9, start))

	begin(3, start.Add(4*time.Hour), start.Add(2*time.Hour)) // what has ended is forgotten
	require.False(w, lasts(1, start))
	for _, there := range []bool{true, false} {
		w.update(func(ctx context.Context, tx sqlstore.Queries) error {
			removed, err := tx.RemoveSession(ctx, []byte{2})
			require.Equal(w, there, removed)
			return err
		})
	}
	require.False(w, lasts(2, start))
	require.True(w, lasts(3, start))

	k.Generation++
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.SaveKey(ctx, k, []byte("another secret"))
	})
	require.False(w, lasts(3, start))
}

func descent(w *world) {
	var made []rota.KeyID
	add := func(account string, maker *rota.KeyID) rota.KeyID {
		k := w.newKey()
		k.Account, k.CreatedBy = account, maker
		w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddKey(ctx, k, hashOf(k)) })
		made = append(made, k.ID)
		return k.ID
	}
	root := add("acme", nil)
	child := add("other", &root)
	grandchild := add("acme", &child)
	add("acme", nil)
	from := func(id rota.KeyID, o rota.Owner) (ids []rota.KeyID) {
		l, err := w.store.KeysFrom(w.Context(), id, o, rota.Page{Limit: 10, Ascending: true})
		require.NoError(w, err)
		for _, k := range l.Data {
			ids = append(ids, k.ID)
		}
		return ids
	}
	require.Equal(w, []rota.KeyID{child, grandchild}, from(root, rota.Owner{}))
	require.Equal(w, []rota.KeyID{grandchild}, from(root, rota.Owner{Account: "acme"}))
	require.Empty(w, from(root, rota.Owner{EndUser: "u-1"}))
	require.Empty(w, from(grandchild, rota.Owner{}))
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		k, err := tx.KeyFrom(ctx, root, grandchild)
		require.NoError(w, err)
		require.Equal(w, grandchild, k.ID)
		for _, id := range []rota.KeyID{root, made[3], "key_none"} {
			_, err := tx.KeyFrom(ctx, root, id)
			require.ErrorIs(w, err, rota.NotFound)
		}
		return nil
	})
}
