package sqlite_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlite"
	"github.com/rota-run/rota/internal/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) rota.Store {
		s, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
		require.NoError(t, err)
		return s
	})
}
