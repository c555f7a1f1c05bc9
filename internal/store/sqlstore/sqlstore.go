// Package sqlstore holds every query, once, in the SQL that the databases
// share. A database's own package opens it, decides how transactions are
// made, and passes in a [DB]; what one database alone knows is there.
package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rota-run/rota"
)

// DB runs statements, on a pool of readers or inside one transaction.
// Arguments stand as ? in the statement. An error says what it is about in the
// terms of package rota, as far as only the database can know: Unavailable for
// a failure of the database itself.
type DB interface {
	// Exec carries out steps, one after the other, and returns how many rows
	// each changed. All steps together cost one round trip.
	Exec(ctx context.Context, steps ...Step) (affected []int64, err error)

	// Write is Exec without the counts. It may send its steps together with the
	// next query or with the commit, which then returns the error.
	Write(ctx context.Context, steps ...Step) error

	// Query calls row for each row. It stops at row's first error and returns
	// that.
	Query(ctx context.Context, row func(Scanner) error, query string, args ...any) error
}

// A Step is one statement for many lists of arguments, of which no two may write
// the same row. It can be carried out for one list after the other, or for all
// at once: see [All].
type Step struct {
	Query string
	Lists [][]any
}

// Single returns a step for one list of arguments.
func Single(query string, args ...any) Step { return Step{query, [][]any{args}} }

// In the statement of a [Step], a comment says where a relation of all lists
// would be read: as the only one there, or as one more.
const (
	fromEach = " /* FROM each */ "
	andEach  = " /* , each */ "
)

// All returns the statement of a [Step] for all lists at once, from a relation
// that is named each and has the arguments as columns a1, a2, …
func All(query, relation string) string {
	query = strings.Replace(query, fromEach, " FROM "+relation+" ", 1)
	query = strings.Replace(query, andEach, ", "+relation+" ", 1)
	return number(query, "each.a")
}

// Numbered returns a statement with $1, $2, … for each ?.
func Numbered(query string) string { return number(query, "$") }

// number puts a prefix and its number in the place of each ?. No statement has
// a ? that is anything else.
func number(query, prefix string) string {
	var b strings.Builder
	b.Grow(len(query) + 2*strings.Count(query, "?"))
	for n := 1; ; n++ {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString(prefix)
		b.WriteString(strconv.Itoa(n))
		query = after
	}
}

// Queries is every query. Over a pool of readers it only reads; over a
// transaction it also writes. Each part of Rota declares which of its methods it
// needs.
//
// Times are kept in whole milliseconds. A method blocks until the database has
// answered, stops waiting when ctx ends, and returns NotFound for what does not
// exist or belongs to another owner. The error of a write may be that of a later
// one, or of the commit.
type Queries struct {
	db      DB
	shared  bool     // by several processes: see [NewShared]
	remote  bool     // in PostgreSQL, whose functions for text and JSON are others
	pending *Pending // counts that are to be written before the commit
}

// exec runs one statement and returns how many rows it changed.
func (q Queries) exec(ctx context.Context, query string, args ...any) (int64, error) {
	affected, err := q.db.Exec(ctx, Single(query, args...))
	if err != nil {
		return 0, err
	}
	return affected[0], nil
}

// write runs one statement, now or later: see [DB].
func (q Queries) write(ctx context.Context, query string, args ...any) error {
	return q.db.Write(ctx, Single(query, args...))
}

// New returns the queries over a SQLite database: a pool of readers, or the transactions
// of its one writer.
func New(db DB) Queries { return Queries{db: checked{db}, pending: NewPending()} }

// NewReader returns the queries over a pool of readers of PostgreSQL.
func NewReader(db DB) Queries { return Queries{db: checked{db}, remote: true} }

// Scanner reads the columns of one row.
type Scanner interface{ Scan(dest ...any) error }

// all returns every row of a query.
func all[T any](ctx context.Context, db DB, scan func(Scanner) (T, error), query string, args ...any) ([]T, error) {
	var out []T
	err := db.Query(ctx, func(row Scanner) error {
		v, err := scan(row)
		out = append(out, v)
		return err
	}, query, args...)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// one returns the only row of a query, or NotFound under the noun.
func one[T any](ctx context.Context, db DB, noun string, scan func(Scanner) (T, error), query string, args ...any) (T, error) {
	rows, err := all(ctx, db, scan, query, args...)
	if err != nil || len(rows) == 0 {
		var zero T
		if err == nil {
			err = notFound(noun)
		}
		return zero, err
	}
	return rows[0], nil
}

// notFound does not say which id was asked for: the answer for another
// owner's id must be the answer for one that never was.
func notFound(noun string) error { return rota.Errorf(rota.NotFound, "no such %s", noun) }

// must returns NotFound if a statement touched no row.
func must(noun string, affected int64, err error) error {
	if err == nil && affected == 0 {
		return notFound(noun)
	}
	return err
}

// ms returns t as it is stored; the zero time is NULL.
func ms(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

// instantMS returns i as it is stored; nil is NULL.
func instantMS(i *rota.Instant) any {
	if i == nil {
		return nil
	}
	return i.UnixMilli()
}

// A msTime scans a stored instant; NULL is the zero time.
type msTime struct{ time.Time }

func (t *msTime) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		t.Time = time.Time{}
	case int64:
		t.Time = time.UnixMilli(v).UTC()
	default:
		return fmt.Errorf("an instant is stored as %T", v)
	}
	return nil
}

func (t msTime) instant() rota.Instant { return rota.Instant{Time: t.Time} }

func (t msTime) orNil() *rota.Instant { return rota.InstantOrNil(t.Time) }

// seconds scans an instant into Unix seconds.
type seconds struct{ to *int64 }

// Scan implements [sql.Scanner].
func (s seconds) Scan(v any) error {
	var t msTime
	err := t.Scan(v)
	*s.to = t.Unix()
	return err
}

// js returns v as JSON text; it panics on what cannot be marshalled, which the
// nouns always can.
func js(v any) string { return string(rota.AnyOf(v).RawMessage) }

// rawOrNil returns JSON as it is stored; absent is NULL.
func rawOrNil(r json.RawMessage) any {
	if r == nil {
		return nil
	}
	return string(r)
}

// A jsonText scans JSON into what it points to; NULL leaves that alone.
type jsonText struct{ dst any }

func (j jsonText) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		return nil
	case string:
		return json.Unmarshal([]byte(v), j.dst)
	case []byte:
		return json.Unmarshal(v, j.dst)
	default:
		return fmt.Errorf("JSON is stored as %T", v)
	}
}

// defaultPolicy is how the default policy is stored.
var defaultPolicy = js(rota.DefaultPolicy())

// A policyText scans a policy; NULL leaves that alone. Nearly every schedule
// has the default one, which need not be parsed for each fire.
type policyText struct{ dst *rota.Policy }

func (p policyText) Scan(v any) error {
	if v == defaultPolicy {
		*p.dst = rota.DefaultPolicy()
		return nil
	}
	return jsonText{p.dst}.Scan(v)
}

// A rawText scans JSON as it is; NULL is absent.
type rawText struct{ dst *json.RawMessage }

func (r rawText) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*r.dst = nil
	case string:
		*r.dst = json.RawMessage(v)
	case []byte:
		*r.dst = append(json.RawMessage(nil), v...)
	default:
		return fmt.Errorf("JSON is stored as %T", v)
	}
	return nil
}

// A userText scans the end user of an owner as answers have it: nil for the account
// itself.
type userText struct{ dst **string }

func (u userText) Scan(v any) error {
	var name string
	switch v := v.(type) {
	case string:
		name = v
	case []byte:
		name = string(v)
	default:
		return fmt.Errorf("an end user is stored as %T", v)
	}
	*u.dst = rota.Owner{EndUser: name}.User()
	return nil
}

// userOf returns an end user as it is stored.
func userOf(user *string) string {
	if user == nil {
		return ""
	}
	return *user
}

// orNull returns a pointer's value, or NULL.
func orNull[T ~string](p *T) any {
	if p == nil || *p == "" {
		return nil
	}
	return string(*p)
}

// ptr returns a pointer to the text, or nil for NULL.
func ptr[T ~string](s sql.NullString) *T {
	if !s.Valid {
		return nil
	}
	v := T(s.String)
	return &v
}

// isNotFound reports whether err is NotFound.
func isNotFound(err error) bool { return errors.Is(err, rota.NotFound) }

// Ping reports whether the database can be read.
func (q Queries) Ping(ctx context.Context) error {
	_, err := all(ctx, q.db, scanText, `SELECT k.id FROM keys k WHERE k.id = ''`)
	return err
}

// TryWrite writes the time, to find out whether the database can be written.
func (q Queries) TryWrite(ctx context.Context, now time.Time) error {
	return q.write(ctx, `UPDATE engine SET written_at = ? WHERE id = 1`, now.UnixMilli())
}

func scanText(row Scanner) (string, error) {
	var s string
	err := row.Scan(&s)
	return s, err
}
