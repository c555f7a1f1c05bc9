package postgres

import (
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Tracing returns options for a store whose statements t sees.
func Tracing(t pgx.QueryTracer) Options { return Options{tracer: t} }

// Dialing returns options for a store that connects by dial.
func Dialing(dial pgconn.DialFunc) Options { return Options{dial: dial} }

// Impatient returns options for a store that connects by dial, and that waits for
// the database no longer than d.
func Impatient(dial pgconn.DialFunc, d time.Duration) Options { return Options{dial: dial, maxWait: d} }

// Condition is for a test.
var Condition = condition
