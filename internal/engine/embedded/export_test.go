package embedded

import "time"

// SetClockEvery makes the engine, which does not run yet, look at the wall clock
// less often.
func (e *Engine) SetClockEvery(d time.Duration) { e.clockEvery = d }
