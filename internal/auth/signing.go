package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/seal"
)

// NewSigningKey returns a fresh key to sign tokens with, whose private half is
// sealed by the ring.
func NewSigningKey(ring seal.Ring, now time.Time) (rota.SigningKey, error) {
	k := rota.SigningKey{Object: rota.ObjectSigningKey, ID: rota.NewSigningKeyID(now), CreatedAt: rota.InstantOf(now)}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return k, err
	}
	secret, err := private.Bytes()
	if err != nil {
		return k, err
	}
	if k.Public, err = private.PublicKey.Bytes(); err != nil {
		return k, err
	}
	k.Sealed = ring.Seal(secret, purpose(k.ID))
	return k, nil
}

// open returns the private half of a signing key.
func open(ring seal.Ring, k rota.SigningKey) (*ecdsa.PrivateKey, error) {
	secret, err := ring.Open(k.Sealed, purpose(k.ID))
	if err != nil {
		return nil, fmt.Errorf("the signing key %s: %w", k.ID, err)
	}
	return ecdsa.ParseRawPrivateKey(elliptic.P256(), secret)
}

func purpose(id rota.SigningKeyID) string { return "signing key " + string(id) }

// A JWKS is a set of public keys, as RFC 7517 has it.
type JWKS struct {
	Keys []JWK `json:"keys"`
}

// A JWK is one public key of a JWKS.
type JWK struct {
	Kty string            `json:"kty"`
	Crv string            `json:"crv"`
	X   string            `json:"x"`
	Y   string            `json:"y"`
	Use string            `json:"use"`
	Alg string            `json:"alg"`
	Kid rota.SigningKeyID `json:"kid"`
}

// PublicKeys returns the public halves of signing keys.
func PublicKeys(keys []rota.SigningKey) (JWKS, error) {
	set := JWKS{Keys: []JWK{}}
	for _, k := range keys {
		if _, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), k.Public); err != nil {
			return set, fmt.Errorf("the signing key %s: %w", k.ID, err)
		}
		half := base64.RawURLEncoding.EncodeToString
		set.Keys = append(set.Keys, JWK{Kty: "EC", Crv: "P-256", X: half(k.Public[1:33]), Y: half(k.Public[33:]), Use: "sig", Alg: algorithm, Kid: k.ID})
	}
	return set, nil
}
