package sqlstore

import (
	"context"
	"time"

	"github.com/rota-run/rota"
)

const keyColumns = `k.id, k.account, k.name, k.hint, k.scopes, k.rate_limits, k.created_at, k.expires_at, k.revoked_at,
	k.end_user, k.team_id, k.created_by, k.generation`

func keyDest(k *rota.Key) ([]any, func()) {
	var created, expires, revoked msTime
	k.Object = rota.ObjectKey
	return []any{
		&k.ID, &k.Account, &k.Name, &k.Hint,
		jsonText{&k.Scopes},
		jsonText{&k.RateLimits},
		&created, &expires, &revoked,
		&k.EndUser, &k.TeamID, &k.CreatedBy, &k.Generation,
	}, func() {
		k.CreatedAt, k.ExpiresAt, k.RevokedAt = created.instant(), expires.orNil(), revoked.orNil()
	}
}

func scanKey(row Scanner) (rota.Key, error) {
	var k rota.Key
	dest, done := keyDest(&k)
	err := row.Scan(dest...)
	done()
	return k, err
}

type hashedKey struct {
	key  rota.Key
	hash []byte
}

func scanHashedKey(row Scanner) (hashedKey, error) {
	var h hashedKey
	dest, done := keyDest(&h.key)
	err := row.Scan(append(dest, &h.hash)...)
	done()
	return h, err
}

// KeyByHash returns the key whose secret has this SHA-256, also one that
// is revoked or expired, and the hash that is stored.
func (q Queries) KeyByHash(ctx context.Context, hash []byte) (rota.Key, []byte, error) {
	h, err := one(ctx, q.db, "key", scanHashedKey, `SELECT `+keyColumns+`, k.hash FROM keys k WHERE k.hash = ?`, hash)
	return h.key, h.hash, err
}

// KeyOfToken returns a key, also one that is revoked or expired, and the public
// half of a signing key; NotFound if there is not the one or the other.
func (q Queries) KeyOfToken(ctx context.Context, signing rota.SigningKeyID, id rota.KeyID) (rota.Key, []byte, error) {
	h, err := one(ctx, q.db, "key", scanHashedKey, `SELECT `+keyColumns+`, s.public FROM keys k, signing_keys s WHERE k.id = ? AND s.id = ?`, id, signing)
	return h.key, h.hash, err
}

// Keys returns a page of the keys of an account; of those that are bound to the end
// user, if there is one.
func (q Queries) Keys(ctx context.Context, o rota.Owner, p rota.Page) (rota.List[rota.Key], error) {
	l := listing[rota.Key]{
		query: `SELECT ` + keyColumns + ` FROM keys k WHERE k.account = ?`,
		key:   "k.id",
		args:  []any{o.Account},
		scan:  scanKey,
		id:    func(k rota.Key) string { return string(k.ID) },
	}
	if o.EndUser != "" {
		l.where(` AND k.end_user = ?`, o.EndUser)
	}
	return l.page(ctx, q.db, p)
}

// descendants is the relation of the keys that descend from one, an argument: those
// that it made, those that these made, and so on, in whatever account.
const descendants = `(WITH RECURSIVE descendant (id) AS (SELECT m.id FROM keys m WHERE m.created_by = ?
	UNION SELECT m.id FROM descendant d JOIN keys m ON m.created_by = d.id) SELECT e.id FROM descendant e)`

// KeysFrom returns a page of the keys that descend from one: those of the owner's
// account, and of whatever account if that is empty; those that are bound to the end
// user, if there is one.
func (q Queries) KeysFrom(ctx context.Context, ancestor rota.KeyID, o rota.Owner, p rota.Page) (rota.List[rota.Key], error) {
	l := listing[rota.Key]{
		query: `SELECT ` + keyColumns + ` FROM ` + descendants + ` d CROSS JOIN keys k WHERE k.id = d.id`,
		key:   "k.id",
		args:  []any{ancestor},
		scan:  scanKey,
		id:    func(k rota.Key) string { return string(k.ID) },
	}
	if o.Account != "" {
		l.where(` AND k.account = ?`, o.Account)
	}
	if o.EndUser != "" {
		l.where(` AND k.end_user = ?`, o.EndUser)
	}
	return l.page(ctx, q.db, p)
}

// KeyFrom returns a key that descends from another, in whatever account. Nobody else
// changes it until the transaction ends.
func (q Queries) KeyFrom(ctx context.Context, ancestor, id rota.KeyID) (rota.Key, error) {
	return one(ctx, q.db, "key", scanKey, `SELECT `+keyColumns+` FROM keys k WHERE k.id = ? AND k.id IN `+descendants+q.lock("k"), id, ancestor)
}

// Key returns a key of the account, also one that is revoked or expired. Nobody else
// changes it until the transaction ends.
func (q Queries) Key(ctx context.Context, account string, id rota.KeyID) (rota.Key, error) {
	return one(ctx, q.db, "key", scanKey, `SELECT `+keyColumns+` FROM keys k WHERE k.id = ? AND k.account = ?`+q.lock("k"), id, account)
}

// AddKey adds a key under the SHA-256 of its secret.
func (q Queries) AddKey(ctx context.Context, k rota.Key, hash []byte) error {
	return q.write(ctx, `INSERT INTO keys (id, account, name, hint, hash, scopes, rate_limits, created_at, expires_at, end_user, team_id, created_by, generation)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, k.ID, k.Account, k.Name, k.Hint, hash, js(k.Scopes), js(append([]rota.RateLimit{}, k.RateLimits...)),
		k.CreatedAt.UnixMilli(), instantMS(k.ExpiresAt), k.EndUser, k.TeamID, k.CreatedBy, k.Generation)
}

// SaveKey writes back what of a key can change; its secret only if there is a hash.
func (q Queries) SaveKey(ctx context.Context, k rota.Key, hash []byte) error {
	if err := q.write(ctx, `UPDATE keys SET name = ?, scopes = ?, rate_limits = ?, expires_at = ? WHERE id = ? AND account = ?`,
		k.Name, js(k.Scopes), js(append([]rota.RateLimit{}, k.RateLimits...)), instantMS(k.ExpiresAt), k.ID, k.Account); err != nil || hash == nil {
		return err
	}
	return q.write(ctx, `UPDATE keys SET hint = ?, hash = ?, generation = ? WHERE id = ? AND account = ?`, k.Hint, hash, k.Generation, k.ID, k.Account)
}

// AddFirstKey adds the key if its account has had none, and reports whether
// it did. Of several transactions at once, one does.
func (q Queries) AddFirstKey(ctx context.Context, k rota.Key, hash []byte) (bool, error) {
	if err := q.lockName(ctx, lockFirstKey, k.Account); err != nil {
		return false, err
	}
	have, err := q.Keys(ctx, rota.Owner{Account: k.Account}, rota.Page{Limit: 1})
	if err != nil || len(have.Data) > 0 {
		return false, err
	}
	return true, q.AddKey(ctx, k, hash)
}

// Spent returns what a key has used of its rate limits. Other transactions
// that ask for the same key wait until this one ends.
func (q Queries) Spent(ctx context.Context, id rota.KeyID) (rota.Spent, error) {
	return one(ctx, q.db, "key", scanSpent, `SELECT k.spent FROM keys k WHERE k.id = ?`+q.lock("k"), id)
}

func scanSpent(row Scanner) (rota.Spent, error) {
	var s rota.Spent
	err := row.Scan(jsonText{&s})
	return s, err
}

// SaveSpent notes what a key has used of its rate limits, when Spent has
// been asked.
func (q Queries) SaveSpent(ctx context.Context, id rota.KeyID, s rota.Spent) error {
	return q.write(ctx, `UPDATE keys SET spent = ? WHERE id = ?`, js(s), id)
}

// RevokeKey revokes the key; one that is revoked stays as it is.
func (q Queries) RevokeKey(ctx context.Context, account string, id rota.KeyID, now time.Time) (rota.Key, error) {
	if err := q.write(ctx, `UPDATE keys SET revoked_at = ? WHERE id = ? AND account = ? AND revoked_at IS NULL`,
		now.UnixMilli(), id, account); err != nil {
		return rota.Key{}, err
	}
	return one(ctx, q.db, "key", scanKey, `SELECT `+keyColumns+` FROM keys k WHERE k.id = ? AND k.account = ?`, id, account)
}
