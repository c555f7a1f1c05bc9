package sqlstore

import (
	"context"
	"time"

	"github.com/rota-run/rota"
)

// AddSession adds a session under the SHA-256 of its secret, and forgets some that
// ended before now.
func (q Queries) AddSession(ctx context.Context, hash []byte, s rota.Session, now time.Time) error {
	if err := q.write(ctx, `DELETE FROM sessions WHERE hash IN
		(SELECT hash FROM sessions WHERE expires_at <= ? ORDER BY expires_at LIMIT ?`+q.lockAny("sessions")+`)`, now.UnixMilli(), forgetAtOnce); err != nil {
		return err
	}
	return q.write(ctx, `INSERT INTO sessions (hash, key_id, generation, expires_at) VALUES (?, ?, ?, ?)`, hash, s.Key, s.Generation, s.ExpiresAt.UnixMilli())
}

// KeyOfSession returns the key, also one that is revoked or expired, with which a
// session began that lasts at now. It is NotFound if the key has another secret since.
func (q Queries) KeyOfSession(ctx context.Context, hash []byte, now time.Time) (rota.Key, error) {
	return one(ctx, q.db, "session", scanKey, `SELECT `+keyColumns+` FROM sessions s JOIN keys k ON k.id = s.key_id AND k.generation = s.generation
		WHERE s.hash = ? AND s.expires_at > ?`, hash, now.UnixMilli())
}

// RemoveSession ends a session, and reports whether it was there.
func (q Queries) RemoveSession(ctx context.Context, hash []byte) (bool, error) {
	n, err := q.exec(ctx, `DELETE FROM sessions WHERE hash = ?`, hash)
	return n > 0, err
}
