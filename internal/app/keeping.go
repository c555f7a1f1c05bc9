package app

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/rota-run/rota"
)

// begin notes which engine keeps time for a database, if none has before, and
// fails if it is another one: two kinds must not keep time for one database.
func begin(ctx context.Context, store rota.Store, kind rota.EngineKind) error {
	return store.Update(ctx, func(ctx context.Context, tx rota.Tx) error {
		k, err := tx.Keeping(ctx)
		if err != nil || k.Kind == kind {
			return err
		}
		if k.Kind != "" {
			return fmt.Errorf("--engine: the engine of this database is %s; start with --engine %s, or run rota engine switch %s first", k.Kind, k.Kind, kind)
		}
		return tx.SaveKeeping(ctx, "", rota.Keeping{Kind: kind, Installation: rand.Text()})
	})
}
