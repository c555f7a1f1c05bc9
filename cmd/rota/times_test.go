package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMoments(t *testing.T) {
	for _, test := range []struct{ typed, zone, want string }{
		{"2026-12-01T09:00", "UTC", "2026-12-01T09:00:00Z"},
		{"2026-12-01 09:00", "Europe/Madrid", "2026-12-01T08:00:00Z"},
		{"2026-12-01 09:00:30", "Europe/Madrid", "2026-12-01T08:00:30Z"},
		{"2026-12-01T09:00:00.25-05:00", "Europe/Madrid", "2026-12-01T14:00:00.25Z"},
		{"2026-03-29T02:30", "Europe/Madrid", "2026-03-29T01:00:00Z"}, // the clock skips it: when it goes on
		{"2026-10-25T02:30", "Europe/Madrid", "2026-10-25T00:30:00Z"}, // the clock repeats it: the first time
		{"2026-11-01T01:30", "America/New_York", "2026-11-01T05:30:00Z"},
	} {
		var m moment
		require.NoError(t, m.UnmarshalText([]byte(test.typed)))
		zone, err := zoneFlag{test.zone}.location()
		require.NoError(t, err)
		got, err := m.in(zone)
		require.NoError(t, err)
		require.Equal(t, test.want, nominal(got), "%s in %s", test.typed, test.zone)
	}
}

func TestWhatIsNoMoment(t *testing.T) {
	for _, typed := range []string{"", "now", "2026-12-01", "09:00", "2026-13-01T09:00", "2026-12-01T09:00 Europe/Madrid", "10000-01-01T00:00"} {
		require.ErrorContains(t, new(moment).UnmarshalText([]byte(typed)), "is not a time such as 2026-12-01T09:00", typed)
	}
	newYork, err := zoneFlag{"America/New_York"}.location()
	require.NoError(t, err)
	late := moment("9999-12-31T23:30:00")
	_, err = late.in(newYork)
	require.Error(t, err, "it is later than the year 9999 of UTC")
}

func TestANominalTimeIsToldToTheMillisecond(t *testing.T) {
	at := time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)
	madrid := time.FixedZone("", 3600)
	require.Equal(t, "2026-12-01T08:00:00Z", nominal(at))
	require.Equal(t, "2026-12-01T09:00:00.005+01:00", nominal(at.Add(5*time.Millisecond).In(madrid)))
}
