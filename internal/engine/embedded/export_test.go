package embedded

import "time"

// LookEvery makes the engine, which does not run yet, look at the wall clock
// less often.
func (e *Engine) LookEvery(d time.Duration) { e.look = d }
