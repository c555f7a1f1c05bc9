package sqlite

import (
	"context"
	"database/sql"
	"slices"

	"github.com/rota-run/rota/internal/store/transfer"
)

// tables reads from the catalog what the file holds of an installation.
func tables(ctx context.Context, db *sql.DB) ([]transfer.Table, error) {
	names, err := texts(ctx, db, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
	if err != nil {
		return nil, err
	}
	var out []transfer.Table
	for _, name := range slices.DeleteFunc(names, func(n string) bool { return !transfer.Copied(n) }) {
		t := transfer.Table{Name: name}
		if t.Columns, err = columns(ctx, db, name); err != nil {
			return nil, err
		}
		if t.Key, err = texts(ctx, db, "SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk", name); err != nil {
			return nil, err
		}
		if t.Refers, err = texts(ctx, db, `SELECT DISTINCT "table" FROM pragma_foreign_key_list(?) ORDER BY 1`, name); err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

func columns(ctx context.Context, db *sql.DB, table string) ([]transfer.Column, error) {
	kinds := map[string]transfer.Kind{
		"INTEGER": transfer.Integer, "INT": transfer.Integer, "REAL": transfer.Real, "TEXT": transfer.Text, "BLOB": transfer.Blob,
	}
	names, err := texts(ctx, db, "SELECT name FROM pragma_table_info(?) ORDER BY name", table)
	if err != nil {
		return nil, err
	}
	types, err := texts(ctx, db, "SELECT type FROM pragma_table_info(?) ORDER BY name", table)
	if err != nil {
		return nil, err
	}
	var out []transfer.Column
	for i, name := range names {
		out = append(out, transfer.Column{Name: name, Kind: kinds[types[i]]})
	}
	return out, nil
}

// texts returns the only column of a query.
func texts(ctx context.Context, db *sql.DB, query string, args ...any) ([]string, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}
