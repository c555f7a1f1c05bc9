package sqlite

import (
	"errors"
	"os"
)

// acquire refuses: how Rota keeps a second process from its database is not there on
// Windows.
func acquire(string) (*os.File, error) {
	return nil, errors.New("Rota keeps no database on Windows: run the server in WSL 2 or in a container; the commands that talk to a server work here")
}
