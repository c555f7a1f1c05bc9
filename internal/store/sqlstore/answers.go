package sqlstore

import (
	"context"
	"time"

	"github.com/rota-run/rota"
)

// forgetAtOnce bounds how many old answers one write forgets.
const forgetAtOnce = 100

func scanAnswer(row Scanner) (rota.Answer, error) {
	var a rota.Answer
	var at msTime
	err := row.Scan(&a.Fingerprint, &a.Body, &at)
	a.At = at.Time
	return a, err
}

// Answer returns the answer remembered for key at or after since. Other
// transactions that ask for the same key wait until this one ends, so that
// of equal requests at once the first alone finds none.
func (q Queries) Answer(ctx context.Context, o rota.Owner, key string, since time.Time) (rota.Answer, error) {
	if err := q.lockName(ctx, lockAnswer, o.Account+"\x00"+o.EndUser+"\x00"+key); err != nil {
		return rota.Answer{}, err
	}
	return one(ctx, q.db, "answer", scanAnswer, `SELECT fingerprint, body, at FROM answers
		WHERE account = ? AND end_user = ? AND key = ? AND at >= ?`, o.Account, o.EndUser, key, since.UnixMilli())
}

// KeepAnswer remembers an answer, in place of an older one, and forgets
// some of those from before since.
func (q Queries) KeepAnswer(ctx context.Context, o rota.Owner, key string, a rota.Answer, since time.Time) error {
	if err := q.write(ctx, `DELETE FROM answers WHERE (account, end_user, key) IN
		(SELECT account, end_user, key FROM answers WHERE at < ? ORDER BY at LIMIT ?`+q.lockAny("answers")+`)`, since.UnixMilli(), forgetAtOnce); err != nil {
		return err
	}
	return q.write(ctx, `INSERT INTO answers (account, end_user, key, fingerprint, body, at) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (account, end_user, key) DO UPDATE SET fingerprint = excluded.fingerprint, body = excluded.body, at = excluded.at`,
		o.Account, o.EndUser, key, a.Fingerprint, a.Body, a.At.UnixMilli())
}
