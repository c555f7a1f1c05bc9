package policy

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

// A span that was on record before start_at and end_at were set is split all the
// same, and keeps the times that they now leave out.
func TestABackfillSplitsASpanOfWiderBounds(t *testing.T) {
	d := Decide(planned(t, everyMinute, func(p *rota.Policy) { p.Missed = rota.MissedSkip }), at(570*time.Second), at(570*time.Second))
	require.Equal(t, []string{"missed policy_skip 1m0s..9m0s=9"}, outcomes(d.Records))
	d.Timer.Policy.StartAt, d.Timer.Policy.EndAt = instant(210*time.Second), instant(390*time.Second)

	b, err := PlanBackfill(d.Timer, d.Records, time.Time{}, at(2*time.Minute), at(8*time.Minute), at(10*time.Minute))
	require.NoError(t, err)
	require.Equal(t, []time.Time{at(4 * time.Minute), at(5 * time.Minute), at(6 * time.Minute)}, b.Times)
	require.Len(t, b.Splits, 1)
	require.Equal(t, []string{"missed policy_skip 1m0s..3m0s=3", "missed policy_skip 7m0s..9m0s=3"}, outcomes(b.Splits[0].Parts))

	d.Timer.Policy.StartAt, d.Timer.Policy.EndAt = instant(time.Hour), nil
	b, err = PlanBackfill(d.Timer, d.Records, time.Time{}, at(2*time.Minute), at(8*time.Minute), at(10*time.Minute))
	require.NoError(t, err)
	require.Empty(t, b.Times)
	require.Empty(t, b.Splits)
}
