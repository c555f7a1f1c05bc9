package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"github.com/rota-run/rota"
)

// A listing is a list that can be read page by page, in the order of a column.
type listing[T any] struct {
	query string // SELECT … WHERE …, without what follows
	terms string // conditions that follow
	key   string // the column that the list is ordered by
	tie   string // a further one for rows that have the same key; place then returns both. May be empty
	args  []any  // of query and terms
	scan  func(Scanner) (T, error)
	id    func(T) string
	place func(id string) any // of an id in the key; nil if the key holds ids, or find is set
	find  string              // a query for the place of an id in the key; may be empty
	lock  string              // ends the statement
	looks *looks              // what bounds the conditions that no index answers; nil if there are none
}

// where adds a condition.
func (l *listing[T]) where(condition string, args ...any) {
	l.terms += condition
	l.args = append(slices.Clone(l.args), args...)
}

// at returns where the row with the id stands, or stood.
func (l listing[T]) at(id string) []any {
	if l.place == nil {
		return []any{id}
	}
	at := l.place(id)
	if both, ok := at.([]any); ok {
		return both
	}
	return []any{at}
}

// page reads one page. It asks for one row more than the page holds, to know
// whether the list goes on. Before reads backwards, and turns what it read; of a
// page that may be cut it reads the first row alone, and After and Before together
// read what follows.
func (l listing[T]) page(ctx context.Context, db DB, p rota.Page) (rota.List[T], error) {
	within, end, err := l.within(ctx, db, p)
	if err != nil {
		return rota.List[T]{}, err
	}
	list, err := within.rows(ctx, db, p)
	if err != nil {
		return list, err
	}
	if end != "" {
		list = endAt(list, end, p.Backwards())
	}
	if p.Count {
		err = l.countAll(ctx, db, p, &list)
	}
	return list, err
}

// rows is page without a bound on what is looked at.
func (l listing[T]) rows(ctx context.Context, db DB, p rota.Page) (rota.List[T], error) {
	backwards := p.Backwards()
	cut := backwards && p.Bytes > 0
	wanted, more := p.Limit+1, false
	if cut {
		n, err := l.count(ctx, db, p)
		if err != nil || n == 0 {
			return rota.NewList[T](nil, l.id, false), err
		}
		more, cut = n > p.Limit, min(n, p.Limit) > 1
		wanted, p.Offset = 1, min(n, p.Limit)-1
	}
	query, args := l.bounded(p)
	query += l.order(p.Ascending != backwards) + " LIMIT ?"
	args = append(args, wanted)
	if p.Offset > 0 {
		query += " OFFSET ?"
		args = append(args, p.Offset)
	}
	rows, size, err := l.read(ctx, db, p, query+l.lock, args)
	if errors.Is(err, errEnough) {
		cut, err = true, nil
	}
	if err != nil {
		return rota.List[T]{}, err
	}
	more = more || len(rows) > p.Limit
	rows = rows[:min(len(rows), p.Limit)]
	if backwards {
		slices.Reverse(rows)
	}
	list := rota.NewList(rows, l.id, more)
	list.Cut, list.Size = cut, size
	return list, nil
}

// bounded returns the query with the bounds of a page.
func (l listing[T]) bounded(p rota.Page) (query string, args []any) {
	query, args = l.query+l.terms, slices.Clone(l.args)
	if p.After != "" {
		query += l.beyond(p.Ascending)
		args = append(args, l.at(p.After)...)
	}
	if p.Before != "" {
		query += l.beyond(!p.Ascending)
		args = append(args, l.at(p.Before)...)
	}
	return query, args
}

// beyond is the condition that a row follows a place.
func (l listing[T]) beyond(ascending bool) string {
	if l.tie == "" {
		return " AND " + l.key + l.compare(ascending)
	}
	if ascending {
		return " AND (" + l.key + ", " + l.tie + ") > (?, ?)"
	}
	return " AND (" + l.key + ", " + l.tie + ") < (?, ?)"
}

// order is the order of the rows.
func (l listing[T]) order(ascending bool) string {
	order := " ORDER BY " + l.key + direction(ascending)
	if l.tie != "" {
		order += ", " + l.tie + direction(ascending)
	}
	return order
}

// count returns how many rows there are, up to one more than the page holds.
func (l listing[T]) count(ctx context.Context, db DB, p rota.Page) (int, error) {
	query, args := l.bounded(p)
	return one(ctx, db, "list", func(row Scanner) (n int, err error) { return n, row.Scan(&n) },
		"SELECT COUNT(*) FROM (SELECT 1 AS one"+fromOn(query)+" LIMIT ?) AS rows_of_page", append(args, p.Limit+1)...)
}

// fromOn returns a query from its FROM on, which is not one in parentheses.
func fromOn(query string) string {
	for at, depth := 0, 0; at < len(query); at++ {
		switch {
		case query[at] == '(':
			depth++
		case query[at] == ')':
			depth--
		case depth == 0 && strings.HasPrefix(query[at:], " FROM "):
			return query[at:]
		}
	}
	return ""
}

// errEnough ends the reading of a page that is cut.
var errEnough = errors.New("the page has as many bytes as it may have")

// read returns the rows and about how many bytes they have.
func (l listing[T]) read(ctx context.Context, db DB, p rota.Page, query string, args []any) (rows []T, size int, err error) {
	err = db.Query(ctx, func(row Scanner) error {
		v, err := l.scan(measured{row, &size})
		if r, ok := any(v).(rota.Run); ok {
			size += r.Deferred
		}
		rows = append(rows, v)
		if err == nil && p.Bytes > 0 && size >= p.Bytes && len(rows) < p.Limit {
			return errEnough
		}
		return err
	}, query, args...)
	return rows, size, err
}

// A measured Scanner counts the bytes of texts.
type measured struct {
	Scanner
	size *int
}

// Scan implements Scanner.
func (m measured) Scan(dest ...any) error {
	counted := slices.Clone(dest)
	for i, d := range dest {
		if s, ok := d.(sql.Scanner); ok {
			counted[i] = measuredText{s, m.size}
		}
	}
	err := m.Scanner.Scan(counted...)
	for _, d := range dest {
		switch d := d.(type) {
		case *string:
			*m.size += len(*d)
		case **string:
			if *d != nil {
				*m.size += len(**d)
			}
		}
	}
	return err
}

type measuredText struct {
	sql.Scanner
	size *int
}

// Scan implements [sql.Scanner].
func (m measuredText) Scan(v any) error {
	switch v := v.(type) {
	case string:
		*m.size += len(v)
	case []byte:
		*m.size += len(v)
	}
	return m.Scanner.Scan(v)
}

func (l listing[T]) compare(ascending bool) string {
	place := "?"
	if l.find != "" {
		place = "(" + l.find + ")"
	}
	if ascending {
		return " > " + place
	}
	return " < " + place
}

func direction(ascending bool) string {
	if ascending {
		return " ASC"
	}
	return " DESC"
}
