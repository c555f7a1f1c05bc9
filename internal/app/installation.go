package app

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/cluster"
	"github.com/rota-run/rota/internal/store"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// registerEngine stores which kind of engine leads a database, if none is stored
// yet, and returns the name of the installation. It fails if another kind is
// stored: a database has one kind of engine at a time.
func registerEngine(ctx context.Context, store store.Store, kind rota.EngineKind) (installation string, err error) {
	var k cluster.Leadership
	err = store.Update(ctx, func(ctx context.Context, tx sqlstore.Queries) (err error) {
		k, err = tx.Leadership(ctx)
		if err != nil || k.Kind == kind {
			return err
		}
		if k.Kind != "" {
			return fmt.Errorf("--engine: the engine of this database is %s; start with --engine %s, or run rota engine switch %s first", k.Kind, k.Kind, kind)
		}
		k = cluster.Leadership{Kind: kind, Installation: rand.Text()}
		return tx.SaveLeadership(ctx, "", k)
	})
	return k.Installation, err
}
