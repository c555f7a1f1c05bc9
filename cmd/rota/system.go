package main

import (
	"context"

	"github.com/rota-run/rota"
)

type systemCmd struct{}

func (systemCmd) Run(ctx context.Context, s *session) error {
	return show(s, systemLines)(s.System.Get(ctx, s.call...))
}

func systemLines(y rota.SystemInfo) []line {
	return []line{
		{"version", y.Version},
		{"commit", y.Commit},
		{"time", stamp(&y.Time)},
		{"time zone data", y.ZoneData.Version + " (" + y.ZoneData.Source + ")"},
	}
}
