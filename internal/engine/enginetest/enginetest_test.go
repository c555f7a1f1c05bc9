package enginetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store"
	"github.com/rota-run/rota/internal/store/sqlite"
	"github.com/rota-run/rota/internal/store/sqlite/sqlitetest"
)

// An idle engine does nothing.
type idle struct{}

func (idle) Run(ctx context.Context) error { <-ctx.Done(); return nil }
func (idle) Changed()                      {}
func (idle) Cancel(rota.RunID)             {}

// TestAnEngineThatDoesNothingFails shows that cases can fail, and that
// deviations are run. What such an engine does not deviate from is listed.
func TestAnEngineThatDoesNothingFails(t *testing.T) {
	passes := map[string]bool{
		"an idle engine does not write":                                    true,
		"what waits for its jitter is on record when its schedule changes": true, // by package control
	}
	rig := Rig{
		Place: sqlitetest.Dir,
		Open: func(ctx context.Context, dir string) (store.Store, error) {
			return sqlite.Open(ctx, dir, sqlite.Options{})
		},
		New:        func(Setup) rota.Engine { return idle{} },
		Deviations: map[string]string{},
	}
	for _, c := range allCases {
		if !passes[c.name] {
			rig.Deviations[c.name] = "it does nothing"
		}
	}
	Run(t, rig)
}

func TestDeviationsAreNotMoreThanTheyMustBe(t *testing.T) {
	rig := Rig{Deviations: map[string]string{"odd": "it is so"}}
	odd, even := testCase{name: "odd"}, testCase{name: "even"}
	require.Empty(t, rig.judge(odd, []string{"at fault"}))
	require.Equal(t, []string{"declared as a deviation, but passes: it is so"}, rig.judge(odd, nil))
	require.Equal(t, []string{"at fault"}, rig.judge(even, []string{"at fault"}))
	require.Empty(t, rig.judge(even, nil))
}

func TestARecordEndsWithWhatIsRequired(t *testing.T) {
	cleaned := false
	failed := record(t.Context(), func(r tester) {
		defer func() { cleaned = true }()
		r.Errorf("noted: %d", 1)
		require.Equal(r, 1, 2)
		r.Errorf("not reached")
	})
	require.Len(t, failed, 2)
	require.Equal(t, "noted: 1", failed[0])
	require.Contains(t, failed[1], "Not equal")
	require.True(t, cleaned)
	require.Empty(t, record(t.Context(), func(r tester) { require.Equal(r, t.Context(), r.Context()) }))
}

func TestARecordTakesAPanicForAFailure(t *testing.T) {
	failed := record(t.Context(), func(tester) { panic("odd") })
	require.Len(t, failed, 1)
	require.Contains(t, failed[0], "panic: odd")
	require.Contains(t, failed[0], "enginetest_test.go", "where")
}

func TestWhatComesSoonIsLookedAtAgain(t *testing.T) {
	w := newWorld(t, Rig{Unit: time.Second}, "")
	looks := 0
	w.soon(func() {
		looks++
		require.Equal(w, 3, looks)
	})
	require.Equal(t, 3, looks)
	require.Same(t, t, w.tester)
}
