package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/engine/temporal"
	"github.com/rota-run/rota/internal/policy"
	"github.com/rota-run/rota/internal/settings"
	"github.com/rota-run/rota/internal/store/postgres"
)

// Switch has another kind of engine keep time for a database, while servers have
// it or not. Those of the old kind stop to keep time within seconds and still
// serve; those of the new kind can be started when it has returned. If Temporal
// is left, Switch waits for the runs that its workers have, for up to wait, and
// has the rest begin anew. It may be called again.
func Switch(ctx context.Context, database string, kind rota.EngineKind, t settings.Temporal, wait time.Duration, out io.Writer) error {
	db, err := postgres.Open(ctx, database, postgres.Options{})
	if err != nil {
		return fmt.Errorf("--database: %w", err)
	}
	defer db.Close()
	before, err := change(ctx, db, kind)
	if err != nil {
		return err
	}
	if before == kind {
		fmt.Fprintf(out, "The engine is %s already.\n", kind)
	}
	if kind == rota.EngineEmbedded {
		if err := leave(ctx, db, t, wait, out); err != nil {
			return err
		}
	}
	if err := db.Notify(ctx, []string{""}); err != nil { // something has changed
		return err
	}
	fmt.Fprintf(out, "The engine is %s. Start the servers with --engine %s.\n", kind, kind)
	return nil
}

// change notes the kind of engine and returns the one before.
func change(ctx context.Context, db *postgres.Store, kind rota.EngineKind) (before rota.EngineKind, err error) {
	err = db.Update(ctx, func(ctx context.Context, tx rota.Tx) error {
		k, err := tx.Keeping(ctx)
		if err != nil {
			return err
		}
		if before = k.Kind; before == "" {
			return errors.New("no server has had this database: start one with --engine " + string(kind))
		}
		if before == kind {
			return nil
		}
		return tx.SaveKeeping(ctx, before, rota.Keeping{Kind: kind, Installation: k.Installation})
	})
	return before, err
}

func leave(ctx context.Context, db *postgres.Store, t settings.Temporal, wait time.Duration, out io.Writer) error {
	c, err := dial(t, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer c.Close()
	err = temporal.Leaving{
		Store: db, Client: c, Settle: policy.Settle, Now: time.Now, Wait: wait,
		Progress: func(runs int) { fmt.Fprintf(out, "Temporal's workers still work on %d runs.\n", runs) },
	}.Leave(ctx)
	if err != nil {
		return fmt.Errorf("the embedded engine keeps time from now on, but Temporal has not been left; the same command goes on: %w", err)
	}
	return nil
}
