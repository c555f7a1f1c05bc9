package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestLastTime: a time of day is the last one that the schedule's clock has shown.
func TestLastTime(t *testing.T) {
	madrid, err := time.LoadLocation("Europe/Madrid")
	require.NoError(t, err)
	now := time.Date(2026, 11, 30, 8, 30, 0, 0, time.UTC) // 09:30 in Madrid
	for text, want := range map[string]string{
		"09:05": "2026-11-30T08:05:00Z", "09:30": "2026-11-30T08:30:00Z", "09:31": "2026-11-29T08:31:00Z",
		"2026-12-01T09:00": "2026-12-01T08:00:00Z", "2026-12-01T09:00:00+05:00": "2026-12-01T04:00:00Z",
	} {
		got, err := lastTime(text, madrid, now)
		require.NoError(t, err, text)
		require.Equal(t, want, got.UTC().Format(time.RFC3339), text)
	}
	for _, text := range []string{"", "9", "25:00", "noon"} {
		_, err := lastTime(text, madrid, now)
		require.Error(t, err, text)
	}
}
