package main

import (
	"context"

	"github.com/rota-run/rota/internal/app"
	"github.com/rota-run/rota/internal/settings"
)

type serveCmd struct {
	settings.Settings
}

// Run keeps agents on their schedules until ctx ends, and then stops the
// server in good order.
func (s *serveCmd) Run(ctx context.Context, std stdio) error {
	return app.Run(ctx, s.Settings, version(), std.out, std.err)
}
