package main

import (
	"fmt"
	"io"
	"runtime"
	"text/tabwriter"
	"time"
)

type report struct {
	Limit *limit    `json:"store_limit"`
	Load  *load     `json:"load,omitempty"`
	Herd  *load     `json:"herd,omitempty"`
	Idle  *idleness `json:"idle,omitempty"`
}

// A limit is what the store alone takes.
type limit struct {
	Batch     int     `json:"batch"`
	PerSecond float64 `json:"fires_per_second"`
}

// A load is what a server made of schedules that fell due.
type load struct {
	Schedules  int      `json:"schedules"`
	Fires      int      `json:"fires"`
	Rate       float64  `json:"fires_per_second"`
	Lateness   lateness `json:"lateness"`
	Cores      float64  `json:"cores"` // processors that server and model used, on average
	RSS        int64    `json:"rss_bytes"`
	Duplicates int      `json:"duplicates"`
	Lost       int      `json:"lost"`
}

// lateness is in milliseconds.
type lateness struct {
	P50 float64 `json:"p50_ms"`
	P90 float64 `json:"p90_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
}

// An idleness is how a server with nothing due starts.
type idleness struct {
	Schedules    int     `json:"schedules"`
	ReadySeconds float64 `json:"ready_seconds"`
	RSS          int64   `json:"rss_bytes"`
}

// percentiles summarises durations that are sorted.
func percentiles(d []time.Duration) lateness {
	at := func(p float64) float64 {
		if len(d) == 0 {
			return 0
		}
		return float64(d[int(p*float64(len(d)-1))].Microseconds()) / 1000
	}
	return lateness{at(.5), at(.9), at(.99), at(1)}
}

func (r report) print(w io.Writer) {
	fmt.Fprintf(w, "%d processors, %s\n\n", runtime.NumCPU(), runtime.Version())
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tschedules\tfires\tper second\tp50 ms\tp90\tp99\tmax\tcores\tRSS MB\ttwice\tlost\t")
	fmt.Fprintf(t, "store alone, batches of %d\t\t\t%.0f\t\t\t\t\t\t\t\t\t\n", r.Limit.Batch, r.Limit.PerSecond)
	r.Load.print(t, "steady")
	r.Herd.print(t, "all at one instant")
	t.Flush()
	if r.Idle != nil {
		fmt.Fprintf(w, "\n%d idle schedules: ready %.2f s after the start of the process, RSS %d MB\n",
			r.Idle.Schedules, r.Idle.ReadySeconds, r.Idle.RSS>>20)
	}
}

func (l *load) print(w io.Writer, name string) {
	if l == nil {
		return
	}
	fmt.Fprintf(w, "%s\t%d\t%d\t%.0f\t%.1f\t%.1f\t%.1f\t%.1f\t%.2f\t%d\t%d\t%d\t\n", name, l.Schedules, l.Fires, l.Rate,
		l.Lateness.P50, l.Lateness.P90, l.Lateness.P99, l.Lateness.Max, l.Cores, l.RSS>>20, l.Duplicates, l.Lost)
}
