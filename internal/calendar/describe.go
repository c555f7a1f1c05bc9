package calendar

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/rota-run/rota"
)

// Describe returns the times as a sentence in English without a full stop,
// such as "every weekday at 09:00, Madrid time". It is for people to read; its
// wording may change.
func (c Calendar) Describe() string {
	switch c.kind {
	case rota.Once:
		local := c.at.time().In(c.Location())
		return local.Format("once, on Monday 2 January 2006 at "+clockLayout(local)) + ", " + c.zonePhrase()
	case rota.Interval:
		return "every " + periodPhrase(c.every/1000)
	case rota.Cron:
		return c.cron.phrase() + ", " + c.zonePhrase()
	default:
		return "never"
	}
}

func clockLayout(t time.Time) string {
	switch {
	case t.Nanosecond() != 0:
		return "15:04:05.000"
	case t.Second() != 0:
		return "15:04:05"
	default:
		return "15:04"
	}
}

// zonePhrase names the clock that the times are read from.
func (c Calendar) zonePhrase() string {
	name := c.Location().String()
	if !strings.Contains(name, "/") || strings.HasPrefix(name, "Etc/") {
		return name
	}
	return strings.ReplaceAll(city(name), "_", " ") + " time"
}

// periodPhrase writes a number of seconds in the largest units: "hour",
// "90 seconds" as "1 minute and 30 seconds".
func periodPhrase(seconds int64) string {
	var parts []string
	for _, unit := range [...]struct {
		name    string
		seconds int64
	}{{"day", 86_400}, {"hour", 3_600}, {"minute", 60}, {"second", 1}} {
		if n := seconds / unit.seconds; n > 0 {
			parts = append(parts, plural(n, unit.name))
		}
		seconds %= unit.seconds
	}
	if len(parts) == 1 {
		return strings.TrimPrefix(parts[0], "1 ")
	}
	return joinAnd(parts)
}

func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func joinAnd(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	last := len(parts) - 1
	return strings.Join(parts[:last], ", ") + " and " + parts[last]
}

// phrase says when the expression matches, without the zone.
func (c cron) phrase() string {
	const allHours = 1<<24 - 1
	times, days := c.timePhrase(), c.dayPhrase()
	prefixed := strings.HasPrefix(times, "at ")
	switch {
	case days == "every day" && (!prefixed || c.hours == allHours):
		return times
	case prefixed:
		return days + " " + times
	default:
		return times + ", " + days
	}
}

// mostTimes is how many times of day are still listed one by one.
const mostTimes = 6

func (c cron) timePhrase() string {
	minutes, hours := members(c.minutes), members(uint64(c.hours))
	clock := func(hour, minute int) string { return fmt.Sprintf("%02d:%02d", hour, minute) }
	from, to := clock(hours[0], minutes[0]), clock(hours[len(hours)-1], minutes[len(minutes)-1])
	hourStep, evenly := stepOf(hours)
	minuteStep, minutesEvenly := stepOf(minutes)

	switch {
	case len(hours) == 24:
		return minutePhrase(minutes, "every hour")
	case len(minutes) == 1 && evenly:
		return fmt.Sprintf("every %s from %s to %s", periodPhrase(int64(hourStep)*3600), from, to)
	case len(minutes) == 1 || len(minutes)*len(hours) <= mostTimes:
		return "at " + joinAnd(products(hours, minutes, clock))
	case len(hours) == 1 && minutesEvenly:
		return fmt.Sprintf("every %s from %s to %s", periodPhrase(int64(minuteStep)*60), from, to)
	case len(hours) == 1 || evenly && hourStep == 1:
		return fmt.Sprintf("%s from %s to %s", minutePhrase(minutes, "the hour"), from, to)
	default:
		return fmt.Sprintf("%s, in the hours %s", minutePhrase(minutes, "the hour"), joinAnd(texts(hours, "%02d")))
	}
}

// minutePhrase says when in every hour the minutes are.
func minutePhrase(minutes []int, hour string) string {
	step, evenly := stepOf(minutes)
	switch {
	case len(minutes) == 1 && minutes[0] == 0:
		return "every hour"
	case evenly && minutes[0] == 0 && step*len(minutes) == 60:
		return "every " + periodPhrase(int64(step)*60)
	case evenly && len(minutes) > mostTimes:
		return fmt.Sprintf("every %s from %d to %d past %s", periodPhrase(int64(step)*60), minutes[0], minutes[len(minutes)-1], hour)
	case len(minutes) == 1 && minutes[0] == 1:
		return "at 1 minute past " + hour
	default:
		return fmt.Sprintf("at %s minutes past %s", joinAnd(texts(minutes, "%d")), hour)
	}
}

// products returns the times of day of all the hours and minutes.
func products(hours, minutes []int, clock func(hour, minute int) string) []string {
	var all []string
	for _, h := range hours {
		for _, m := range minutes {
			all = append(all, clock(h, m))
		}
	}
	return all
}

func (c cron) dayPhrase() string {
	numbers, weekdays := members(uint64(c.days)), members(uint64(c.weekdays))
	anyNumber, anyWeekday, anyMonth := len(numbers) == 31, len(weekdays) == 7, bits.OnesCount16(c.months) == 12
	switch {
	case c.either:
		return fmt.Sprintf("on %s of %s and on %s", numberPhrase(numbers), c.monthPhrase(), weekdayPhrase(weekdays)+c.inMonths())
	case anyNumber && anyWeekday && anyMonth:
		return "every day"
	case anyNumber && anyWeekday:
		return "every day" + c.inMonths()
	case anyNumber:
		return weekdayPhrase(weekdays) + c.inMonths()
	case anyWeekday:
		return fmt.Sprintf("on %s of %s", numberPhrase(numbers), c.monthPhrase())
	default:
		return fmt.Sprintf("%s that is %s of %s", weekdayPhrase(weekdays), numberPhrase(numbers), c.monthPhrase())
	}
}

func (c cron) inMonths() string {
	switch months := c.monthPhrase(); {
	case months == "every month":
		return ""
	case strings.Contains(months, " to "):
		return " from " + months
	default:
		return " in " + months
	}
}

func (c cron) monthPhrase() string {
	months := members(uint64(c.months))
	if len(months) == 12 {
		return "every month"
	}
	return listOrRange(months, func(m int) string { return time.Month(m).String() })
}

func weekdayPhrase(weekdays []int) string {
	if slices.Equal(weekdays, []int{1, 2, 3, 4, 5}) {
		return "every weekday"
	}
	if len(weekdays) > 1 && weekdays[0] == 0 { // the week begins on Monday
		weekdays = append(weekdays[1:], 7)
	}
	return "every " + listOrRange(weekdays, func(d int) string { return time.Weekday(d % 7).String() })
}

// numberPhrase writes days of the month.
func numberPhrase(days []int) string {
	step, evenly := stepOf(days)
	if evenly && step > 1 && len(days) > mostTimes {
		return fmt.Sprintf("every %s day from the %s to the %s", ordinal(step), ordinal(days[0]), ordinal(days[len(days)-1]))
	}
	return "the " + listOrRange(days, ordinal)
}

// listOrRange writes numbers in a row, if they are more than two, as a range.
func listOrRange(numbers []int, write func(int) string) string {
	if step, evenly := stepOf(numbers); evenly && step == 1 {
		return write(numbers[0]) + " to " + write(numbers[len(numbers)-1])
	}
	var all []string
	for _, n := range numbers {
		all = append(all, write(n))
	}
	return joinAnd(all)
}

func ordinal(n int) string {
	suffix := "th"
	if n/10 != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return fmt.Sprint(n, suffix)
}

// stepOf returns the distance between numbers, if there are at least three and
// it is always the same; two numbers make no pattern.
func stepOf(numbers []int) (step int, evenly bool) {
	if len(numbers) < 3 {
		return 0, false
	}
	step = numbers[1] - numbers[0]
	for i := 2; i < len(numbers); i++ {
		if numbers[i]-numbers[i-1] != step {
			return 0, false
		}
	}
	return step, true
}

func texts(numbers []int, format string) []string {
	var all []string
	for _, n := range numbers {
		all = append(all, fmt.Sprintf(format, n))
	}
	return all
}

// members returns the numbers in a set, in order.
func members(set uint64) []int {
	var all []int
	for ; set != 0; set &= set - 1 {
		all = append(all, bits.TrailingZeros64(set))
	}
	return all
}
