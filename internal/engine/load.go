package engine

import "github.com/rota-run/rota"

// A load counts the runs that are worked on.
type load struct {
	all      int
	provider map[string]int
	account  map[string]int
	owner    map[rota.Owner]int
	at       map[rota.OwnerAt]int
}

func newLoad(busy map[rota.OwnerAt]int) load {
	l := load{
		provider: make(map[string]int), account: make(map[string]int), owner: make(map[rota.Owner]int), at: make(map[rota.OwnerAt]int),
	}
	for at, n := range busy {
		l.add(at, n)
	}
	return l
}

func (l *load) add(at rota.OwnerAt, n int) {
	l.all += n
	l.provider[at.Provider] += n
	l.account[at.Owner.Account] += n
	l.owner[at.Owner] += n
	l.at[at] += n
}

func (l load) clone() load { return newLoad(l.at) }

// fit reports whether all of the runs may start, in their order.
func (s *Step) fit(l load, work []rota.Work) bool {
	l = l.clone()
	providers := make(map[string]Provider)
	for _, p := range s.Providers {
		providers[p.Name] = p
	}
	for _, w := range work {
		p, known := providers[w.Provider]
		if !known || p.Max > 0 && l.provider[p.Name] >= p.Max || !s.may(l, p, w.Owner) {
			return false
		}
		l.add(rota.OwnerAt{Owner: w.Owner, Provider: p.Name}, 1)
	}
	return true
}

// may reports whether an owner may have another of the workers that are free.
func (s *Step) may(l load, p Provider, o rota.Owner) bool {
	limits := s.Limits.Of(o.Account)
	if limit := limits.Account.Workers; limit != nil && *limit > 0 && l.account[o.Account] >= *limit {
		return false
	}
	if limit := limits.EndUser.Workers; limit != nil {
		return *limit == 0 || l.owner[o] < *limit
	}
	return hasShare(s.MaxConcurrentRuns, l.all, l.owner[o]) &&
		(p.Max == 0 || hasShare(p.Max, l.provider[p.Name], l.at[rota.OwnerAt{Owner: o, Provider: p.Name}]))
}

// hasShare reports whether an owner that has own of the busy workers may have
// another: it gets at most three quarters, rounded up, of those that the others
// leave. So there is always a worker for one who has none, unless very many have some.
func hasShare(workers, busy, own int) bool {
	left := workers - (busy - own)
	return own < left-left/4
}
