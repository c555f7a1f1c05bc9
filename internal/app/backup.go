package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/rota-run/rota/internal/store/sqlite"
)

// Backup copies the SQLite database in a directory to a new file, beside a running
// server or without one, and says on out what was made and what is not in it.
func Backup(ctx context.Context, dir, file string, out io.Writer) error {
	size, err := sqlite.Backup(ctx, dir, file)
	if err != nil {
		return interrupted(ctx, err)
	}
	fmt.Fprintf(out, "%s holds the database as it was at one moment: %d bytes, checked.\n", file, size)
	if secret := filepath.Join(dir, secretFile); exists(secret) {
		fmt.Fprintf(out, "The server's secret, %s, is not in it. Keep a copy of it somewhere else: without it, the signing keys and the credentials of the vault in the database are lost.\n", secret)
	}
	return nil
}

// Restore puts a copy that Backup made into a directory that has no database, and
// says on out what is still to be done.
func Restore(ctx context.Context, file, dir string, out io.Writer) error {
	sealed, err := sqlite.Restore(ctx, file, dir)
	if err != nil {
		return interrupted(ctx, err)
	}
	fmt.Fprintf(out, "%s is in place, checked. What fell due since it was made is missed, and each schedule's policy says what happens to it.\n",
		filepath.Join(dir, sqlite.FileName))
	if secret := filepath.Join(dir, secretFile); sealed && !exists(secret) {
		fmt.Fprintf(out, "Before you start the server, put the secret that belongs to it at %s, or set --secret-key-file or ROTA_SECRET_KEY: "+
			"without it, the server cannot use the keys that sign tokens, nor the credentials of the vault.\n", secret)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("it was interrupted, and left nothing behind")
	}
	return err
}
