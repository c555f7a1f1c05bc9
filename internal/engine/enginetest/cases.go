package enginetest

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// A testCase is something that every engine must do.
type testCase struct {
	name string
	run  func(*world)
}

var allCases = slices.Concat(times, clocks, intervals, changes, queues, failures, downtimes, catchups)

// Run runs the suite.
func Run(t *testing.T, rig Rig) {
	for name := range rig.Deviations {
		has := slices.ContainsFunc(allCases, func(c testCase) bool { return c.name == name })
		require.True(t, has, "a deviation from a case that is not there: %s", name)
	}
	places := make(chan struct{}, cmp.Or(rig.AtOnce, len(allCases)))
	for _, c := range allCases {
		t.Run(c.name, func(t *testing.T) {
			failed := rig.try(t, c, places)
			for _, fault := range rig.judge(c, failed) {
				t.Error(fault)
			}
			if !t.Failed() && len(failed) > 0 {
				t.Logf("a deviation, as declared: %s\n%s", rig.Deviations[c.name], failed[0])
			}
		})
	}
}

// judge returns what is wrong about a case, given what failed in it.
func (r Rig) judge(c testCase, failed []string) []string {
	why, deviates := r.Deviations[c.name]
	switch {
	case !deviates:
		return failed
	case len(failed) == 0:
		return []string{fmt.Sprintf("declared as a deviation, but passes: %s", why)}
	}
	return nil
}

// try runs a case, in one of the places, and returns what failed in it.
func (r Rig) try(t *testing.T, c testCase, places chan struct{}) (failed []string) {
	place, begun := r.Place(t), make(chan struct{}, 2)
	play := func(t tester) {
		defer func() { begun <- struct{}{} }() // also if it fails
		w := newWorld(t, r, place)
		w.start()
		defer w.kill()
		begun <- struct{}{}
		c.run(w)
	}
	places <- struct{}{}
	if r.Unit == 0 {
		defer func() { <-places }()
		synctest.Test(t, func(t *testing.T) { failed = record(t.Context(), play) })
		return failed
	}
	// It begins, and then lets the next one begin: the tests that run in
	// parallel, of which there may be as many as processors, only wait.
	done := make(chan []string, 1)
	go func() {
		defer func() { <-places }()
		done <- record(t.Context(), play)
	}()
	<-begun
	t.Parallel()
	return <-done
}
