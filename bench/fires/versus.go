package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

// A versus is the server on Temporal beside bare schedules of Temporal.
type versus struct {
	Rounds []round `json:"rounds"`

	// Medians of the rounds.
	Rate  float64 `json:"rate_ratio"`   // fires per second, ours to theirs
	Added float64 `json:"added_p50_ms"` // p50 of our lateness less theirs
}

// A round is one measurement of each.
type round struct {
	Ours    row      `json:"rota"`
	Decided lateness `json:"rota_decided"` // as the ledger has it: until the outcome was on record
	Bare    row      `json:"bare"`
}

// A row is what came of the nominal times of a window.
type row struct {
	Schedules  int      `json:"schedules"`
	Fires      int      `json:"fires"`
	Due        int      `json:"due"`
	Rate       float64  `json:"fires_per_second"`
	Lateness   lateness `json:"lateness"`
	Lost       int      `json:"lost"`
	Duplicates int      `json:"duplicates"`
}

// row returns what calls say about a window. What was lost and what came twice
// is still to be added.
func (w window) row(calls []call) row {
	r := row{Schedules: w.schedules, Due: w.due()}
	var late []time.Duration
	inTime := 0
	for _, c := range calls {
		if !w.has(c.nominal()) {
			continue
		}
		late = append(late, c.late)
		if c.at.Before(w.end().Add(tail)) {
			inTime++
		}
	}
	slices.Sort(late)
	r.Fires, r.Lateness, r.Rate = len(late), percentiles(late), float64(inTime)/w.d.Seconds()
	return r
}

// compare fills in the medians.
func (v *versus) compare() {
	var rates, added []float64
	for _, r := range v.Rounds {
		rates = append(rates, r.Ours.Rate/max(r.Bare.Rate, 1e-9))
		added = append(added, r.Ours.Lateness.P50-r.Bare.Lateness.P50)
	}
	v.Rate, v.Added = median(rates), median(added)
}

func median(all []float64) float64 {
	slices.Sort(all)
	n := len(all)
	if n == 0 {
		return 0
	}
	return (all[(n-1)/2] + all[n/2]) / 2
}

func (v *versus) print(w io.Writer) {
	fmt.Fprintf(w, "%d processors, %s\n\n", runtime.NumCPU(), runtime.Version())
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tschedules\tfires\tdue\tper second\tp50 ms\tp90\tp99\tmax\tlost\ttwice\t")
	for _, r := range v.Rounds {
		r.Ours.print(t, "rota, at the model")
		l := r.Decided
		fmt.Fprintf(t, "rota, decided\t\t\t\t\t%.1f\t%.1f\t%.1f\t%.1f\t\t\t\n", l.P50, l.P90, l.P99, l.Max)
		r.Bare.print(t, "bare schedules")
	}
	t.Flush()
	fmt.Fprintf(w, "\nfires per second, rota to bare: %.3f\nlateness p50, rota less bare: %+.1f ms\n", v.Rate, v.Added)
}

func (r row) print(w io.Writer, name string) {
	fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%d\t%d\t\n", name, r.Schedules, r.Fires, r.Due, r.Rate,
		r.Lateness.P50, r.Lateness.P90, r.Lateness.P99, r.Lateness.Max, r.Lost, r.Duplicates)
}
