package sqlstore

import (
	"context"
	"time"

	"github.com/rota-run/rota"
)

// maxSigningKeys is how many signing keys SigningKeys returns at most.
const maxSigningKeys = 100

func scanSigningKey(row Scanner) (rota.SigningKey, error) {
	k := rota.SigningKey{Object: rota.ObjectSigningKey}
	var created, retired msTime
	err := row.Scan(&k.ID, &k.Public, &k.Sealed, &created, &retired)
	k.CreatedAt, k.RetiredAt = created.instant(), retired.orNil()
	return k, err
}

// SigningKeys returns the signing keys, the newest first.
func (q Queries) SigningKeys(ctx context.Context) ([]rota.SigningKey, error) {
	return all(ctx, q.db, scanSigningKey, `SELECT s.id, s.public, s.sealed, s.created_at, s.retired_at FROM signing_keys s
		ORDER BY s.id DESC LIMIT ?`, maxSigningKeys)
}

// AddSigningKey adds a signing key.
func (q Queries) AddSigningKey(ctx context.Context, k rota.SigningKey) error {
	return q.write(ctx, `INSERT INTO signing_keys (id, public, sealed, created_at) VALUES (?, ?, ?, ?)`,
		k.ID, k.Public, k.Sealed, k.CreatedAt.UnixMilli())
}

// RetireSigningKeys retires every signing key at now, and forgets those that were
// retired at forget or before.
func (q Queries) RetireSigningKeys(ctx context.Context, now, forget time.Time) error {
	if err := q.write(ctx, `UPDATE signing_keys SET retired_at = ? WHERE retired_at IS NULL`, now.UnixMilli()); err != nil {
		return err
	}
	return q.write(ctx, `DELETE FROM signing_keys WHERE retired_at <= ?`, forget.UnixMilli())
}
