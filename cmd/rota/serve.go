package main

import (
	"context"
	"errors"
	"os"

	"github.com/rota-run/rota/internal/app"
	"github.com/rota-run/rota/internal/build"
	"github.com/rota-run/rota/internal/settings"
	"github.com/rota-run/rota/internal/zoneinfo"
)

type serveCmd struct {
	settings.Settings
}

// Run keeps agents on their schedules until ctx ends, and then stops the
// server in good order.
func (s *serveCmd) Run(ctx context.Context, std stdio) error {
	if s.Zoneinfo != "" { // whatever has said so: it holds for the whole process
		if err := os.Setenv(zoneinfo.Variable, s.Zoneinfo); err != nil {
			return err
		}
		if _, err := zoneinfo.Current(); err != nil {
			return usagef("--zoneinfo: %w", err)
		}
	}
	err := app.Run(ctx, s.Settings, build.Version(), std.out, std.err)
	if ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx))) {
		return nil // it was told to stop while it started
	}
	return err
}
