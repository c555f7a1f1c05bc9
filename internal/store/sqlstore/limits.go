package sqlstore

import (
	"context"
	"time"

	"github.com/rota-run/rota"
)

type accountLimits struct {
	account string
	limits  rota.AllLimits
}

func scanAccountLimits(row Scanner) (accountLimits, error) {
	var l accountLimits
	err := row.Scan(&l.account, jsonText{&l.limits})
	return l, err
}

// AccountLimits returns the limits that were set for accounts.
func (q Queries) AccountLimits(ctx context.Context) (map[string]rota.AllLimits, error) {
	rows, err := all(ctx, q.db, scanAccountLimits, `SELECT l.account, l.limits FROM account_limits l`)
	of := make(map[string]rota.AllLimits, len(rows))
	for _, r := range rows {
		of[r.account] = r.limits
	}
	return of, err
}

// LimitsOf returns the limits that were set for an account.
func (q Queries) LimitsOf(ctx context.Context, account string) (rota.AllLimits, error) {
	rows, err := all(ctx, q.db, scanAccountLimits, `SELECT l.account, l.limits FROM account_limits l WHERE l.account = ?`, account)
	if err != nil || len(rows) == 0 {
		return rota.AllLimits{}, err
	}
	return rows[0].limits, nil
}

// SaveLimits sets the limits of an account.
func (q Queries) SaveLimits(ctx context.Context, account string, l rota.AllLimits) error {
	return q.write(ctx, `INSERT INTO account_limits (account, limits) VALUES (?, ?)
		ON CONFLICT (account) DO UPDATE SET limits = excluded.limits`, account, js(l))
}

// WorkersOf counts the runs of an owner that are worked on, and those of the account.
func (q Queries) WorkersOf(ctx context.Context, o rota.Owner) (endUser, account int, err error) {
	busy, err := all(ctx, q.db, func(row Scanner) (rota.OwnerAt, error) {
		var at rota.OwnerAt
		err := row.Scan(ownerColumn{&at.Owner})
		return at, err
	}, `SELECT o.owner FROM open_runs o WHERE o.phase = 'running' AND o.owner >= ? AND o.owner < ?`,
		ownerText(rota.Owner{Account: o.Account}), ownerText(rota.Owner{Account: o.Account, EndUser: "\U0010FFFF"}))
	for _, at := range busy {
		account++
		if at.Owner == o {
			endUser++
		}
	}
	return endUser, account, err
}

// A limited is whoever has limits of requests: an end user, or an account as a whole.
// Of an owner it is the text that open_runs has, of an account its name alone.
func limited(o rota.Owner, whole bool) string {
	if whole {
		return o.Account
	}
	return ownerText(o)
}

// SpentBy returns what an end user, or the account with all of them, has used of its
// limits of requests. Other transactions that ask for the same wait until this one
// ends.
func (q Queries) SpentBy(ctx context.Context, o rota.Owner, whole bool) (rota.Spent, error) {
	return one(ctx, q.db, "owner", scanSpent, `INSERT INTO requests_spent (owner, spent, useless_at) VALUES (?, '{}', 0)
		ON CONFLICT (owner) DO UPDATE SET owner = excluded.owner RETURNING spent`, limited(o, whole))
}

// ReadSpentBy is SpentBy for who only looks.
func (q Queries) ReadSpentBy(ctx context.Context, o rota.Owner, whole bool) (rota.Spent, error) {
	s, err := all(ctx, q.db, scanSpent, `SELECT p.spent FROM requests_spent p WHERE p.owner = ?`, limited(o, whole))
	if err != nil || len(s) == 0 {
		return rota.Spent{}, err
	}
	return s[0], nil
}

// day is how exactly it is kept when a row of requests_spent is of no use any more, so
// that an index has to change once a day.
const day = 24 * time.Hour

// SaveSpentBy notes what SpentBy has been asked for. If it is the first time, it
// forgets some of what is of no use any more, because all requests have come back.
func (q Queries) SaveSpentBy(ctx context.Context, o rota.Owner, whole bool, s rota.Spent, first bool, now time.Time) error {
	var full int64
	for _, at := range s {
		full = max(full, at)
	}
	useless := time.Unix(0, full).Truncate(day).Add(day)
	if err := q.write(ctx, `UPDATE requests_spent SET spent = ?, useless_at = ? WHERE owner = ?`, js(s), useless.UnixMilli(), limited(o, whole)); err != nil || !first {
		return err
	}
	over, err := all(ctx, q.db, scanText, `SELECT p.owner FROM requests_spent p WHERE p.useless_at > 0 AND p.useless_at < ?
		ORDER BY p.useless_at LIMIT ?`+q.lockAny("p"), now.UnixMilli(), forgetAtOnce)
	if err != nil || len(over) == 0 {
		return err
	}
	var owners [][]any
	for _, o := range over {
		owners = append(owners, []any{o})
	}
	return q.db.Write(ctx, Step{`DELETE FROM requests_spent WHERE owner IN (SELECT ?` + fromEach + `)`, owners})
}
