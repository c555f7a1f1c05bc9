package sqlstore

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

// FuzzEntries: a body is read as it was written, and no body stops the program or makes
// it take more memory than the body has.
func FuzzEntries(f *testing.F) {
	k, t := tallyKey{"acme", "ana né", 494_949}, new(tallied)
	for i, n := range t.Fields() {
		*n = int64(i%3) * -1_000_000_007
	}
	t.errors = []rota.ErrorCount{{Phase: rota.PhaseFailed, Code: "timeout", Count: 3}, {Phase: rota.PhaseCancelled, Code: "", Count: -1}}
	for _, body := range [][]byte{nil, {0}, {1, 'x'}, {0xff, 0xff, 0xff, 0xff, 0x7f}, appendEntry(appendEntry(nil, k, t), tallyKey{}, new(tallied))} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var p Pending
		if readEntries("acme", body, p.at) != nil {
			return
		}
		var again []byte
		for _, k := range sortedKeys(p.tallies) {
			again = appendEntry(again, k, p.tallies[k])
		}
		var q Pending
		require.NoError(t, readEntries("acme", again, q.at))
		require.Equal(t, p, q)
	})
}
