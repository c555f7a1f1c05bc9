package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

// A lane as text has a sign for each kind, the worst where several are in one place, and what
// is to come behind now.
func TestDrawLane(t *testing.T) {
	start := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	at := func(hours int) rota.Instant { return rota.InstantOf(start.Add(time.Duration(hours) * time.Hour)) }
	part := func(from, to int, outcome rota.Outcome, phase rota.Phase) rota.LanePart {
		p := rota.LanePart{From: at(from), To: at(to), Count: 1}
		if outcome != "" {
			word := string(outcome)
			p.Outcome = &word
		}
		if phase != "" {
			p.Phase = &phase
		}
		return p
	}
	l := rota.Lanes{From: at(0), Now: at(24), To: at(48)}
	lane := rota.Lane{
		Past: []rota.LanePart{
			part(0, 0, rota.Fired, rota.PhaseCompleted), part(1, 1, rota.Fired, rota.PhaseFailed), part(1, 1, rota.Fired, rota.PhaseCompleted),
			part(3, 5, rota.MissedOutcome, ""), part(7, 7, rota.Blocked, ""), part(8, 8, rota.SkippedOverlap, ""), part(23, 23, rota.Fired, rota.PhaseRunning),
		},
		Ahead: []rota.LanePart{part(24, 24, "", ""), part(30, 30, rota.SkippedRequested, ""), part(60, 60, "", "")},
	}
	require.Equal(t, "ox !!! #-              ~|.     -                .", drawLane(l, lane))
}
