package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/engine/temporal"
	"github.com/rota-run/rota/internal/settings"
	"github.com/rota-run/rota/internal/store/postgres"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// reachTimeout is how long Temporal may take to say which namespace it has.
const reachTimeout = 10 * time.Second

// A Switch moves a database to another kind of engine.
type Switch struct {
	Database string
	Kind     rota.EngineKind
	Temporal settings.Temporal
	Abandon  bool          // leave Temporal without asking it
	Wait     time.Duration // for runs that Temporal's workers have, when it is left
	Out      io.Writer
}

// Run moves the database, whether servers are at work on it or not. Servers of the
// old kind stop firing schedules within seconds and still serve the API. Servers of
// the new kind can be started once Run has returned. To leave Temporal, Run asks
// Temporal first: nothing changes unless it answers and has the namespace of the
// schedules. Run then waits for the runs that Temporal's workers hold; the rest
// begin anew. It is safe to call again.
func (s Switch) Run(ctx context.Context) error {
	db, err := postgres.Open(ctx, s.Database, postgres.Options{})
	if err != nil {
		return fmt.Errorf("--database: %w", err)
	}
	defer db.Close()
	var c client.Client
	if s.Kind == rota.EngineEmbedded && !s.Abandon {
		if c, err = s.reach(ctx, db); err != nil {
			return fmt.Errorf("%w; nothing was changed", err)
		}
		defer c.Close()
	}
	before, err := change(ctx, db, s.Kind)
	if err != nil {
		return err
	}
	if before == s.Kind {
		fmt.Fprintf(s.Out, "The engine is %s already.\n", s.Kind)
	}
	if s.Kind == rota.EngineEmbedded {
		if err := s.leave(ctx, db, c); err != nil {
			return fmt.Errorf("the embedded engine fires schedules from now on, but Temporal has not been left; the same command goes on: %w", err)
		}
	}
	if err := db.Notify(ctx, []string{""}); err != nil { // something has changed
		return err
	}
	fmt.Fprintf(s.Out, "The engine is %s. Start the servers with --engine %s.\n", s.Kind, s.Kind)
	return nil
}

// reach returns a client of the Temporal that has the schedules.
func (s Switch) reach(ctx context.Context, db *postgres.Store) (client.Client, error) {
	c, err := dial(s.Temporal, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	if err := s.check(ctx, db, c); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// check fails if Temporal does not answer, or is not the one that has the
// schedules.
func (s Switch) check(ctx context.Context, db *postgres.Store, c client.Client) error {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	id, err := temporal.NamespaceID(ctx, c, s.Temporal.Namespace)
	var missing *serviceerror.NamespaceNotFound
	switch {
	case errors.As(err, &missing):
		return fmt.Errorf("--temporal-namespace: Temporal at %s has no namespace %q", s.Temporal.Address, s.Temporal.Namespace)
	case err != nil:
		return fmt.Errorf("--temporal-address: Temporal at %s does not answer (if it never will again, --abandon): %w", s.Temporal.Address, err)
	}
	at, err := sqlstore.External{Queries: db.Queries}.Destination(ctx)
	if err == nil && at.Namespace != "" && at.Namespace != id {
		err = fmt.Errorf("--temporal-namespace: the schedules of this database are not in the namespace %q of Temporal at %s, but in the one with the id %s",
			s.Temporal.Namespace, s.Temporal.Address, at.Namespace)
	}
	return err
}

// change notes the kind of engine and returns the one before.
func change(ctx context.Context, db *postgres.Store, kind rota.EngineKind) (before rota.EngineKind, err error) {
	err = db.Update(ctx, func(ctx context.Context, tx sqlstore.Queries) error {
		k, err := tx.Leadership(ctx)
		if err != nil {
			return err
		}
		if before = k.Kind; before == "" {
			return errors.New("no server has had this database: start one with --engine " + string(kind))
		}
		if before == kind {
			return nil
		}
		k.Kind, k.Since, k.SeenAt = kind, time.Time{}, time.Time{}
		return tx.SaveLeadership(ctx, before, k)
	})
	return before, err
}

func (s Switch) leave(ctx context.Context, db *postgres.Store, c client.Client) error {
	said := -1
	progress := func(runs int) {
		if runs != said {
			fmt.Fprintf(s.Out, "Runs that Temporal's workers still work on: %d.\n", runs)
			said = runs
		}
	}
	return temporal.Leaving{Store: temporalStore(db), Client: c, Now: time.Now, Wait: s.Wait, Progress: progress}.Leave(ctx)
}
