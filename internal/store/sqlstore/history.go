package sqlstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"io/fs"
	"regexp"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"github.com/rota-run/rota/internal/build"
)

// HistoryTable is the name of the table that says who wrote each version of the
// schema. It belongs to the database, not to the installation in it.
const HistoryTable = "schema_versions"

// A history notes each migration in HistoryTable, in the transaction that
// carries it out.
type history struct {
	database.Store
	dialect      goose.Dialect
	fingerprints map[int64]string // by version
}

var _ database.StoreExtender = history{}

// newHistory returns the history of a database by the migrations in a folder.
func newHistory(d goose.Dialect, files fs.FS) (history, error) {
	h := history{dialect: d, fingerprints: make(map[int64]string)}
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return h, err
	}
	for _, name := range names {
		version, err := goose.NumericComponent(name)
		if err != nil {
			return h, err
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return h, err
		}
		h.fingerprints[version] = fingerprint(string(text))
	}
	h.Store, err = database.NewStore(d, goose.DefaultTablename)
	return h, err
}

// fingerprint tells the statements of a migration from others. Comments and
// spaces do not count.
func fingerprint(migration string) string {
	statements := regexp.MustCompile(`--.*`).ReplaceAllString(migration, "")
	sum := sha256.Sum256([]byte(strings.Join(strings.Fields(statements), " ")))
	return hex.EncodeToString(sum[:])
}

// CreateVersionTable implements [database.Store].
func (h history) CreateVersionTable(ctx context.Context, db database.DBTxConn) error {
	if err := h.Store.CreateVersionTable(ctx, db); err != nil {
		return err
	}
	_, err := db.ExecContext(ctx, `CREATE TABLE `+HistoryTable+` (
  version     INTEGER PRIMARY KEY,  -- the number of the migration
  fingerprint TEXT NOT NULL,        -- SHA-256 of its statements
  written_by  TEXT NOT NULL         -- the version of Rota that carried it out
)`)
	return err
}

// Insert implements [database.Store].
func (h history) Insert(ctx context.Context, db database.DBTxConn, r database.InsertRequest) error {
	if err := h.Store.Insert(ctx, db, r); err != nil || r.Version == 0 { // 0 is the making of the table
		return err
	}
	query := `INSERT INTO ` + HistoryTable + ` (version, fingerprint, written_by) VALUES (?, ?, ?)`
	if h.dialect == goose.DialectPostgres {
		query = Numbered(query)
	}
	_, err := db.ExecContext(ctx, query, r.Version, h.fingerprints[r.Version], build.Version())
	return err
}

// An entry is a row of HistoryTable.
type entry struct {
	version                int64
	fingerprint, writtenBy string
}

// entries returns the rows of HistoryTable in the order of their versions, or
// none if there is no such table.
func (h history) entries(ctx context.Context, db *sql.DB) ([]entry, error) {
	if there, err := h.has(ctx, db, HistoryTable); err != nil || !there {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, `SELECT version, fingerprint, written_by FROM `+HistoryTable+` ORDER BY version`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []entry
	for rows.Next() {
		var e entry
		if err := rows.Scan(&e.version, &e.fingerprint, &e.writtenBy); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, rows.Err()
}

// TableExists implements [database.StoreExtender].
func (h history) TableExists(ctx context.Context, db database.DBTxConn) (bool, error) {
	return h.has(ctx, db, h.Tablename())
}

func (h history) has(ctx context.Context, db database.DBTxConn, table string) (there bool, err error) {
	query := `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?)`
	if h.dialect == goose.DialectPostgres {
		query = `SELECT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1)`
	}
	err = db.QueryRowContext(ctx, query, table).Scan(&there)
	return there, err
}
