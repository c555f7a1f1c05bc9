package sqlstore

import (
	"context"
	"time"

	"github.com/rota-run/rota"
)

const keyColumns = `k.id, k.account, k.name, k.hint, k.scopes, k.rate_limits, k.created_at, k.expires_at, k.revoked_at`

func keyDest(k *rota.Key) ([]any, func()) {
	var created, expires, revoked msTime
	k.Object = rota.ObjectKey
	return []any{&k.ID, &k.Account, &k.Name, &k.Hint, jsonText{&k.Scopes}, jsonText{&k.RateLimits}, &created, &expires, &revoked}, func() {
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

// Keys returns a page of an account's keys, also those that are revoked.
func (q Queries) Keys(ctx context.Context, account string, p rota.Page) (rota.List[rota.Key], error) {
	return listing[rota.Key]{
		query: `SELECT ` + keyColumns + ` FROM keys k WHERE k.account = ?`,
		key:   "k.id",
		args:  []any{account},
		scan:  scanKey,
		id:    func(k rota.Key) string { return string(k.ID) },
	}.page(ctx, q.db, p)
}

// AddKey adds a key with the hash of its secret.
func (q Queries) AddKey(ctx context.Context, k rota.Key, hash []byte) error {
	return q.write(ctx, `INSERT INTO keys (id, account, name, hint, hash, scopes, rate_limits, created_at, expires_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, k.ID, k.Account, k.Name, k.Hint, hash, js(k.Scopes), js(append([]rota.RateLimit{}, k.RateLimits...)),
		k.CreatedAt.UnixMilli(), instantMS(k.ExpiresAt))
}

// AddFirstKey adds the key if its account has had none, and reports whether
// it did. Of several transactions at once, one does.
func (q Queries) AddFirstKey(ctx context.Context, k rota.Key, hash []byte) (bool, error) {
	if err := q.holdName(ctx, lockFirstKey, k.Account); err != nil {
		return false, err
	}
	have, err := q.Keys(ctx, k.Account, rota.Page{Limit: 1})
	if err != nil || len(have.Data) > 0 {
		return false, err
	}
	return true, q.AddKey(ctx, k, hash)
}

// Spent returns what a key has used of its rate limits. Other transactions
// that ask for the same key wait until this one ends.
func (q Queries) Spent(ctx context.Context, id rota.KeyID) (rota.Spent, error) {
	return one(ctx, q.db, "key", scanSpent, `SELECT k.spent FROM keys k WHERE k.id = ?`+q.hold("k"), id)
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
