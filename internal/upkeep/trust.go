package upkeep

import "time"

const (
	trustAfter = time.Hour       // for which the clock must have run evenly
	jump       = 5 * time.Minute // by which a clock that is merely corrected is not set
)

// A trust says whether the wall clock may be believed that something is over. What is
// removed for its age does not come back when a clock that was wrong is right again: so
// nothing is, within an hour of the start or of a jump forward.
type trust struct {
	since        time.Time // by the process's own clock; zero before the first read
	wall, passed time.Time // the last read, by the wall clock and by the process's own
}

// read reads the clocks, and reports whether the wall clock may be believed, and by how
// much it has jumped forward since the last read.
func (t *trust) read(wall time.Time) (trusted bool, jumped time.Duration) {
	now := time.Now()
	if t.since.IsZero() {
		t.since, t.wall, t.passed = now, wall, now
	}
	wall = wall.Round(0) // without the process's own clock
	if ahead := wall.Sub(t.wall.Round(0)) - now.Sub(t.passed); ahead >= jump {
		t.since, jumped = now, ahead
	}
	t.wall, t.passed = wall, now
	return now.Sub(t.since) >= trustAfter, jumped
}
