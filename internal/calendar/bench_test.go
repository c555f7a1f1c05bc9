package calendar

import (
	"testing"
	"time"

	"github.com/rota-run/rota"
)

var benchmarks = []struct {
	name string
	spec rota.Spec
}{
	{"weekdays/UTC", cronSpec("0 9 * * 1-5", "UTC")},
	{"weekdays/New_York", cronSpec("0 9 * * 1-5", "America/New_York")},
	{"weekdays/Lord_Howe", cronSpec("0 9 * * 1-5", "Australia/Lord_Howe")},
	{"weekdays/Casablanca", cronSpec("0 9 * * 1-5", "Africa/Casablanca")},
	{"weekdays/Kolkata", cronSpec("0 9 * * 1-5", "Asia/Kolkata")},
	{"minutes/New_York", cronSpec("*/5 * * * *", "America/New_York")},
	{"leapday/New_York", cronSpec("0 0 29 2 *", "America/New_York")},
	{"interval", rota.Spec{Type: rota.Interval, IntervalSeconds: 90}},
}

func BenchmarkNext(b *testing.B) {
	start := time.Date(2030, 6, 1, 12, 0, 0, 0, time.UTC)
	for _, bm := range benchmarks {
		b.Run(bm.name, func(b *testing.B) {
			c := mustParse(b, bm.spec, start)
			b.ReportAllocs()
			t := start
			for b.Loop() {
				t, _ = c.Next(t)
				if t.Year() > 2036 {
					t = start
				}
			}
		})
	}
}

// BenchmarkSpan counts a year of minutes.
func BenchmarkSpan(b *testing.B) {
	c, start := mustParse(b, cronSpec("* * * * *", "America/New_York"), time.Time{}), time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for b.Loop() {
		if n, _ := c.Span(start, start.AddDate(1, 0, 0), 1<<20); n != 365*24*60 {
			b.Fatal(n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for _, bm := range benchmarks {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(bm.spec, time.Time{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestNextDoesNotAllocate(t *testing.T) {
	for _, bm := range benchmarks {
		c := mustParse(t, bm.spec, time.Unix(0, 0))
		at := time.Date(2030, 6, 1, 12, 0, 0, 0, time.UTC)
		if n := testing.AllocsPerRun(200, func() { at, _ = c.Next(at) }); n != 0 {
			t.Errorf("%s: Next allocates %v times", bm.name, n)
		}
	}
}
