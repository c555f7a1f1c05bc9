package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/store/postgres"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
	"github.com/rota-run/rota/internal/store/storetest"
)

// benchStore is on a server that writes for keeps.
func benchStore(b *testing.B) *postgres.Store {
	b.Helper()
	postgrestest.Durable(b)
	s := open(b, postgrestest.URL(b), postgres.Options{})
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	return s
}

func BenchmarkFireDue(b *testing.B) { storetest.BenchmarkFireDue(b, benchStore(b)) }

func BenchmarkCycle(b *testing.B) { storetest.BenchmarkCycle(b, benchStore(b)) }

func BenchmarkUpdate(b *testing.B) { storetest.BenchmarkUpdate(b, benchStore(b)) }
