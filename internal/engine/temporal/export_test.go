package temporal

import "context"

// TakeBack looks once for attempts that no workflow works on.
func (e *Engine) TakeBack(ctx context.Context) error { return e.takeBack(ctx) }

// Leaving reports whether Run has been told to end.
func (e *Engine) Leaving() bool { return e.leaving.Load() }

// Unwell reports whether Temporal cannot be used.
func (e *Engine) Unwell() bool { return e.unwell.Load() }
