package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/app"
	"github.com/rota-run/rota/internal/settings"
)

type engineCmd struct {
	Switch engineSwitchCmd `cmd:"" local:"" help:"Move a PostgreSQL database to another kind of engine." example:"rota engine switch temporal --database postgres://rota@127.0.0.1/rota"`
}

type engineSwitchCmd struct {
	Kind     string            `arg:"" enum:"embedded,temporal" help:"The engine from now on: embedded or temporal."`
	Database string            `required:"" env:"ROTA_DATABASE" placeholder:"URL" help:"The database: postgres://user:password@host:5432/name. Prefer the environment: flags show in process lists."`
	Wait     time.Duration     `default:"10m" help:"How long runs that Temporal's workers have may take to end. The rest begins again, or ends as worker_lost where the policy says on_crash never."`
	Abandon  bool              `help:"Leave Temporal without asking it, because it does not answer any more. Its schedules stay there, if it still has them, and wake nobody."`
	Temporal settings.Temporal `embed:"" prefix:"temporal-"`
}

// AfterApply returns an error that begins with the flag that is wrong.
func (e *engineSwitchCmd) AfterApply() error {
	if !strings.HasPrefix(e.Database, "postgres://") && !strings.HasPrefix(e.Database, "postgresql://") {
		return errors.New("--database must be like postgres://user:password@host:5432/name: with SQLite, the engine is always embedded")
	}
	if e.Wait < 0 {
		return fmt.Errorf("--wait must be 0s or more, not %s", e.Wait)
	}
	if e.Abandon && e.Kind != string(rota.EngineEmbedded) {
		return errors.New("--abandon goes with embedded")
	}
	return e.Temporal.Check()
}

// Run switches.
func (e *engineSwitchCmd) Run(ctx context.Context, std stdio) error {
	return app.Switch{
		Database: e.Database, Kind: rota.EngineKind(e.Kind), Temporal: e.Temporal, Abandon: e.Abandon, Wait: e.Wait, Out: std.out,
	}.Run(ctx)
}
