package temporal

import "context"

// RequeueAbandoned looks once for attempts that no workflow works on.
func (e *Engine) RequeueAbandoned(ctx context.Context) error { return e.requeueAbandoned(ctx) }

// Leaving reports whether Run has been told to end.
func (e *Engine) Leaving() bool { return e.leaving.Load() }

// Unreachable reports whether Temporal cannot be used.
func (e *Engine) Unreachable() bool { return e.unreachable.Load() }
