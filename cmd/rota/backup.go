package main

import (
	"context"

	"github.com/rota-run/rota/internal/app"
	"github.com/rota-run/rota/internal/settings"
)

type backupCmd struct {
	settings.FilePlace
	File string `arg:"" type:"path" help:"File to write, which must not exist."`
}

// Help implements kong.HelpProvider.
func (*backupCmd) Help() string {
	return "It works beside a running server and without one, on the machine that has the file. The copy is of one moment. FILE is there when it is " +
		"whole and checked, with the mode 0600; an interrupted backup leaves nothing, or after a kill a file whose name has .part- in it. " +
		"The server's secret is not in it."
}

// Run copies the database.
func (b *backupCmd) Run(ctx context.Context, std stdio) error {
	if b.File == "-" {
		return usagef("<file> must be the name of a file: a backup is checked before it is in place")
	}
	dir, _ := b.Dir()
	return app.Backup(ctx, dir, b.File, std.out)
}

type restoreCmd struct {
	settings.FilePlace
	File string `arg:"" type:"existingfile" help:"File that rota backup wrote."`
}

// Help implements kong.HelpProvider.
func (*restoreCmd) Help() string {
	return "Stop the server, and move the old database away. Nothing is changed if a server uses the directory, if there is a database in it, or if " +
		"FILE is damaged or of a newer version of Rota."
}

// Run puts the copy in place.
func (r *restoreCmd) Run(ctx context.Context, std stdio) error {
	dir, _ := r.Dir()
	return app.Restore(ctx, r.File, dir, std.out)
}
