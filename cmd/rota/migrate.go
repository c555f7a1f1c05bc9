package main

import (
	"cmp"
	"context"

	"github.com/rota-run/rota/internal/app"
	"github.com/rota-run/rota/internal/settings"
)

type migrateCmd struct {
	Source string `arg:"" help:"Database to copy from: sqlite://DIR, or postgres://user:password@host:5432/name."`
	Target string `arg:"" help:"Database to copy to, which is made ready if it is empty."`
}

// Help implements kong.HelpProvider.
func (*migrateCmd) Help() string {
	return "Stop every server of both databases first. If it is cut off, the same command goes on. It ends with 0 when each row of " +
		"each table is the same on both sides. Passwords show in process lists: $PGPASSWORD or a password file of PostgreSQL " +
		"keeps them out of the command line."
}

// AfterApply checks the names of the databases. It quotes neither, because they
// may hold passwords.
func (m *migrateCmd) AfterApply() error {
	return cmp.Or(settings.CheckDatabase("SOURCE", m.Source), settings.CheckDatabase("TARGET", m.Target))
}

// Run copies everything from one database to another.
func (m *migrateCmd) Run(ctx context.Context, std stdio) error {
	return app.Migrate(ctx, m.Source, m.Target, std.out, std.err)
}
