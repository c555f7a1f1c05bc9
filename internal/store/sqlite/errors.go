package sqlite

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/rota-run/rota"
)

var errHeld = errors.New("another process has this database open")

// A condition is a failure of the file rather than of a statement. After one,
// the whole transaction is given up.
var conditions = map[int]string{
	sqlite3.SQLITE_FULL:      "the disk that holds the database is full",
	sqlite3.SQLITE_READONLY:  "the database file cannot be written",
	sqlite3.SQLITE_CANTOPEN:  "the database file cannot be opened",
	sqlite3.SQLITE_IOERR:     "the disk that holds the database fails",
	sqlite3.SQLITE_CORRUPT:   "the database file is damaged",
	sqlite3.SQLITE_NOTADB:    "the file is not a database",
	sqlite3.SQLITE_BUSY:      "another program holds the database",
	sqlite3.SQLITE_NOMEM:     "there is no memory left",
	sqlite3.SQLITE_INTERRUPT: "the database was interrupted",
}

// condition returns what is wrong with the file, or "" if err is about
// something else. The primary result code is the low byte (sqlite.org/rescode).
func condition(err error) string {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return conditions[e.Code()&0xff]
	}
	return ""
}

// classify turns a failure of the file into Unavailable.
func classify(err error) error {
	what := condition(err)
	if what == "" {
		return err
	}
	return &rota.Error{Code: rota.Unavailable, Msg: what + "; nothing was written", Err: err}
}

// explain says at start-up what is wrong with the file.
func explain(path string, err error) error {
	if what := condition(err); what != "" {
		return fmt.Errorf("open %s: %s: %w", path, what, err)
	}
	return fmt.Errorf("open %s: %w", path, err)
}
