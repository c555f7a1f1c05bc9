package temporal

import (
	"math/bits"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"pgregory.net/rapid"
)

// TestFoldLosesAndAddsNothing writes times as products and reads them back.
func TestFoldLosesAndAddsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := rapid.Int64Range(0, 130*365*86_400).Draw(t, "start")
		// Steps that are likely to make products, and steps that are not.
		step := rapid.SampledFrom([]int64{1, 60, 300, 3600, 86_400, 7 * 86_400, 31 * 86_400, 1234})
		var times []time.Time
		for range rapid.IntRange(0, 200).Draw(t, "count") {
			times = append(times, time.Unix(start, 0).UTC())
			start += step.Draw(t, "step")
		}
		var back []time.Time
		for _, p := range fold(times) {
			back = append(back, p.members(t)...)
		}
		slices.SortFunc(back, time.Time.Compare)
		require.Equal(t, times, back)
	})
}

// members returns the times of a product, from its calendar.
func (p product) members(t require.TestingT) (all []time.Time) {
	c := p.calendar()
	for _, month := range numbers(c.Month) {
		for _, day := range numbers(c.DayOfMonth) {
			for _, hour := range numbers(c.Hour) {
				for _, minute := range numbers(c.Minute) {
					for _, second := range numbers(c.Second) {
						at := time.Date(c.Year[0].Start, time.Month(month), day, hour, minute, second, 0, time.UTC)
						require.Equal(t, day, at.Day(), "a day that the month does not have")
						all = append(all, at)
					}
				}
			}
		}
	}
	return all
}

func numbers(ranges []client.ScheduleRange) (all []int) {
	for _, r := range ranges {
		for n := r.Start; n <= r.End; n += r.Step {
			all = append(all, n)
		}
	}
	return all
}

func TestRangesHoldTheSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := set(rapid.Uint64Range(0, 1<<60-1).Draw(t, "set"))
		var back set
		all := numbers(s.ranges())
		for _, n := range all {
			back |= only(n)
		}
		require.Equal(t, s, back)
		require.Len(t, all, bits.OnesCount64(uint64(s)), "a number in two ranges")
	})
}

func TestRanges(t *testing.T) {
	for _, tt := range []struct {
		numbers []int
		want    []client.ScheduleRange
	}{
		{nil, nil},
		{[]int{0}, []client.ScheduleRange{{Start: 0, End: 0, Step: 1}}},
		{[]int{0, 15, 30, 45}, []client.ScheduleRange{{Start: 0, End: 45, Step: 15}}},
		{[]int{1, 2, 3, 5, 7, 63}, []client.ScheduleRange{{Start: 1, End: 3, Step: 1}, {Start: 5, End: 7, Step: 2}, {Start: 63, End: 63, Step: 1}}},
		{[]int{0, 2, 3, 4}, []client.ScheduleRange{{Start: 0, End: 4, Step: 2}, {Start: 3, End: 3, Step: 1}}},
	} {
		var s set
		for _, n := range tt.numbers {
			s |= only(n)
		}
		require.Equal(t, tt.want, s.ranges())
	}
}
