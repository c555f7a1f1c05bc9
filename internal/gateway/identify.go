package gateway

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/rawjson"
)

// SafetyIdentifier returns what a provider is told of an end user: 64 characters that are
// the same for each request for that end user, and other ones in another account. They are
// SHA-256 of account and end user, so who knows both knows whose they are.
func SafetyIdentifier(o rota.Owner) string {
	h := sha256.Sum256([]byte(o.Account + "\x00" + o.EndUser))
	return hex.EncodeToString(h[:])
}

// identify adds the name of the end user, if the provider is to have it.
func (q *question) identify(p *provider) {
	const name = "safety_identifier"
	chats := p.Protocol == ProtocolChat || p.inChat.Load()
	if !p.SafetyIdentifier || q.Owner.EndUser == "" || chats || !isObject(q.Body) || member(q.Body, name) != nil {
		return
	}
	o := rawjson.ReadObject(q.Body)
	o.Set(name, rawjson.String(SafetyIdentifier(q.Owner)))
	q.Body = o.Encode()
}
