package enginetest

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
)

// A recorder is a test that fails on record alone.
type recorder struct {
	ctx context.Context

	mu     sync.Mutex
	failed []string
}

var _ tester = (*recorder)(nil)

// record runs a test in a goroutine of its own and returns what failed in it,
// when it has ended.
func record(ctx context.Context, test func(tester)) []string {
	r := &recorder{ctx: ctx}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer r.recover()
		test(r)
	}()
	<-ended
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// recover takes a panic for a failure: where something is missing, a test may
// reach for it.
func (r *recorder) recover() {
	if p := recover(); p != nil {
		r.Errorf("panic: %v\n%s", p, debug.Stack())
	}
}

// Errorf implements [require.TestingT].
func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = append(r.failed, fmt.Sprintf(format, args...))
}

// FailNow implements [require.TestingT]. It ends the goroutine that runs the
// test, which must be the one that calls it.
func (r *recorder) FailNow() { runtime.Goexit() }

// Helper implements tester.
func (r *recorder) Helper() {}

// Context implements tester.
func (r *recorder) Context() context.Context { return r.ctx }
