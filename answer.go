package rota

import "time"

// An Answer is the remembered result of a request with an Idempotency-Key.
type Answer struct {
	Fingerprint []byte // of the request
	Body        []byte // the object that was answered
	At          time.Time
}
