package gateway

import (
	"bytes"
	"io"
	"strings"
)

const (
	// hidden stands in the place of the provider's key.
	hidden = "[key]"

	// minSecret is how long a key must be to be looked for in answers. Servers that
	// want none are given words such as "none", which answers have too.
	minSecret = 12

	redactChunk = 32 << 10
)

// withoutSecret returns a reader of what r has, with the key cut out: whoever may
// read the answer of a run must not learn the operator's key, should a provider
// repeat it.
func withoutSecret(r io.Reader, secret string) io.Reader {
	if len(secret) < minSecret {
		return r
	}
	forms := [][]byte{[]byte(secret)}
	if escaped := strings.ReplaceAll(secret, "/", `\/`); escaped != secret { // as some write JSON
		forms = append(forms, []byte(escaped))
	}
	return &redactor{from: r, forms: forms, chunk: make([]byte, redactChunk)}
}

// A redactor keeps back no more than what may be the beginning of the key.
type redactor struct {
	from  io.Reader
	forms [][]byte
	chunk []byte
	out   []byte // is read next
	held  []byte // may be the beginning of the key
	err   error  // of from
}

// Read implements [io.Reader].
func (r *redactor) Read(p []byte) (int, error) {
	for len(r.out) == 0 && r.err == nil {
		var n int
		n, r.err = r.from.Read(r.chunk)
		r.out = append(r.held, r.chunk[:n]...)
		for _, form := range r.forms {
			r.out = bytes.ReplaceAll(r.out, form, []byte(hidden))
		}
		r.held = nil
		if r.err == nil {
			keep := len(r.out) - r.begun()
			r.held = bytes.Clone(r.out[keep:])
			r.out = r.out[:keep]
		}
	}
	if len(r.out) == 0 {
		return 0, r.err
	}
	n := copy(p, r.out)
	r.out = r.out[n:]
	return n, nil
}

// begun returns how many bytes at the end of out may be the beginning of the key.
func (r *redactor) begun() int {
	longest := 0
	for _, form := range r.forms {
		for n := min(len(form)-1, len(r.out)); n > longest; n-- {
			if bytes.HasSuffix(r.out, form[:n]) {
				longest = n
			}
		}
	}
	return longest
}
