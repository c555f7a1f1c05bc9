package main

import (
	"context"
	"strconv"
	"time"

	"github.com/rota-run/rota"
)

type forecastCmd struct {
	endUserFlag
	betweenFlags
	Bucket *span `placeholder:"TIME" help:"Length of the parts in which runs are counted, from 1m to 7d; 1h by default."`
}

// Run by default counts the runs of the day that begins now.
func (c *forecastCmd) Run(ctx context.Context, s *session) error {
	from, to, zone, err := c.betweenFlags.read()
	if err != nil {
		return err
	}
	var bucket time.Duration
	if c.Bucket != nil {
		bucket = time.Duration(*c.Bucket)
	}
	card := func(f rota.Forecast) []line { return forecastCard(f, zone) }
	return show(s, card)(s.Schedules.Forecast(ctx, from, to, bucket, c.options(s)...))
}

func forecastCard(f rota.Forecast, zone *time.Location) []line {
	return []line{
		{"from", nominal(f.From.In(zone))},
		{"to", nominal(f.To.In(zone))},
		{"total", strconv.FormatInt(f.Total, 10)},
		{"runs", tableText(bucketColumns(zone), f.Data)},
	}
}

func bucketColumns(zone *time.Location) []column[rota.ForecastBucket] {
	return []column[rota.ForecastBucket]{
		{"FROM", func(b rota.ForecastBucket) string { return nominal(b.From.In(zone)) }},
		{"RUNS", func(b rota.ForecastBucket) string { return strconv.FormatInt(b.Count, 10) }},
	}
}
