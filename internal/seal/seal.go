// Package seal encrypts what the database keeps but must not show, with a secret
// of the server that the database does not have.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// The errors of [Ring.Open].
var (
	ErrUnknownSecret = errors.New("sealed with a secret that the server does not have")
	ErrBroken        = errors.New("changed since it was sealed, or sealed for another purpose")
)

const (
	minSecret = 32  // characters
	maxSecret = 512 // the same
	maxRing   = 8   // secrets

	format = 1 // the first byte of everything that is sealed
	idLen  = 8 // bytes, after the format
	header = 1 + idLen
)

// A Ring seals with its first secret and opens with all of them. The zero Ring
// has none: it neither seals nor opens. A Ring may be used by several goroutines
// at once, and printing one shows no secret.
type Ring struct {
	keys []key
}

type key struct {
	id      [idLen]byte
	aead    cipher.AEAD
	derives []byte // other secrets
}

// NewSecret returns a fresh secret with 256 random bits, as text.
func NewSecret() string {
	var b [32]byte
	rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Parse returns the ring of the secrets in a text. They are parted by spaces,
// commas or new lines, at most 8; each has 32 to 512 printable ASCII characters.
// The error quotes none of them.
func Parse(text string) (Ring, error) {
	secrets := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '\ufeff' || r == ' ' || r == '\t' || r == '\r' || r == '\n' })
	if len(secrets) == 0 {
		return Ring{}, errors.New("there is no secret in it")
	}
	if len(secrets) > maxRing {
		return Ring{}, fmt.Errorf("at most %d secrets are accepted, not %d", maxRing, len(secrets))
	}
	var r Ring
	for i, s := range secrets {
		bad := func(r rune) bool { return r <= ' ' || r > '~' }
		if len(s) < minSecret || len(s) > maxSecret || strings.ContainsFunc(s, bad) {
			return Ring{}, fmt.Errorf("secret %d must have %d to %d printable ASCII characters", i+1, minSecret, maxSecret)
		}
		k, err := derive(s)
		if err != nil {
			return Ring{}, err
		}
		r.keys = append(r.keys, k)
	}
	return r, nil
}

// derive makes the key of a secret, and an id that says nothing about it.
func derive(secret string) (key, error) {
	var k key
	aesKey, err := hkdf.Key(sha256.New, []byte(secret), nil, "rota seal: key", 32)
	if err != nil {
		return k, err
	}
	id, err := hkdf.Key(sha256.New, []byte(secret), nil, "rota seal: id", idLen)
	if err != nil {
		return k, err
	}
	copy(k.id[:], id)
	if k.derives, err = hkdf.Key(sha256.New, []byte(secret), nil, "rota seal: derive", 32); err != nil {
		return k, err
	}
	block, err := aes.NewCipher(aesKey)
	if err != nil {
		return k, err
	}
	k.aead, err = cipher.NewGCMWithRandomNonce(block)
	return k, err
}

// Empty reports whether the ring has no secret.
func (r Ring) Empty() bool { return len(r.keys) == 0 }

// String keeps the keys out of logs.
func (r Ring) String() string { return fmt.Sprintf("a ring of %d secrets", len(r.keys)) }

// GoString does what String does.
func (r Ring) GoString() string { return r.String() }

// Seal encrypts plain with AES-256-GCM. What is sealed opens only with an equal
// purpose, which says what it is and whose: a value cannot be put into the place
// of another. The ring must not be empty.
func (r Ring) Seal(plain []byte, purpose string) []byte {
	k := r.keys[0]
	sealed := append([]byte{format}, k.id[:]...)
	return k.aead.Seal(sealed, nil, plain, associated(sealed, purpose))
}

// Open decrypts what Seal has made. The error is ErrUnknownSecret if the ring has
// not the secret, and ErrBroken if the bytes or the purpose are others.
func (r Ring) Open(sealed []byte, purpose string) ([]byte, error) {
	if len(sealed) < header || sealed[0] != format {
		return nil, ErrBroken
	}
	for _, k := range r.keys {
		if string(k.id[:]) != string(sealed[1:header]) {
			continue
		}
		plain, err := k.aead.Open(nil, nil, sealed[header:], associated(sealed[:header], purpose))
		if err != nil {
			return nil, ErrBroken
		}
		return plain, nil
	}
	return nil, ErrUnknownSecret
}

// Derive returns secrets of 32 bytes for a purpose, one of each secret of the ring in its
// order: always the same, and of none can another be told. They are not kept anywhere.
func (r Ring) Derive(purpose string) [][]byte {
	all := make([][]byte, len(r.keys))
	for i, k := range r.keys {
		mac := hmac.New(sha256.New, k.derives)
		mac.Write([]byte(purpose))
		all[i] = mac.Sum(nil)
	}
	return all
}

// Stale reports whether something is not sealed with the first secret, and so has
// to be sealed anew before that secret is all that the ring has.
func (r Ring) Stale(sealed []byte) bool {
	return len(r.keys) == 0 || len(sealed) < header || string(r.keys[0].id[:]) != string(sealed[1:header])
}

func associated(head []byte, purpose string) []byte {
	return append(append([]byte{}, head...), purpose...)
}
