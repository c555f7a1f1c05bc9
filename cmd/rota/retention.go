package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rota-run/rota"
)

type retentionCmd struct {
	Get retentionGet `cmd:"" help:"Show how long runs and occurrences are kept." example:"rota retention get"`
	Set retentionSet `cmd:"" help:"Set how long runs and occurrences are kept. What is older is deleted in the background; what no flag says is as the server says." example:"rota retention set --runs 720h --occurrences 2160h"`
}

type retentionGet struct{}

func (c *retentionGet) Run(ctx context.Context, s *session) error {
	return show(s, retentionCard)(s.Account.Retention(ctx, s.call...))
}

type retentionSet struct {
	Runs        *time.Duration `placeholder:"DURATION" help:"How long a run is kept after it has ended, such as 720h: 1h or more, or 0 for ever."`
	Occurrences *time.Duration `placeholder:"DURATION" help:"How long an occurrence is kept after its time: 1h or more, or 0 for ever."`
}

func (c *retentionSet) Run(ctx context.Context, s *session) error {
	in := rota.RetentionPut{RunsSeconds: wholeSeconds(c.Runs), OccurrencesSeconds: wholeSeconds(c.Occurrences)}
	return show(s, retentionCard)(s.Account.PutRetention(ctx, in, s.call...))
}

func wholeSeconds(d *time.Duration) (o rota.Opt[int64]) {
	if d == nil {
		return o
	}
	return rota.Some(int64(d.Seconds()))
}

func retentionCard(r rota.Retention) []line {
	kept := func(name string, seconds int64) string {
		text := "for ever"
		if seconds > 0 {
			text = (time.Duration(seconds) * time.Second).String()
		}
		if slices.Contains(r.Inherited, name) {
			text = fmt.Sprintf("%s (the server's setting)", text)
		}
		return text
	}
	return []line{{"runs", kept("runs_seconds", r.RunsSeconds)}, {"occurrences", kept("occurrences_seconds", r.OccurrencesSeconds)}}
}
