package enginetest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// checkTallies compares what was counted while the story went on with what is on record
// at its end.
func (s *stage) checkTallies() {
	for _, o := range []rota.Owners{{Owner: caller.Owner}, {Owner: caller.Owner, All: true}} {
		got, err := s.store.Reader().Tallies(s.Context(), o, time.Time{}, time.UnixMilli(1<<52))
		require.NoError(s, err)
		got = slices.DeleteFunc(got, func(h rota.HourTally) bool { return h.Tally == rota.Tally{} })
		require.Equal(s, s.recount(o), got, "tallies of %v", o)
	}
}

// fold moves some of what was counted, as the upkeep does, at every third look.
func (s *stage) fold() {
	if s.looks++; s.looks%3 != 0 {
		return
	}
	require.NoError(s, s.store.Update(s.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
		_, err := tx.FoldTallies(ctx)
		return err
	}))
}

// recount counts what is on record.
func (s *stage) recount(o rota.Owners) []rota.HourTally {
	hours, errors := make(map[int64]*rota.Tally), make(map[int64]map[rota.ErrorCount]int64)
	in := func(at time.Time) *rota.Tally {
		hour := at.Truncate(time.Hour).UnixMilli()
		if hours[hour] == nil {
			hours[hour], errors[hour] = new(rota.Tally), make(map[rota.ErrorCount]int64)
		}
		return hours[hour]
	}
	for row := range everything(s, true, func(p rota.Page) (rota.List[rota.Occurrence], error) {
		return s.store.Reader().AllOccurrences(s.Context(), o, rota.OccurrenceFilter{}, p)
	}) {
		row.Counted(func(at time.Time, n int64) { *in(at).Outcome(row.Outcome) += n })
		if row.Outcome == rota.Fired && row.Trigger != rota.TriggerBackfill {
			in(row.ScheduledFor.Time).Late[rota.LatenessBucket(*row.LatenessMS)]++
		}
	}
	for r := range everything(s, true, func(p rota.Page) (rota.List[rota.Run], error) {
		return s.store.Reader().AllRuns(s.Context(), o, rota.RunFilter{}, p)
	}) {
		if r.CompletedAt == nil {
			continue
		}
		t := in(r.CompletedAt.Time)
		*t.Phase(r.Phase)++
		if r.Tokens != nil {
			t.Add(rota.Tally{Tokens: *r.Tokens})
		}
		if why := cmp.Or(r.Error, r.Reason); why != nil {
			errors[r.CompletedAt.Truncate(time.Hour).UnixMilli()][rota.ErrorCount{Phase: r.Phase, Code: why.Code}]++
		}
	}
	var out []rota.HourTally
	for _, hour := range slices.Sorted(maps.Keys(hours)) {
		h := rota.HourTally{Hour: time.UnixMilli(hour).UTC(), Tally: *hours[hour]}
		for e, n := range errors[hour] {
			e.Count = n
			h.Errors = append(h.Errors, e)
		}
		slices.SortFunc(h.Errors, func(a, b rota.ErrorCount) int { return strings.Compare(string(a.Phase)+a.Code, string(b.Phase)+b.Code) })
		out = append(out, h)
	}
	return out
}
