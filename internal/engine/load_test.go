package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

type limitsOf rota.AllLimits

func (l limitsOf) Of(string) rota.AllLimits     { return rota.AllLimits(l) }
func (l limitsOf) Known(rota.Owner) rota.Stored { return rota.Stored{} }

// A number of workers, and what a provider bears, is of runs and responses together. A
// share is of one pool.
func TestWorkersOfRunsAndResponses(t *testing.T) {
	ana := rota.OwnerAt{Owner: rota.Owner{Account: "acme", EndUser: "ana"}, Provider: "p"}
	ben := rota.OwnerAt{Owner: rota.Owner{Account: "acme", EndUser: "ben"}, Provider: "p"}
	others := map[rota.OwnerAt]int{ana: 3}

	fixed := Shares{Workers: 8, Limits: limitsOf{EndUser: rota.Limits{Workers: new(4)}, Account: rota.Limits{Workers: new(6)}}}
	l := NewLoad(nil, others)
	require.True(t, fixed.May(l, ana))
	l.Add(ana, 1)
	require.False(t, fixed.May(l, ana))
	require.True(t, fixed.May(l, ben))
	l.Add(ben, 2)
	require.False(t, fixed.May(l, ben), "the account has six")

	share := Shares{Workers: 8, Limits: limitsOf{}}
	l = NewLoad(map[rota.OwnerAt]int{ana: 5}, others)
	require.True(t, share.May(l, ana), "six of eight, whatever it has elsewhere")
	l.Add(ana, 1)
	require.False(t, share.May(l, ana))
	require.True(t, share.May(l, ben))
	require.False(t, share.Full(l, "p"))
	l.Add(ben, 2)
	require.True(t, share.Full(l, "p"))

	bounded := Shares{Workers: 8, Limits: limitsOf{}, Providers: []Provider{{"q", 1}, {"p", 4}}}
	l = NewLoad(nil, others)
	require.False(t, bounded.May(l, ana), "three quarters of what the provider bears")
	require.True(t, bounded.May(l, ben))
	l.Add(ben, 1)
	require.True(t, bounded.Full(l, "p"))
	require.False(t, bounded.Full(l, "q"))
}
