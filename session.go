package rota

import "time"

// A Session is a browser that is signed in to the console. It ends at ExpiresAt, when
// its key ends, and when its key gets another secret.
type Session struct {
	Key        KeyID
	Generation int64 // of the key's secret
	ExpiresAt  time.Time
}
