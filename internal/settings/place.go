package settings

import (
	"cmp"

	"github.com/alecthomas/kong"
)

// A Place is the database that a command works on without asking a server.
type Place struct {
	Data     string `default:"./data" env:"ROTA_DATA" type:"path" help:"Directory of the SQLite database."`
	Database string `default:"sqlite" env:"ROTA_DATABASE" placeholder:"URL" help:"Database: sqlite (in --data), sqlite://DIR, or postgres://user:password@host:5432/name. Prefer the environment: flags show in process lists."`
}

// BeforeResolve refuses an empty setting.
func (p *Place) BeforeResolve(ctx *kong.Context) error {
	return NotEmpty(ctx, ctx.Selected().Flags)
}

// AfterApply refuses what is no database.
func (p *Place) AfterApply() error {
	return (&Settings{Database: p.Database}).checkDatabase()
}

// Dir returns the directory of the database, and false if it is no SQLite database.
func (p *Place) Dir() (string, bool) { return Settings{Data: p.Data, Database: p.Database}.SQLite() }

// A FilePlace is a Place that must be SQLite.
type FilePlace struct {
	Data     string `default:"./data" env:"ROTA_DATA" type:"path" help:"Directory of the database."`
	Database string `default:"sqlite" env:"ROTA_DATABASE" hidden:"" help:"Database: sqlite (in --data), or sqlite://DIR."`
}

// BeforeResolve refuses an empty setting.
func (p *FilePlace) BeforeResolve(ctx *kong.Context) error { return (*Place)(p).BeforeResolve(ctx) }

// AfterApply refuses a database that is no file. It does not quote it, because it
// may hold a password.
func (p *FilePlace) AfterApply() error {
	_, ok := p.Dir()
	return cmp.Or((*Place)(p).AfterApply(),
		check(ok, "--database is not SQLite: PostgreSQL has pg_dump and pg_restore for that; docs/operations.md has the commands"))
}

// Dir returns the directory of the database, and false if it is no SQLite database.
func (p *FilePlace) Dir() (string, bool) { return (*Place)(p).Dir() }
