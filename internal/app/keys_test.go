package app

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/settings"
	"github.com/rota-run/rota/internal/store"
	"github.com/rota-run/rota/internal/store/postgres"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
	"github.com/rota-run/rota/internal/store/sqlite"
	"github.com/rota-run/rota/internal/store/sqlstore"
	"github.com/rota-run/rota/internal/store/transfer"
)

func TestReplaceFirstKeyInAFile(t *testing.T) {
	place := settings.Place{Data: t.TempDir(), Database: "sqlite"}
	_, _, err := ReplaceFirstKey(t.Context(), place, time.Now())
	require.ErrorIs(t, err, transfer.ErrNone, "nothing is made where there is nothing")
	db, err := sqlite.Open(t.Context(), place.Data, sqlite.Options{})
	require.NoError(t, err)
	defer db.Close()
	replaceFirstKey(t, db, place)

	require.NoError(t, db.Close())
	key, revoked, err := ReplaceFirstKey(t.Context(), place, time.Now())
	require.NoError(t, err, "nor does it need a server")
	require.Equal(t, 1, revoked)
	db, err = sqlite.Open(t.Context(), place.Data, sqlite.Options{})
	require.NoError(t, err)
	defer db.Close()
	require.True(t, opens(t, db, key.Secret))
}

func TestReplaceFirstKeyInPostgreSQL(t *testing.T) {
	place := settings.Place{Database: postgrestest.Empty(t)}
	_, _, err := ReplaceFirstKey(t.Context(), place, time.Now())
	require.ErrorIs(t, err, transfer.ErrNone, "no tables are made in another program's database")
	db, err := postgres.Open(t.Context(), place.Database, postgres.Options{})
	require.NoError(t, err)
	defer db.Close()
	replaceFirstKey(t, db, place)
}

// replaceFirstKey replaces the first key beside an open store. Keys that somebody made
// stay, whatever their name is.
func replaceFirstKey(t *testing.T, db store.Store, place settings.Place) {
	t.Helper()
	now := time.Now()
	first, err := firstKey(t.Context(), db, "", now)
	require.NoError(t, err)
	require.NoError(t, addKey(t.Context(), db, "bootstrap", "of the environment, long", now))
	maker := rota.NewKeyID(now)
	made := newKey(firstKeyName, "made through the API, long", now)
	made.CreatedBy = &maker
	require.NoError(t, db.Update(t.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.AddKey(ctx, made, auth.Hash("made through the API, long"))
	}))

	second, revoked, err := ReplaceFirstKey(t.Context(), place, now)
	require.NoError(t, err)
	require.Equal(t, 1, revoked)
	require.False(t, opens(t, db, first))
	for _, secret := range []string{second.Secret, "of the environment, long", "made through the API, long"} {
		require.True(t, opens(t, db, secret))
	}

	third, revoked, err := ReplaceFirstKey(t.Context(), place, now)
	require.NoError(t, err)
	require.Equal(t, 1, revoked)
	require.False(t, opens(t, db, second.Secret))
	require.True(t, opens(t, db, third.Secret))

	again, err := firstKey(t.Context(), db, "", now)
	require.NoError(t, err)
	require.Empty(t, again, "the next start makes no other")
}

func opens(t *testing.T, db store.Store, secret string) bool {
	t.Helper()
	k, _, err := db.Reader().KeyByHash(t.Context(), auth.Hash(secret))
	require.NoError(t, err)
	return auth.Usable(k, time.Now())
}
