package sqlstore

import (
	"context"
	"slices"

	"github.com/rota-run/rota"
)

// A listing is a list that can be read page by page, in the order of a column.
type listing[T any] struct {
	query string // SELECT … WHERE …, without the page
	key   string // the column that the list is ordered by
	args  []any
	scan  func(Scanner) (T, error)
	id    func(T) string
	place func(id string) any // of an id in the key; nil if the key holds ids, or find is set
	find  string              // a query for the place of an id in the key; may be empty
	lock  string              // ends the statement
}

// where adds a condition.
func (l *listing[T]) where(condition string, arg any) {
	l.query += condition
	l.args = append(slices.Clone(l.args), arg)
}

// at returns where the row with the id stands, or stood.
func (l listing[T]) at(id string) any {
	if l.place == nil {
		return id
	}
	return l.place(id)
}

// page reads one page. It asks for one row more than the page holds, to know
// whether the list goes on. Before reads backwards, and turns what it read.
func (l listing[T]) page(ctx context.Context, db DB, p rota.Page) (rota.List[T], error) {
	query, args, backwards := l.query, slices.Clone(l.args), p.Before != ""
	if p.After != "" {
		query += " AND " + l.key + l.compare(p.Ascending)
		args = append(args, l.at(p.After))
	}
	if p.Before != "" {
		query += " AND " + l.key + l.compare(!p.Ascending)
		args = append(args, l.at(p.Before))
	}
	query += " ORDER BY " + l.key + direction(p.Ascending != backwards) + " LIMIT ?"
	args = append(args, p.Limit+1)
	if p.Offset > 0 {
		query += " OFFSET ?"
		args = append(args, p.Offset)
	}
	rows, err := all(ctx, db, l.scan, query+l.lock, args...)
	if err != nil {
		return rota.List[T]{}, err
	}
	more := len(rows) > p.Limit
	rows = rows[:min(len(rows), p.Limit)]
	if backwards {
		slices.Reverse(rows)
	}
	return rota.NewList(rows, l.id, more), nil
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
