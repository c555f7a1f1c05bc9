package gateway

import (
	"crypto/rand"
	"encoding/hex"

	"github.com/rota-run/rota/internal/rawjson"
)

func member(object []byte, name string) []byte { return rawjson.Get(object, name) }

func text(value []byte) string { return rawjson.Text(value) }

func isObject(b []byte) bool { return rawjson.IsObject(b) }

// isEmpty reports whether a JSON value is no string, or one without a character.
func isEmpty(value []byte) bool { return len(value) < 3 || value[0] != '"' }

// withMember returns an object with a member set.
func withMember(object []byte, name string, value []byte) []byte {
	o := rawjson.ReadObject(object)
	o.Set(name, value)
	return o.Encode()
}

// randomID returns an id that nothing else has.
func randomID(prefix string) string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return prefix + hex.EncodeToString(b[:])
}
