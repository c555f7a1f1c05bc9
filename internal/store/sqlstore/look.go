package sqlstore

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/rota-run/rota"
)

// Conditions that no index answers are bounded: a page looks at so many rows from where
// it begins, in the order of an index, and says how far it came. See rota.List.
const (
	maxLook     = 100_000 // of schedules and agents
	maxLongLook = 20_000  // of runs and occurrences, whose rows are long
)

// looks are the rows that an index finds, among which the conditions that it does not
// answer look for others.
type looks struct {
	rows string // SELECT id FROM … WHERE …
	args []any
	key  string // the index's order
	most int
}

// look says that the conditions that follow are not answered by an index: those that
// stand there already are. table is the one whose index it is, with its alias, and id its
// column of identifiers.
func (l *listing[T]) look(table, id string, most int) {
	l.looks = &looks{rows: `SELECT ` + id + ` FROM ` + table + ` WHERE true` + l.terms, args: slices.Clone(l.args), key: id, most: most}
}

// within returns the list within what one page looks at, and the id of the last row that
// it looks at; empty if that is all there is.
func (l listing[T]) within(ctx context.Context, db DB, p rota.Page) (listing[T], string, error) {
	if l.looks == nil {
		return l, "", nil
	}
	if l.tie != "" {
		return l, "", l.whole(ctx, db, p)
	}
	ascending := p.Ascending != p.Backwards()
	base := listing[T]{query: l.looks.rows, args: l.looks.args, key: l.key, place: l.place}
	query, args := base.bounded(rota.Page{After: p.After, Before: p.Before, Ascending: p.Ascending})
	found, err := all(ctx, db, scanText, query+base.order(ascending)+` LIMIT 1 OFFSET ?`, append(args, l.looks.bound(p)-1)...)
	if err != nil || len(found) == 0 {
		return l, "", err
	}
	comparison := " >= ?"
	if ascending {
		comparison = " <= ?"
	}
	l.where(" AND "+l.key+comparison, l.at(found[0])...)
	return l, found[0], nil
}

func (k looks) bound(p rota.Page) int {
	if p.Look > 0 {
		return p.Look
	}
	return k.most
}

// whole returns Invalid if there are too many rows to sort them.
func (l listing[T]) whole(ctx context.Context, db DB, p rota.Page) error {
	most := l.looks.bound(p)
	more, err := all(ctx, db, scanText, l.looks.rows+` ORDER BY `+l.looks.key+` LIMIT 1 OFFSET ?`, append(slices.Clone(l.looks.args), most)...)
	if err == nil && len(more) > 0 {
		err = rota.InvalidField("sort", "must be created_at, or the list must be narrowed by agent_id or end_user: more than %d can be read in the order of their creation alone", most)
	}
	return err
}

// endAt says how far a page has looked, if it has not found as many rows as it may have.
func endAt[T any](l rota.List[T], end string, backwards bool) rota.List[T] {
	switch {
	case l.HasMore || l.Cut && !backwards:
	case backwards:
		l.HasMore, l.FirstID = true, &end
	default:
		l.HasMore, l.LastID = true, &end
	}
	return l
}

// countAll counts what a list has in all, up to rota.MaxCount, within what one page looks
// at.
func (l listing[T]) countAll(ctx context.Context, db DB, p rota.Page, list *rota.List[T]) error {
	within, end, err := l.within(ctx, db, rota.Page{Ascending: p.Ascending, Look: p.Look})
	if err != nil {
		return err
	}
	n, err := within.count(ctx, db, rota.Page{Limit: rota.MaxCount})
	count := int64(min(n, rota.MaxCount))
	list.Count, list.CountIsMinimum = &count, n > rota.MaxCount || end != ""
	return err
}

// A narrowing is conditions that no index answers. Its text is the same whichever of them
// are asked for, so that statements stay few.
type narrowing struct {
	text  string
	args  []any
	asked bool // whether any is asked for
}

// is adds the condition that a text is another; none for an empty one.
func (n *narrowing) is(text, value string) {
	n.add(value, text+` = ?`, value)
}

// holds adds a condition, if it is asked for.
func (n *narrowing) holds(asked bool, condition string) {
	flag := ""
	if asked {
		flag = "asked"
	}
	n.add(flag, condition)
}

// until adds the condition that an instant is another one or before it; none for the zero
// time.
func (n *narrowing) until(column string, at time.Time) {
	flag, most := "", int64(0)
	if !at.IsZero() {
		flag, most = "asked", at.UnixMilli()
	}
	n.add(flag, column+` <= ?`, most)
}

func (n *narrowing) add(value, condition string, args ...any) {
	n.text += ` AND (CAST(? AS TEXT) = '' OR ` + condition + `)`
	n.args = append(append(n.args, value), args...)
	n.asked = n.asked || value != ""
}

// contains adds the condition that one of some texts has a part, whatever the case of
// ASCII letters.
func (q Queries) contains(n *narrowing, part string, texts ...string) {
	terms, args := make([]string, len(texts)), make([]any, len(texts))
	for i, text := range texts {
		terms[i], args[i] = `instr(lower(`+text+`), ?) > 0`, lowerASCII(part)
		if q.remote {
			terms[i] = `strpos(lower(` + text + ` COLLATE "C"), ?) > 0`
		}
	}
	n.add(part, strings.Join(terms, ` OR `), args...)
}

// lowerASCII is what the databases' lower makes of a text, in the collation C.
func lowerASCII(text string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
}

// has adds the condition that metadata have all pairs.
func (q Queries) has(n *narrowing, metadata string, pairs map[string]string) {
	members := func(object string) string {
		if q.remote {
			return `json_each_text(CAST(` + object + ` AS json))`
		}
		return `json_each(` + object + `)`
	}
	wanted := ""
	if len(pairs) > 0 {
		wanted = js(pairs)
	}
	n.add(wanted, `NOT EXISTS (SELECT 1 FROM `+members(`COALESCE(NULLIF(?, ''), '{}')`)+` given
		WHERE NOT EXISTS (SELECT 1 FROM `+members(metadata)+` m WHERE m.key = given.key AND m.value = given.value))`, wanted)
}

// member is a member of an object that is stored as JSON; NULL if it has none.
func (q Queries) member(object, name string) string {
	if q.remote {
		return `CAST(` + object + ` AS json) ->> '` + name + `'`
	}
	return object + ` ->> '` + name + `'`
}
