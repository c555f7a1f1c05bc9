package prereqtest_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/prereqtest"
)

// outcome is what becomes of a test.
type outcome struct {
	testing.TB
	skipped, failed bool
}

func (o *outcome) Helper()               {}
func (o *outcome) Skip(...any)           { o.skipped = true; panic(o) }
func (o *outcome) Fatalf(string, ...any) { o.failed = true; panic(o) }

func outcomeOf(fn func(testing.TB)) (o *outcome) {
	o = new(outcome)
	defer func() { _ = recover() }()
	fn(o)
	return o
}

func TestMissing(t *testing.T) {
	missing := func(tb testing.TB) { prereqtest.Missing(tb, errors.New("no PostgreSQL")) }
	absent := func(tb testing.TB) { prereqtest.Program(tb, "rota-no-such-program") }
	for _, fn := range []func(testing.TB){missing, absent} {
		t.Setenv("CI", "")
		require.True(t, outcomeOf(fn).skipped)
		t.Setenv("CI", "true")
		require.True(t, outcomeOf(fn).failed)
	}
	require.Equal(t, &outcome{}, outcomeOf(func(tb testing.TB) { prereqtest.Program(tb, "go") }))
}
