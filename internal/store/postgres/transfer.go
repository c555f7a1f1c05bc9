package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rota-run/rota/internal/store/sqlstore"
	"github.com/rota-run/rota/internal/store/transfer"
)

// patience is how long a transfer waits for a server to be gone.
const patience = 3 * time.Second

// A Whole is a schema that this process has to itself, and that is read and
// written as it is rather than through queries. It is one connection, which
// holds the locks that [Store.Lead] and [Store.Listen] wait for.
type Whole struct {
	config *pgxpool.Config
	conn   *pgx.Conn
	place  transfer.Place
	tables []transfer.Table
	begun  bool
}

// OpenSource opens the database that the URL names, whose schema it brings up
// to date. No other process leads there until it is closed. It fails like
// [Open], with [transfer.ErrInUse] if a server has it, and with
// [transfer.ErrNone] if it has no tables.
func OpenSource(ctx context.Context, databaseURL string) (*Whole, error) {
	w, err := openWhole(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	return w.orClose(w.ready(ctx))
}

// OpenTarget is like OpenSource for the other side. A schema without tables gets
// the marker before it gets them. It fails with [transfer.ErrSame] if it is the
// source.
func OpenTarget(ctx context.Context, databaseURL string, from transfer.Place) (*Whole, error) {
	w, err := openWhole(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	return w.orClose(w.prepare(ctx, from))
}

func openWhole(ctx context.Context, databaseURL string) (*Whole, error) {
	config, err := configure(databaseURL, Options{})
	if err != nil {
		return nil, err
	}
	w := &Whole{config: config}
	if w.conn, err = connect(ctx, config.ConnConfig.Copy()); err != nil {
		return nil, explain(config, err)
	}
	if err := checkServer(ctx, w.conn); err != nil {
		return w.orClose(err)
	}
	if err := checkPooler(ctx, w.conn, config.ConnConfig.Copy()); err != nil {
		return w.orClose(err)
	}
	_, err = w.conn.Exec(ctx, "SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '5s'")
	if err == nil {
		w.place, err = placeOf(ctx, w.conn, config)
	}
	return w.orClose(err)
}

// placeOf names the schema by what no URL can change.
func placeOf(ctx context.Context, conn *pgx.Conn, config *pgxpool.Config) (transfer.Place, error) {
	p := transfer.Place{Name: "the database " + place(config)}
	err := conn.QueryRow(ctx, `SELECT 'postgres:' || system_identifier || '/' || d.oid || '/' || current_schema()
		FROM pg_control_system(), pg_database d WHERE d.datname = current_database()`).Scan(&p.ID)
	return p, err
}

// orClose returns the database, or closes it after an error.
func (w *Whole) orClose(err error) (*Whole, error) {
	if err == nil {
		return w, nil
	}
	w.Close()
	if errors.Is(err, transfer.ErrSame) {
		return nil, err
	}
	return nil, explain(w.config, err)
}

// ready makes sure of the tables of a source.
func (w *Whole) ready(ctx context.Context) error {
	if err := w.own(ctx); err != nil {
		return err
	}
	installed, err := has(ctx, w.conn, "goose_db_version")
	if err != nil {
		return err
	}
	if !installed {
		return transfer.ErrNone
	}
	if err := w.migrate(ctx); err != nil {
		return err
	}
	return complete(ctx, w.conn)
}

// prepare makes the tables of a target, which may hold a part of a copy.
func (w *Whole) prepare(ctx context.Context, from transfer.Place) error {
	if w.place.ID == from.ID {
		return transfer.ErrSame
	}
	if err := w.own(ctx); err != nil {
		return err
	}
	installed, err := has(ctx, w.conn, "goose_db_version")
	if err != nil {
		return err
	}
	if !installed {
		if err := w.Begin(ctx, from); err != nil {
			return err
		}
	}
	if err := w.migrate(ctx); err != nil {
		return err
	}
	if !installed {
		if err := transfer.Empty(ctx, transfer.Target{Source: w, Sink: w}); err != nil {
			return err
		}
	}
	source, begun, err := marker(ctx, w.conn)
	w.begun = begun
	if err == nil && begun && source.ID != from.ID {
		err = transfer.Another(source)
	}
	return err
}

// migrate brings the schema up to date on a connection of its own, which lets go of
// the lock.
func (w *Whole) migrate(ctx context.Context) error {
	conn, err := connect(ctx, w.config.ConnConfig.Copy())
	if err != nil {
		return err
	}
	defer closeConn(conn)
	return migrate(ctx, conn, w.config.ConnConfig.Copy(), slog.New(slog.DiscardHandler))
}

// own makes sure that no server is there. It waits a little for one that has
// just died, or an earlier start of the same transfer.
func (w *Whole) own(ctx context.Context) error {
	soon, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		taken, err := lockAlone(ctx, w.conn)
		if err != nil || taken {
			return err
		}
		if wait(soon, askAgain) != nil {
			return cmp.Or(ctx.Err(), transfer.ErrInUse)
		}
	}
}

// complete returns an error if the schema has the marker.
func complete(ctx context.Context, conn *pgx.Conn) error {
	source, begun, err := marker(ctx, conn)
	if err == nil && begun {
		err = transfer.Unfinished(source)
	}
	return err
}

func marker(ctx context.Context, conn *pgx.Conn) (source transfer.Place, begun bool, err error) {
	begun, err = has(ctx, conn, transfer.Marker)
	if err == nil && begun {
		err = conn.QueryRow(ctx, "SELECT "+transfer.MarkerColumns+" FROM "+transfer.Marker).Scan(&source.ID, &source.Name)
	}
	return source, begun, err
}

func has(ctx context.Context, conn *pgx.Conn, table string) (yes bool, err error) {
	err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1)", table).Scan(&yes)
	return yes, err
}

// Place implements [transfer.Source].
func (w *Whole) Place() transfer.Place { return w.place }

// Tables implements [transfer.Source].
func (w *Whole) Tables(ctx context.Context) ([]transfer.Table, error) {
	if w.tables != nil {
		return w.tables, nil
	}
	var err error
	w.tables, err = catalog(ctx, w.conn)
	return w.tables, w.failed(err)
}

// Freeze implements [transfer.Source].
func (w *Whole) Freeze(ctx context.Context, tables []transfer.Table) error {
	_, err := w.conn.Exec(ctx, "BEGIN; LOCK TABLE "+list(tables)+" IN SHARE MODE")
	return w.failed(err)
}

func list(tables []transfer.Table) string {
	var names []string
	for _, t := range tables {
		names = append(names, t.Name)
	}
	return transfer.Quote(names...)
}

// Count implements [transfer.Source].
func (w *Whole) Count(ctx context.Context, t transfer.Table) (n int64, err error) {
	err = w.conn.QueryRow(ctx, "SELECT count(*) FROM "+transfer.Quote(t.Name)).Scan(&n)
	return n, w.failed(err)
}

// Rows implements [transfer.Source].
func (w *Whole) Rows(ctx context.Context, t transfer.Table, after []any, limit int64, row func([]any) error) error {
	ctx, cancel := context.WithCancel(ctx)
	query, args := t.Select(after, limit, ` COLLATE "C"`)
	rows, err := w.conn.Query(ctx, sqlstore.Numbered(query), args...)
	if err != nil {
		cancel()
		return w.failed(err)
	}
	defer rows.Close()
	defer cancel() // after an error, Close reads no further
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return err
		}
		for i, v := range values {
			values[i] = plain(v)
		}
		if err := row(values); err != nil {
			return err
		}
	}
	return w.failed(rows.Err())
}

// plain returns a value as a transfer knows it.
func plain(v any) any {
	switch v := v.(type) {
	case bool:
		if v {
			return int64(1)
		}
		return int64(0)
	case int16:
		return int64(v)
	case int32:
		return int64(v)
	case float32:
		return float64(v)
	}
	return v
}

// Begun implements [transfer.Sink].
func (w *Whole) Begun() bool { return w.begun }

// Begin implements [transfer.Sink].
func (w *Whole) Begin(ctx context.Context, from transfer.Place) error {
	err := pgx.BeginFunc(ctx, w.conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "CREATE TABLE IF NOT EXISTS "+transfer.Marker+" (id TEXT PRIMARY KEY, name TEXT NOT NULL)"); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "INSERT INTO "+transfer.Marker+" ("+transfer.MarkerColumns+") SELECT $1, $2 WHERE NOT EXISTS (SELECT 1 FROM "+transfer.Marker+")",
			from.ID, from.Name)
		return err
	})
	return w.failed(err)
}

// Finish implements [transfer.Sink].
func (w *Whole) Finish(ctx context.Context) error {
	_, err := w.conn.Exec(ctx, "DROP TABLE "+transfer.Marker)
	return w.failed(err)
}

// Add implements [transfer.Sink].
func (w *Whole) Add(ctx context.Context, t transfer.Table, rows [][]any) error {
	boolean, err := booleans(ctx, w.conn, t)
	if err != nil {
		return w.failed(err)
	}
	fit := make([][]any, len(rows))
	for i, row := range rows {
		if fit[i], err = fitting(t, row, boolean); err != nil {
			return err
		}
	}
	err = pgx.BeginFunc(ctx, w.conn, func(tx pgx.Tx) error {
		_, err := tx.CopyFrom(ctx, pgx.Identifier{t.Name}, t.Names(), pgx.CopyFromRows(fit))
		return err
	})
	return w.failed(err)
}

// fitting returns a row as PostgreSQL takes it.
func fitting(t transfer.Table, row []any, boolean map[string]bool) ([]any, error) {
	out := slices.Clone(row)
	for i, c := range t.Columns {
		switch v := row[i].(type) {
		case int64:
			if boolean[c.Name] {
				out[i] = v != 0
			}
		case string:
			if strings.IndexByte(v, 0) >= 0 || !utf8.ValidString(v) {
				return nil, fmt.Errorf("the column %s of the row %q has text that PostgreSQL cannot hold: the character U+0000, or what is not UTF-8",
					c.Name, t.KeyOf(row))
			}
		}
	}
	return out, nil
}

// Clear implements [transfer.Sink].
func (w *Whole) Clear(ctx context.Context, tables []transfer.Table) error {
	_, err := w.conn.Exec(ctx, "TRUNCATE "+list(tables))
	return w.failed(err)
}

// failed says where it was that the database failed.
func (w *Whole) failed(err error) error {
	if what := condition(err); what != "" {
		return fmt.Errorf("%s: %s: %w", w.place.Name, what, err)
	}
	return err
}

// Close lets go of the locks.
func (w *Whole) Close() error {
	closeConn(w.conn)
	return nil
}
