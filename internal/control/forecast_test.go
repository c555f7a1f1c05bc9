package control_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The runs that max_runs leaves are taken by the times before the forecast
// begins.
func TestForecastCountsWhatIsLeft(t *testing.T) {
	w := newWorld(t)
	w.schedule(hourly, `,"policy":{"max_runs":5}`)
	w.schedule(hourly, "")
	count := func(from, to time.Duration) int64 {
		f, err := w.Forecast(t.Context(), caller, "", w.now.Add(from), w.now.Add(to), time.Hour)
		require.NoError(t, err)
		return f.Total
	}
	require.EqualValues(t, 5+10, count(0, 10*time.Hour+time.Minute))
	require.EqualValues(t, 2+7, count(4*time.Hour, 10*time.Hour+time.Minute))
	require.EqualValues(t, 0+4, count(7*time.Hour, 10*time.Hour+time.Minute))
}
