package control

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

func TestSummaryOf(t *testing.T) {
	from := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	hour := func(n int, change func(*rota.HourTally)) rota.HourTally {
		h := rota.HourTally{Hour: from.Add(time.Duration(n) * time.Hour)}
		change(&h)
		return h
	}
	s := summaryOf([]rota.HourTally{
		hour(0, func(h *rota.HourTally) {
			h.Tally.Outcomes.Fired, h.Tally.Late[rota.LatenessBucket(4)] = 98, 98
			h.Tally.Runs.Failed, h.Errors = 3, []rota.ErrorCount{{Phase: rota.PhaseFailed, Code: "timeout", Count: 1}, {Phase: rota.PhaseFailed, Code: "rate_limited", Count: 2}}
		}),
		hour(1, func(h *rota.HourTally) {
			h.Tally.Outcomes.Fired, h.Tally.Late[rota.LatenessBucket(900)], h.Tally.Late[rota.LatenessBucket(40_000)] = 2, 1, 1
			h.Tally.Tokens.Total, h.Errors = 7, []rota.ErrorCount{{Phase: rota.PhaseFailed, Code: "timeout", Count: 4}}
		}),
		hour(4, func(h *rota.HourTally) { h.Tally.Outcomes.Missed = 5 }),
	}, from, from.Add(5*time.Hour), 2*time.Hour)
	require.Len(t, s.Data, 3)
	first := s.Data[0]
	require.EqualValues(t, 100, first.Occurrences.Fired)
	require.Equal(t, []rota.ErrorCount{{Phase: rota.PhaseFailed, Code: "timeout", Count: 5}, {Phase: rota.PhaseFailed, Code: "rate_limited", Count: 2}}, first.Errors)
	require.Equal(t, rota.Lateness{Count: 100, P50MS: new(int64(5)), P99MS: new(int64(1000))}, first.Lateness)
	require.Equal(t, rota.SummaryCounts{Errors: []rota.ErrorCount{}}, s.Data[1].SummaryCounts, "nothing happened")
	require.EqualValues(t, 5, s.Data[2].Occurrences.Missed)
	require.Equal(t, from.Add(5*time.Hour), s.Data[2].To.Time, "the last bucket ends with the summary")
	require.EqualValues(t, 5, s.Total.Occurrences.Missed)
	require.EqualValues(t, 7, s.Total.Tokens.Total)
}

func TestSummarySpan(t *testing.T) {
	now := time.Date(2026, 12, 1, 10, 20, 0, 0, time.UTC)
	from, to := summarySpan(now, time.Time{}, time.Time{})
	require.Equal(t, now.Truncate(time.Hour).Add(time.Hour), to)
	require.Equal(t, to.Add(-24*time.Hour), from)
	from, to = summarySpan(now, now, now.Truncate(time.Hour).Add(2*time.Hour))
	require.Equal(t, now.Truncate(time.Hour), from)
	require.Equal(t, now.Truncate(time.Hour).Add(2*time.Hour), to)
}
