package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/postgres"
	"github.com/rota-run/rota/internal/store/sqlite"
	"github.com/rota-run/rota/internal/store/transfer"
)

// onFile begins the name of a database that is a file.
const onFile = "sqlite://"

// tellEvery is the time between two lines about one table.
const tellEvery = 5 * time.Second

// Migrate copies an installation from one database to another, both named like
// the setting of the database, and compares the two. What was cut off goes on
// when it is called again. It writes the counts to out and how it goes to
// progress, and returns an error unless the target has all that the source has.
func Migrate(ctx context.Context, source, target string, out, progress io.Writer) error {
	err := migrate(ctx, source, target, out, &mover{out: progress, now: time.Now})
	if err != nil && ctx.Err() != nil {
		return errors.New("it was interrupted; the same command goes on")
	}
	return err
}

func migrate(ctx context.Context, source, target string, out io.Writer, watch transfer.Observer) error {
	from, err := openSource(ctx, source)
	if err != nil {
		return side("source", err)
	}
	defer from.Close()
	if strings.HasPrefix(target, onFile) {
		if err := temporalLeads(ctx, from); err != nil {
			return side("source", err)
		}
	}
	to, err := openTarget(ctx, target, from.Place())
	if err != nil {
		return side("target", err)
	}
	counts, err := transfer.Copy(ctx, from, to, watch)
	printCounts(out, counts)
	if err := errors.Join(err, to.Close()); err != nil {
		return err
	}
	fmt.Fprintf(out, "Every row is the same. Start the servers with the new database.\n")
	return nil
}

func openSource(ctx context.Context, database string) (transfer.Source, error) {
	if dir, ok := strings.CutPrefix(database, onFile); ok {
		return sqlite.OpenSource(ctx, dir)
	}
	return postgres.OpenSource(ctx, database)
}

// temporalLeads fails if Temporal fires the installation's schedules, which it cannot do
// for a file.
func temporalLeads(ctx context.Context, from transfer.Source) error {
	tables, err := from.Tables(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(tables, func(t transfer.Table) bool { return t.Name == "engine" })
	if i < 0 {
		return nil
	}
	kind := slices.Index(tables[i].Names(), "kind")
	return from.Rows(ctx, tables[i], nil, 1, func(row []any) error {
		if row[kind] == string(rota.EngineTemporal) {
			return errors.New("its engine is temporal, which needs PostgreSQL: run rota engine switch embedded first")
		}
		return nil
	})
}

func openTarget(ctx context.Context, database string, from transfer.Place) (transfer.Target, error) {
	if dir, ok := strings.CutPrefix(database, onFile); ok {
		w, err := sqlite.OpenTarget(ctx, dir, from)
		return transfer.Target{Source: w, Sink: w}, err
	}
	w, err := postgres.OpenTarget(ctx, database, from)
	return transfer.Target{Source: w, Sink: w}, err
}

// side says which of the two databases an error is about.
func side(which string, err error) error {
	switch {
	case errors.Is(err, transfer.ErrSame):
		return err
	case errors.Is(err, transfer.ErrInUse):
		return fmt.Errorf("the %s: %w: stop every server that has it", which, err)
	}
	return fmt.Errorf("the %s: %w", which, err)
}

func printCounts(out io.Writer, counts []transfer.Count) {
	if len(counts) == 0 {
		return
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TABLE\tSOURCE\tTARGET\t")
	for _, c := range counts {
		verdict := "same"
		if !c.Equal {
			verdict = "DIFFERENT"
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\n", c.Table, c.Source, c.Target, verdict)
	}
	w.Flush()
}

// A mover is the observer that writes lines: one for each table, and for a long
// one now and then.
type mover struct {
	out  io.Writer
	now  func() time.Time
	next time.Time // when there may be a line about a table that goes on
}

var _ transfer.Observer = (*mover)(nil)

// Ignored implements transfer.Observer.
func (m *mover) Ignored(tables []string) {
	fmt.Fprintf(m.out, "not copied, because only one side has it: %s\n", strings.Join(tables, ", "))
}

// Resumed implements transfer.Observer.
func (m *mover) Resumed(rows int64) {
	fmt.Fprintf(m.out, "the target has %d rows already, which are those of the source\n", rows)
}

// Again implements transfer.Observer.
func (m *mover) Again(table string) {
	fmt.Fprintf(m.out, "the source has changed since the copy was begun (%s): it begins anew\n", table)
}

// Copied implements transfer.Observer.
func (m *mover) Copied(table string, rows, of int64) {
	now := m.now()
	if m.next.IsZero() {
		m.next = now.Add(tellEvery)
	}
	if rows < of && now.Before(m.next) {
		return
	}
	m.next = now.Add(tellEvery)
	fmt.Fprintf(m.out, "copied %s: %d of %d rows\n", table, rows, of)
}

// Comparing implements transfer.Observer.
func (m *mover) Comparing(table string) { fmt.Fprintf(m.out, "comparing %s\n", table) }
