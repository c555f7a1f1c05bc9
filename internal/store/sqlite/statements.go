package sqlite

import (
	"context"
	"database/sql"
	"sync"

	"github.com/rota-run/rota/internal/store/sqlstore"
)

// preparer is a sql.DB or a sql.Conn.
type preparer interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// statements is a sqlstore.DB that prepares each statement once. There are as
// many as the package sqlstore has, so it forgets none.
type statements struct {
	db       preparer
	mu       sync.RWMutex // guards prepared
	prepared map[string]*sql.Stmt
}

func newStatements(db preparer) *statements {
	return &statements{db: db, prepared: make(map[string]*sql.Stmt)}
}

func (s *statements) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	s.mu.RLock()
	st := s.prepared[query]
	s.mu.RUnlock()
	if st != nil {
		return st, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.prepared[query]; st != nil {
		return st, nil
	}
	st, err := s.db.PrepareContext(ctx, query)
	if err == nil {
		s.prepared[query] = st
	}
	return st, err
}

// Exec implements sqlstore.DB.
func (s *statements) Exec(ctx context.Context, steps ...sqlstore.Step) ([]int64, error) {
	affected := make([]int64, len(steps))
	for i, step := range steps {
		for _, args := range step.Lists {
			n, err := s.exec(ctx, step.Query, args...)
			if err != nil {
				return nil, err
			}
			affected[i] += n
		}
	}
	return affected, nil
}

// Write implements sqlstore.DB. The database is in this process: to wait would
// save nothing.
func (s *statements) Write(ctx context.Context, steps ...sqlstore.Step) error {
	_, err := s.Exec(ctx, steps...)
	return err
}

func (s *statements) exec(ctx context.Context, query string, args ...any) (int64, error) {
	st, err := s.prepare(ctx, query)
	if err != nil {
		return 0, classify(err)
	}
	r, err := st.ExecContext(ctx, args...)
	if err != nil {
		return 0, classify(err)
	}
	return r.RowsAffected()
}

// Query implements sqlstore.DB.
func (s *statements) Query(ctx context.Context, row func(sqlstore.Scanner) error, query string, args ...any) error {
	st, err := s.prepare(ctx, query)
	if err != nil {
		return classify(err)
	}
	rows, err := st.QueryContext(ctx, args...)
	if err != nil {
		return classify(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return classify(rows.Err())
}

func (s *statements) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.prepared {
		st.Close() // the connection is closed next and would take it along
	}
	clear(s.prepared)
}
