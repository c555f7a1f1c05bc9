package calendar

import (
	"math/bits"
	"time"
)

// A cron is a compiled cron expression: sets of numbers, each a bit.
type cron struct {
	minutes  uint64
	hours    uint32
	days     uint32 // of the month, from 1
	months   uint16 // from 1
	weekdays uint8  // from Sunday, which is 0

	// either says that a day matches by its number or by its weekday;
	// otherwise it must match by both.
	either bool

	// realTime says that the hours are counted in real time: the expression
	// matches whatever the clock shows, when it shows it. Otherwise each
	// wall-clock time happens once.
	realTime bool
}

// next returns the first time after t in the zone loc.
func (c cron) next(loc *time.Location, t instant) (instant, bool) {
	if c.realTime {
		return c.nextInRealTime(loc, t)
	}
	w, ok := c.from(shown(loc, t) + 1)
	if !ok {
		return 0, false
	}
	return reach(loc, w), true
}

func (c cron) nextInRealTime(loc *time.Location, t instant) (instant, bool) {
	t++
	for {
		s := stretchAt(loc, t)
		w, ok := c.from(s.wall(t))
		if !ok {
			return 0, false
		}
		if at := s.instant(w); at < s.end {
			return at, true
		}
		t = s.end
	}
}

// from returns the first wall-clock time that matches, not before w.
func (c cron) from(w wall) (wall, bool) {
	today, ms := floorDiv(int64(w), day)
	d, ok := c.dayFrom(today)
	if ok && d == today {
		if m := c.minuteFrom((ms + minute - 1) / minute); m >= 0 {
			return wall(d*day + m*minute), true
		}
		d, ok = c.dayFrom(today + 1)
	}
	return wall(d*day + c.minuteFrom(0)*minute), ok
}

// minuteFrom returns the first minute of the day that matches, not before m,
// or -1.
func (c cron) minuteFrom(m int64) int64 {
	h := m / 60
	if rest := c.minutes >> (m % 60); c.hours>>h&1 != 0 && rest != 0 {
		return m + int64(bits.TrailingZeros64(rest))
	}
	later := c.hours >> (h + 1)
	if later == 0 {
		return -1
	}
	h += 1 + int64(bits.TrailingZeros32(later))
	return h*60 + int64(bits.TrailingZeros64(c.minutes))
}

// patience is for how many years a matching day is looked for. A 29 February
// on a given weekday comes back after 40 years at the latest, and nothing is
// rarer.
const patience = 40

// dayFrom returns the first day since 1970 that matches, not before d.
func (c cron) dayFrom(d int64) (int64, bool) {
	year, month, dom := wall(d * day).time().Date()
	first := d - int64(dom) + 1
	for last := year + patience; year <= last; {
		length := daysIn(year, month)
		if c.months>>month&1 != 0 {
			if left := c.daysOf(first, length) >> dom; left != 0 {
				return first + int64(dom-1+bits.TrailingZeros32(left)), true
			}
		}
		first += int64(length)
		dom = 1
		if month++; month > time.December {
			year, month = year+1, time.January
		}
	}
	return 0, false
}

// daysOf returns the days that match of a month, of which first is the first
// day since 1970.
func (c cron) daysOf(first int64, length int) uint32 {
	const everyWeek = 1 | 1<<7 | 1<<14 | 1<<21 | 1<<28
	_, weekday := floorDiv(first+int64(time.Thursday), 7)
	week := uint64(c.weekdays)>>weekday | uint64(c.weekdays)<<(7-weekday)
	byWeekday := uint32((week & 0x7f) * everyWeek << 1)

	inMonth := uint32(1)<<length<<1 - 1
	if c.either {
		return (c.days | byWeekday) & inMonth
	}
	return c.days & byWeekday & inMonth
}

// never reports whether no day ever matches. Sooner or later every day of every
// month falls on every weekday, 29 February included, so the only cause is that no
// month of the expression is long enough.
func (c cron) never() bool {
	if c.either {
		return false
	}
	for m := time.January; m <= time.December; m++ {
		if c.months>>m&1 != 0 && c.days&(1<<(longest(m)+1)-1) != 0 {
			return false
		}
	}
	return true
}

// longest returns the number of days that a month can have.
func longest(m time.Month) int {
	switch m {
	case time.February:
		return 29
	case time.April, time.June, time.September, time.November:
		return 30
	default:
		return 31
	}
}

func daysIn(year int, m time.Month) int {
	leap := year%4 == 0 && (year%100 != 0 || year%400 == 0)
	if m == time.February && !leap {
		return 28
	}
	return longest(m)
}

// floorDiv divides a by b, which is positive, and rounds down.
func floorDiv(a, b int64) (quotient, remainder int64) {
	quotient, remainder = a/b, a%b
	if remainder < 0 {
		return quotient - 1, remainder + b
	}
	return quotient, remainder
}
