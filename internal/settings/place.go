package settings

import (
	"errors"

	"github.com/alecthomas/kong"
)

// A Place is where the SQLite database is that a command works on without asking a
// server.
type Place struct {
	Data     string `default:"./data" env:"ROTA_DATA" type:"path" help:"Directory of the database."`
	Database string `default:"sqlite" env:"ROTA_DATABASE" hidden:"" help:"Database: sqlite (in --data), or sqlite://DIR."`
}

// BeforeResolve refuses an empty path.
func (p *Place) BeforeResolve(ctx *kong.Context) error {
	for _, f := range ctx.Flags() {
		if err := emptyPath(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// AfterApply refuses a database that is no file. It does not quote it, because it
// may hold a password.
func (p *Place) AfterApply() error {
	if _, ok := p.Dir(); !ok {
		return errors.New("--database is not SQLite: PostgreSQL has pg_dump and pg_restore for that; docs/operations.md has the commands")
	}
	return nil
}

// Dir returns the directory of the database, and false if it is no SQLite database.
func (p *Place) Dir() (string, bool) { return Settings{Data: p.Data, Database: p.Database}.SQLite() }
