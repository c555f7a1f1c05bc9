package temporal

import (
	"math/bits"
	"time"

	"go.temporal.io/sdk/client"
)

// A product is a set of times in UTC: all that combine a member of each of its
// sets, in one year. A calendar of Temporal is such a product.
type product struct {
	year int
	sets [5]set
}

// The sets of a product.
const (
	seconds = iota
	minutes
	hours
	days
	months
)

// A set is numbers from 0 to 63, a bit each.
type set uint64

func only(n int) set { return 1 << n }

// fold returns products that together hold exactly the given times, rounded
// down to whole seconds. They have no time in common.
//
// Two products that differ in one set only are one product, with the union of
// the two sets. That is all it does, set by set.
func fold(times []time.Time) []product {
	all := make([]product, len(times))
	for i, t := range times {
		t = wholeSecond(t).UTC()
		all[i] = product{t.Year(), [5]set{only(t.Second()), only(t.Minute()), only(t.Hour()), only(t.Day()), only(int(t.Month()))}}
	}
	for i := range months + 1 {
		all = unite(all, i)
	}
	return all
}

// unite makes one of all the products that differ only in the set i.
func unite(all []product, i int) (united []product) {
	index := map[product]int{}
	for _, p := range all {
		key := p
		key.sets[i] = 0
		at, ok := index[key]
		if !ok {
			at = len(united)
			index[key] = at
			united = append(united, key)
		}
		united[at].sets[i] |= p.sets[i]
	}
	return united
}

func (p product) calendar() client.ScheduleCalendarSpec {
	return client.ScheduleCalendarSpec{
		Second:     p.sets[seconds].ranges(),
		Minute:     p.sets[minutes].ranges(),
		Hour:       p.sets[hours].ranges(),
		DayOfMonth: p.sets[days].ranges(),
		Month:      p.sets[months].ranges(),
		Year:       []client.ScheduleRange{{Start: p.year, End: p.year, Step: 1}},
	}
}

// ranges writes the set as ranges with steps: from its smallest member, at the
// distance of the next, for as long as that goes on; and so on with the rest.
func (s set) ranges() (all []client.ScheduleRange) {
	for s != 0 {
		start := bits.TrailingZeros64(uint64(s))
		s &^= only(start)
		r := client.ScheduleRange{Start: start, End: start, Step: 1}
		if s != 0 {
			r.Step = bits.TrailingZeros64(uint64(s)) - start
		}
		for next := start + r.Step; s&only(next) != 0; next += r.Step {
			s &^= only(next)
			r.End = next
		}
		all = append(all, r)
	}
	return all
}
