package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/seal"
	"github.com/rota-run/rota/internal/settings"
)

// secretFile is where a server with SQLite keeps its secret, beside the database.
const secretFile = "secret.key"

// openTokens returns what tokens are made with.
func openTokens(s settings.Settings) (control.Tokens, error) {
	secret, err := openSecret(s)
	return control.Tokens{Secret: secret, Issuer: s.PublicURL, Audiences: s.Audiences()}, err
}

// openSecret returns the server's secrets. With SQLite, one is made if there is
// none; with PostgreSQL the ring is empty if none is set, because all processes
// need the same one.
func openSecret(s settings.Settings) (seal.Ring, error) {
	dir, file := s.SQLite()
	switch {
	case s.SecretKey != "":
		return named("--secret-key")(seal.Parse(s.SecretKey))
	case s.SecretKeyFile != "":
		return named("--secret-key-file")(readSecret(s.SecretKeyFile))
	case !file:
		return seal.Ring{}, nil
	}
	path := filepath.Join(dir, secretFile)
	ring, err := readSecret(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeSecret(path); err == nil {
			ring, err = readSecret(path)
		}
	}
	return named(path)(ring, err)
}

// named puts a name before an error.
func named(name string) func(seal.Ring, error) (seal.Ring, error) {
	return func(r seal.Ring, err error) (seal.Ring, error) {
		if err != nil {
			err = fmt.Errorf("%s: %w", name, err)
		}
		return r, err
	}
}

func readSecret(path string) (seal.Ring, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return seal.Ring{}, err
	}
	return seal.Parse(string(b))
}

// makeSecret writes a new secret that only the server's user can read. The file is
// whole or not there, whatever happens.
func makeSecret(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), secretFile+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // not there any more if all went well
	_, err = f.WriteString(seal.NewSecret() + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
