package postgres

import (
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Tracing returns options for a store whose statements t sees.
func Tracing(t pgx.QueryTracer) Options { return Options{tracer: t} }

// Dialing returns options for a store that connects by dial.
func Dialing(dial pgconn.DialFunc) Options { return Options{dial: dial} }

// Condition is for a test.
var Condition = condition
