package engine

import (
	"maps"

	"github.com/rota-run/rota"
)

// Shares says who may have another worker of a pool: the one for runs, or the one for
// background responses. A fixed number of workers is of runs and responses together, and
// so is the bound of a provider; the share that an owner has without a number is of the
// pool.
type Shares struct {
	Workers   int        // of the pool
	Providers []Provider // those that are not here have no bound
	Limits    Limits
}

// A Load counts what workers have.
type Load struct {
	busy     int                // workers of the pool
	share    map[rota.Owner]int // of them
	provider map[string]int     // these count other work too
	account  map[string]int
	owner    map[rota.Owner]int
	at       map[rota.OwnerAt]int
}

// NewLoad returns the load of a pool, with the work that other workers have.
func NewLoad(pool, others map[rota.OwnerAt]int) Load {
	l := Load{
		share: make(map[rota.Owner]int), provider: make(map[string]int), account: make(map[string]int),
		owner: make(map[rota.Owner]int), at: make(map[rota.OwnerAt]int),
	}
	for at, n := range pool {
		l.Add(at, n)
	}
	for at, n := range others {
		l.count(at, n)
	}
	return l
}

// Add counts n more workers of the pool.
func (l *Load) Add(at rota.OwnerAt, n int) {
	l.busy += n
	l.share[at.Owner] += n
	l.count(at, n)
}

func (l *Load) count(at rota.OwnerAt, n int) {
	l.provider[at.Provider] += n
	l.account[at.Owner.Account] += n
	l.owner[at.Owner] += n
	l.at[at] += n
}

func (l Load) clone() Load {
	return Load{l.busy, maps.Clone(l.share), maps.Clone(l.provider), maps.Clone(l.account), maps.Clone(l.owner), maps.Clone(l.at)}
}

// fit reports whether all of the runs may start, in their order.
func (s *Step) fit(l Load, work []rota.Work) bool {
	l = l.clone()
	shares := s.shares()
	for _, w := range work {
		at := rota.OwnerAt{Owner: w.Owner, Provider: w.Provider}
		if p, known := shares.provider(w.Provider); !known || full(p, l) || !shares.May(l, at) {
			return false
		}
		l.Add(at, 1)
	}
	return true
}

func full(p Provider, l Load) bool { return p.Max > 0 && l.provider[p.Name] >= p.Max }

func (s Shares) provider(name string) (Provider, bool) {
	for _, p := range s.Providers {
		if p.Name == name {
			return p, true
		}
	}
	return Provider{}, false
}

// Full reports whether a provider, or the pool, has no place for more.
func (s Shares) Full(l Load, provider string) bool {
	p, _ := s.provider(provider)
	return l.busy >= s.Workers || full(p, l)
}

// May reports whether an owner may have another of the workers that are free.
func (s Shares) May(l Load, at rota.OwnerAt) bool {
	o, limits := at.Owner, s.Limits.Of(at.Owner.Account)
	if limit := limits.Account.Workers; limit != nil && *limit > 0 && l.account[o.Account] >= *limit {
		return false
	}
	if limit := limits.EndUser.Workers; limit != nil {
		return *limit == 0 || l.owner[o] < *limit
	}
	p, _ := s.provider(at.Provider)
	return hasShare(s.Workers, l.busy, l.share[o]) && (p.Max == 0 || hasShare(p.Max, l.provider[p.Name], l.at[at]))
}

// hasShare reports whether an owner that has own of the busy workers may have
// another: it gets at most three quarters, rounded up, of those that the others
// leave. So there is always a worker for one who has none, unless very many have some.
func hasShare(workers, busy, own int) bool {
	left := workers - (busy - own)
	return own < left-left/4
}
