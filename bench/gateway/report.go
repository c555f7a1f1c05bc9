package main

import (
	"fmt"
	"io"
	"runtime"
	"text/tabwriter"
	"time"
)

type report struct {
	o      options
	First  []answers `json:"first_token,omitempty"`
	Stored []answers `json:"first_token_stored,omitempty"`
	Paced  []flow    `json:"paced,omitempty"`
	Silent []quiet   `json:"silent,omitempty"`
	Turns  *past     `json:"turns,omitempty"`
}

// A spread is in milliseconds.
type spread struct {
	P50 float64 `json:"p50_ms"`
	P90 float64 `json:"p90_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
}

// answers are how long a target took to say the first word, and to end.
type answers struct {
	Name  string `json:"name"`
	First spread `json:"first"`
	End   spread `json:"end"`
}

// A flow is what came of many streams at once.
type flow struct {
	Name    string  `json:"name"`
	Streams int     `json:"streams"`
	Deltas  int     `json:"deltas"`
	Rate    float64 `json:"deltas_per_second"`
	Late    spread  `json:"late"`  // since the moment at which the provider was to say it
	Cores   float64 `json:"cores"` // processors that the target used, on average
}

// quiet is what a target needs for streams of which nothing comes.
type quiet struct {
	Name    string `json:"name"`
	Streams int    `json:"streams"`
	Before  int64  `json:"rss_before_bytes"`
	After   int64  `json:"rss_after_bytes"`
}

// A past is how long it takes to go on from many turns.
type past struct {
	Turns    int    `json:"turns"`
	Assembly spread `json:"assembly"`
	Direct   spread `json:"direct"`
	Through  spread `json:"through"`
}

func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "%d processors, %s\n", runtime.NumCPU(), runtime.Version())
	for _, part := range []struct {
		title string
		rows  []answers
	}{{"store: false", r.First}, {"store: true", r.Stored}} {
		table(w, part.rows, part.title, "first token p50 ms\tp90\tp99\tmax\tadded p50\tadded p99\twhole p50\tp99", func(a answers) []any {
			least := part.rows[0].First
			return []any{a.First.P50, a.First.P90, a.First.P99, a.First.Max, a.First.P50 - least.P50, a.First.P99 - least.P99, a.End.P50, a.End.P99}
		}, func(a answers) string { return a.Name })
	}
	table(w, r.Paced, fmt.Sprintf("%d streams for %s, each of %d deltas/s", r.o.streams, r.o.duration.Round(time.Second), r.o.pace), "deltas/s\tof direct\tlate p50 ms\tp90\tp99\tmax\tcores", func(f flow) []any {
		return []any{f.Rate, f.Rate / r.Paced[0].Rate, f.Late.P50, f.Late.P90, f.Late.P99, f.Late.Max, f.Cores}
	}, func(f flow) string { return f.Name })
	table(w, r.Silent, fmt.Sprintf("%d silent streams", r.o.silent), "RSS before MiB\tRSS with them\tKiB a stream", func(q quiet) []any {
		return []any{float64(q.Before) / (1 << 20), float64(q.After) / (1 << 20), float64(q.After-q.Before) / float64(q.Streams) / 1024}
	}, func(q quiet) string { return q.Name })
	if p := r.Turns; p != nil {
		rows := []answers{{Name: "assembly alone", First: p.Assembly}, {Name: "first token, all of them told directly", First: p.Direct}, {Name: "first token through Rota, which has them", First: p.Through}}
		table(w, rows, fmt.Sprintf("%d turns before", p.Turns), "p50 ms\tp90\tp99\tmax", func(a answers) []any {
			return []any{a.First.P50, a.First.P90, a.First.P99, a.First.Max}
		}, func(a answers) string { return a.Name })
	}
}

// table prints rows, unless there are none.
func table[T any](w io.Writer, rows []T, title, columns string, figures func(T) []any, name func(T) string) {
	if len(rows) == 0 {
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\n%s\t%s\t\n", title, columns)
	for _, row := range rows {
		fmt.Fprint(t, name(row), "\t")
		for _, f := range figures(row) {
			fmt.Fprintf(t, "%.2f\t", f)
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush()
}
