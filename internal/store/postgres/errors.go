package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/puddle/v2"

	"github.com/rota-run/rota"
)

// Conditions are failures of the database rather than of a statement, by
// SQLSTATE or its class (postgresql.org/docs/current/errcodes-appendix.html).
var conditions = map[string]string{
	"08":    "the connection to the database broke",
	"25006": "the database can only be read: it is a standby, or is set read-only",
	"25P03": "the database ended a transaction that waited too long",
	"28":    "the database refuses the user or the password",
	"3D000": "the database does not exist",
	"3F000": "the user has no schema to keep tables in",
	"42501": "the user lacks a right in the database",
	"53":    "the database has run out of memory or of another resource",
	"53100": "the disk that holds the database is full",
	"53300": "the database takes no more connections",
	"55P03": "another program holds a lock in the database",
	"57014": "the database stopped a statement that took too long",
	"57P":   "the database is starting or stopping",
	"58":    "the machine that holds the database fails",
	"XX001": "the database is damaged",
	"XX002": "the database is damaged",
}

// errSilent is the cause of the end of a context when the database has not
// answered for too long.
var errSilent = errors.New("the database does not answer")

const (
	unreachable = "the database cannot be reached"
	closed      = "the server is stopping"
)

// condition returns what is wrong with the database, or "" if err is about
// something else.
func condition(err error) string {
	var server *pgconn.PgError
	var connect *pgconn.ConnectError
	var network net.Error
	switch {
	case errors.As(err, &server):
		for _, code := range []string{server.Code, server.Code[:3], server.Code[:2]} {
			if what, ok := conditions[code]; ok {
				return what
			}
		}
		return ""
	case errors.Is(err, puddle.ErrClosedPool):
		return closed
	case errors.As(err, &connect):
		return unreachable
	case errors.As(err, &network), errors.Is(err, pgconn.ErrConnClosed), errors.Is(err, net.ErrClosed),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return conditions["08"]
	}
	return ""
}

// classify turns a failure of the database into Unavailable. That a caller's
// context has ended is none.
func classify(ctx context.Context, err error) error {
	silent := errors.Is(context.Cause(ctx), errSilent)
	if err == nil || ctx.Err() != nil && !silent || errors.Is(err, rota.Unavailable) {
		return err
	}
	what := condition(err)
	if silent {
		what = errSilent.Error()
	}
	if what == "" {
		return err
	}
	return &rota.Error{Code: rota.Unavailable, Msg: what + "; nothing was written", Err: err}
}

// explain says at start-up what is wrong with the database.
func explain(c *pgxpool.Config, err error) error {
	text := "open the database " + place(c) + ": "
	if what := condition(err); what != "" {
		text += what + ": "
	}
	var server *pgconn.PgError
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) && errors.As(err, &server) {
		return rephrased{text + oneLine(server.Error()), err} // it answered: how it was reached is no matter
	}
	return rephrased{text + oneLine(err.Error()), err}
}

// oneLine puts a text into one line. What it says twice, once for each way to the
// server that was tried, it says once.
func oneLine(text string) string {
	var said []string
	for line := range strings.Lines(text) {
		line = strings.Join(strings.Fields(line), " ")
		if !slices.ContainsFunc(said, func(before string) bool { return strings.Contains(before, line) }) {
			said = append(said, line)
		}
	}
	return strings.Join(said, " ")
}

// rephrased is an error with another text: in one line.
type rephrased struct {
	text string
	error
}

func (t rephrased) Error() string { return t.text }
func (t rephrased) Unwrap() error { return t.error }

var errURL = errors.New("the database's URL cannot be read: it must be like postgres://user:password@host:5432/name, " +
	"and in user and password each of the characters / ? # @ : % must be written as %XX")

// wrongURL says what is wrong with a URL. It leaves out what quotes the URL,
// and what may be a part of a password that was taken for something else.
func wrongURL(err error) error {
	var wrong *pgconn.ParseConfigError
	if !errors.As(err, &wrong) {
		return errURL
	}
	_, lost, _ := strings.Cut(wrong.Error(), "`: ")
	for _, known := range []string{"failed to configure TLS", "invalid connect_timeout", "unknown target_session_attrs", "cannot parse pool_", "pool_"} {
		if strings.HasPrefix(lost, known) {
			return errors.New("the database's URL cannot be used: " + lost)
		}
	}
	return errURL
}
