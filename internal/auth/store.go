package auth

import (
	"context"
	"time"

	"github.com/rota-run/rota"
)

// KeyReader finds keys.
type KeyReader interface {
	// KeyByHash returns the key whose secret has this SHA-256, also one that is
	// revoked or expired, and the hash that is stored.
	KeyByHash(ctx context.Context, hash []byte) (rota.Key, []byte, error)

	// KeyOfToken returns a key, also one that is revoked or expired, and the public
	// half of a signing key. It is NotFound if there is not the one or the other.
	KeyOfToken(ctx context.Context, signing rota.SigningKeyID, key rota.KeyID) (rota.Key, []byte, error)
}

// A Store is where a Limiter counts requests.
type Store interface {
	// Update runs fn in one transaction and returns when it is durable. fn may
	// run twice.
	Update(ctx context.Context, fn func(context.Context, Tx) error) error
}

// A Tx reads and writes what keys, end users and accounts have used of their rate
// limits. A transaction asks for them in this order.
type Tx interface {
	// Spent returns what a key has used. Other transactions that ask for the
	// same key wait until this one ends.
	Spent(ctx context.Context, id rota.KeyID) (rota.Spent, error)

	// SaveSpent notes what a key has used, when Spent has been asked.
	SaveSpent(ctx context.Context, id rota.KeyID, s rota.Spent) error

	// SpentBy returns what an end user, or the whole account, has used. Other
	// transactions that ask for the same wait until this one ends.
	SpentBy(ctx context.Context, o rota.Owner, whole bool) (rota.Spent, error)

	// SaveSpentBy notes what SpentBy has been asked for; first says that nothing had
	// been used.
	SaveSpentBy(ctx context.Context, o rota.Owner, whole bool, s rota.Spent, first bool, now time.Time) error

	// AddSession adds a session under the SHA-256 of its secret, and forgets some that
	// ended before now.
	AddSession(ctx context.Context, hash []byte, s rota.Session, now time.Time) error

	// RemoveSession ends a session, and reports whether it was there.
	RemoveSession(ctx context.Context, hash []byte) (bool, error)
}

// SessionReader finds sessions.
type SessionReader interface {
	// KeyOfSession returns the key, also one that is revoked or expired, with which the
	// session began whose secret has this SHA-256. It is NotFound if there is none that
	// lasts at now, or if the key has another secret since.
	KeyOfSession(ctx context.Context, hash []byte, now time.Time) (rota.Key, error)
}
