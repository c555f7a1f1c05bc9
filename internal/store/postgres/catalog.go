package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/rota-run/rota/internal/store/transfer"
)

// relations are the tables of the schema, as c.
const relations = ` FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema() AND c.relkind IN ('r', 'p') `

// catalog reads what the schema holds of an installation.
func catalog(ctx context.Context, conn *pgx.Conn) ([]transfer.Table, error) {
	names, err := texts(ctx, conn, `SELECT c.relname`+relations+`ORDER BY c.relname COLLATE "C"`)
	if err != nil {
		return nil, err
	}
	var out []transfer.Table
	for _, name := range names {
		if !transfer.Copied(name) {
			continue
		}
		t := transfer.Table{Name: name}
		if t.Columns, err = columns(ctx, conn, name); err != nil {
			return nil, err
		}
		if t.Key, err = texts(ctx, conn, `SELECT a.attname`+relations+`
			JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
			JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
			WHERE c.relname = $1 ORDER BY array_position(i.indkey::int2[], a.attnum)`, name); err != nil {
			return nil, err
		}
		if t.Refers, err = texts(ctx, conn, `SELECT DISTINCT f.relname COLLATE "C"`+relations+`
			JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'f' JOIN pg_class f ON f.oid = k.confrelid
			WHERE c.relname = $1 ORDER BY 1`, name); err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// attributes are the columns of the table $1, as a.
const attributes = relations + `JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped WHERE c.relname = $1 `

func columns(ctx context.Context, conn *pgx.Conn, table string) ([]transfer.Column, error) {
	names, err := texts(ctx, conn, `SELECT a.attname`+attributes+`ORDER BY a.attname COLLATE "C"`, table)
	if err != nil {
		return nil, err
	}
	types, err := texts(ctx, conn, `SELECT format_type(a.atttypid, NULL)`+attributes+`ORDER BY a.attname COLLATE "C"`, table)
	if err != nil {
		return nil, err
	}
	kinds := map[string]transfer.Kind{
		"smallint": transfer.Integer, "integer": transfer.Integer, "bigint": transfer.Integer, "boolean": transfer.Integer,
		"double precision": transfer.Real, "text": transfer.Text, "bytea": transfer.Blob,
	}
	var out []transfer.Column
	for i, name := range names {
		out = append(out, transfer.Column{Name: name, Kind: kinds[types[i]]})
	}
	return out, nil
}

// booleans returns which columns of a table are booleans.
func booleans(ctx context.Context, conn *pgx.Conn, t transfer.Table) (map[string]bool, error) {
	names, err := texts(ctx, conn, `SELECT a.attname`+attributes+`AND a.atttypid = 'boolean'::regtype`, t.Name)
	out := make(map[string]bool)
	for _, name := range names {
		out[name] = true
	}
	return out, err
}

// texts returns the only column of a query.
func texts(ctx context.Context, conn *pgx.Conn, query string, args ...any) ([]string, error) {
	rows, err := conn.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return pgx.AppendRows([]string(nil), rows, pgx.RowTo[string])
}
