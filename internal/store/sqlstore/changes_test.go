package sqlstore

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

// TestNoted: few changes are named. Of too many, also in transactions that are committed
// together, only the owners are.
func TestNoted(t *testing.T) {
	ana, bob := rota.Owner{Account: "acme", EndUser: "ana"}, rota.Owner{Account: "acme", EndUser: "bob"}
	transaction := func(n int, o rota.Owner) *Pending {
		p := NewPending()
		for i := range n {
			p.noteAgent(o, rota.AgentID(strconv.Itoa(i)))
		}
		return p
	}
	together := transaction(maxNoted-1, ana)
	together.Merge(transaction(1, bob))
	require.Len(t, together.Changes(), maxNoted)
	require.Equal(t, rota.Change{Kind: rota.AgentChanged, ID: "0", AgentID: "0", Account: "acme", EndUser: "bob"}, together.Changes()[maxNoted-1])
	together.Merge(transaction(1, bob))
	require.ElementsMatch(t, []rota.Change{rota.Many(ana), rota.Many(bob)}, together.Changes())
	more := NewPending()
	more.Merge(together)
	more.Merge(transaction(10*maxNoted, ana))
	require.ElementsMatch(t, []rota.Change{rota.Many(ana), rota.Many(bob)}, more.Changes())
	require.Empty(t, NewPending().Changes())
}
