// Package transfer copies a whole installation from one database to another,
// and then compares the two.
//
// Each database says which tables and columns it has, and both must say the same,
// but for a few columns that only PostgreSQL has. Rows are copied in the order of their primary keys, in batches that
// are each one transaction of the target, so that the target always holds the
// beginning of each table. A transfer that was cut off finds out how far it
// came by reading that.
package transfer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rota-run/rota/internal/store/sqlstore"
)

// Marker is the name of the table that a target has until it is known to hold
// a complete copy. Its only row is the [Place] of the source.
const Marker = "transfer"

// MarkerColumns are the columns of the marker, as text.
const MarkerColumns = "id, name"

// passing returns the tables that hold what only passes, and is of no use
// elsewhere.
func passing() []string { return []string{"run_events"} }

// Copied reports whether a table of this name is part of an installation.
func Copied(table string) bool {
	return table != Marker && table != sqlstore.HistoryTable && !strings.HasPrefix(table, "goose_") && !strings.HasPrefix(table, "sqlite_") &&
		!slices.Contains(passing(), table)
}

var (
	// ErrInUse says that a server has the database open.
	ErrInUse = errors.New("a server is using the database")

	// ErrSame says that the source and the target are one database.
	ErrSame = errors.New("the source and the target are the same database")

	// ErrNone says that the source holds no installation.
	ErrNone = errors.New("there is no installation in the database")
)

// Unfinished is the error of using a target before it holds a complete copy.
func Unfinished(source Place) error {
	return fmt.Errorf("the database holds an unfinished copy of %s: finish it with rota migrate", source.Name)
}

// Another is the error of copying to the target of another transfer.
func Another(source Place) error {
	return fmt.Errorf("the database holds an unfinished copy of %s, which is not this source: give one that is empty", source.Name)
}

// A Place is where a database is.
type Place struct {
	ID   string // the same for one database, however it was reached
	Name string // for people; without a password
}

// A Kind is what a column holds, in every database; "" is what cannot be
// copied.
type Kind string

// The kinds, and the Go types of their values. NULL is nil in each.
const (
	Integer Kind = "integer" // int64; what is true is 1
	Real    Kind = "real"    // float64
	Text    Kind = "text"    // string
	Blob    Kind = "blob"    // []byte, never a nil slice
)

// A Column is one column of a table.
type Column struct {
	Name string
	Kind Kind
}

// A Table is a table of an installation.
type Table struct {
	Name    string
	Columns []Column // in the order of their names
	Key     []string // the columns of the primary key, in its order
	Refers  []string // the tables that its foreign keys refer to
}

// kind returns the kind of a column.
func (t Table) kind(column string) Kind {
	for _, c := range t.Columns {
		if c.Name == column {
			return c.Kind
		}
	}
	return ""
}

// Names returns the names of the columns, in their order.
func (t Table) Names() []string {
	var out []string
	for _, c := range t.Columns {
		out = append(out, c.Name)
	}
	return out
}

// KeyOf returns the primary key of a row.
func (t Table) KeyOf(row []any) []any {
	names, out := t.Names(), make([]any, 0, len(t.Key))
	for _, k := range t.Key {
		out = append(out, row[slices.Index(names, k)])
	}
	return out
}

// Select returns a statement, with its arguments as ?, that reads the rows of
// the table that follow a key, or all if it is nil, in the order of the key;
// and not more than limit, unless that is 0. Text is ordered by its bytes, for
// which a database may need a word behind the column.
func (t Table) Select(after []any, limit int64, bytewise string) (query string, args []any) {
	var key []string
	for _, k := range t.Key {
		if t.kind(k) == Text {
			key = append(key, Quote(k)+bytewise)
			continue
		}
		key = append(key, Quote(k))
	}
	order := strings.Join(key, ", ")
	query = "SELECT " + Quote(t.Names()...) + " FROM " + Quote(t.Name)
	if after != nil {
		query += " WHERE (" + order + ") > (" + marks(len(after)) + ")"
		args = slices.Clone(after)
	}
	query += " ORDER BY " + order
	if limit > 0 {
		query += " LIMIT ?"
		args = append(args, limit)
	}
	return query, args
}

// Insert returns a statement that adds a row.
func (t Table) Insert() string {
	return "INSERT INTO " + Quote(t.Name) + " (" + Quote(t.Names()...) + ") VALUES (" + marks(len(t.Columns)) + ")"
}

func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

// Quote returns names as they can stand in a statement, with commas between
// them.
func Quote(names ...string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = `"` + strings.ReplaceAll(n, `"`, `""`) + `"`
	}
	return strings.Join(out, ", ")
}

// Empty deletes the rows that the making of the tables has put into them.
func Empty(ctx context.Context, db Target) error {
	tables, err := db.Tables(ctx)
	if err != nil {
		return err
	}
	return db.Clear(ctx, tables)
}

// A Source is a database on which no server is at work meanwhile.
type Source interface {
	Place() Place

	// Tables returns the tables that are part of the installation, in the order
	// of their names.
	Tables(ctx context.Context) ([]Table, error)

	// Freeze lets nobody change the tables until the database is closed.
	Freeze(ctx context.Context, tables []Table) error

	// Count returns how many rows a table has.
	Count(ctx context.Context, t Table) (int64, error)

	// Rows calls row for the rows that [Table.Select] says, with the values of
	// the table's columns in their order. It stops at row's first error and
	// returns that. row may keep what it is given.
	Rows(ctx context.Context, t Table, after []any, limit int64, row func([]any) error) error

	// Close closes the database.
	Close() error
}

// A Sink is the side of a [Target] that is written.
type Sink interface {
	// Begun reports whether the database has the marker.
	Begun() bool

	// Begin gives it the marker.
	Begin(ctx context.Context, from Place) error

	// Add adds rows, all or none, and returns when they are durable.
	Add(ctx context.Context, t Table, rows [][]any) error

	// Clear deletes every row of the tables, all or none. They are all that
	// refer to each other.
	Clear(ctx context.Context, tables []Table) error

	// Finish takes the marker away.
	Finish(ctx context.Context) error
}

// A Target is a database that nobody else uses meanwhile: what a [Source] reads
// is what the Sink has written.
type Target struct {
	Source
	Sink
}
