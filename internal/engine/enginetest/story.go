package enginetest

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/engine"
	"github.com/rota-run/rota/internal/gateway"
)

const (
	fewStories     = 20 // are played where nobody says how many: each is hours of a server
	stepsOnAverage = 40
)

// RunStories plays random stories and checks, after each step, what must be true
// of everything that the API shows. The flags of package rapid say how many, and
// play one again: a story that fails prints the flag with its seed.
func RunStories(t *testing.T, rig Rig) {
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		require.NoError(t, checks.Value.Set(strconv.Itoa(fewStories)))
		defer checks.Value.Set(checks.DefValue)
	}
	rapid.Check(t, func(rt *rapid.T) {
		drawn, failed := stories().Draw(rt, "story"), []string(nil)
		t.Run("story", func(t *testing.T) { failed = play(t, drawn, rig, rt.Logf) })
		if len(failed) > 0 {
			rt.Fatal(failed[0])
		}
	})
}

// beginnings are hours before a change of clocks, or before a month or a year ends.
var beginnings = []string{
	"2026-03-28T21:30:00Z", "2026-10-24T21:30:00Z", // Europe changes its clocks at 01:00 UTC
	"2026-03-08T04:30:00Z", "2026-11-01T03:30:00Z", // New York at 07:00, and at 06:00
	"2026-04-04T12:30:00Z", "2026-10-03T12:30:00Z", // Lord Howe Island at 15:00, and at 15:30
	"2028-02-28T20:00:00Z", "2026-12-31T20:00:00.250Z",
}

// stories draws stories: the seed of a beginning, and one of each step. Anything may
// happen in them. A story is drawn as a whole before it is played, so that package
// rapid stays out of the bubble.
func stories() *rapid.Generator[[]uint64] {
	return rapid.Custom(func(t *rapid.T) (drawn []uint64) {
		for n := 0; n < 2 || drawn[n-1]%stepsOnAverage != 0; n++ {
			seed := uint64(0)
			for range 24 { // all seeds are equally likely: what package rapid offers prefers small ones
				seed *= 2
				if rapid.Bool().Draw(t, "bit") {
					seed++
				}
			}
			drawn = append(drawn, seed)
		}
		return drawn
	})
}

// play plays a story and returns what went wrong, if anything did.
func play(test *testing.T, story []uint64, rig Rig, logf func(string, ...any)) (failed []string) {
	place := rig.Place(test)
	synctest.Test(test, func(test *testing.T) {
		cryptotest.SetGlobalRandom(test, 0) // identifiers
		failed = record(test.Context(), func(recorder tester) {
			w := newWorld(recorder, rig, place)
			begins := mustTime(w, beginnings[story[0]%uint64(len(beginnings))])
			w.setup.MaxConcurrentRuns, w.setup.CatchupRate = 2, 1
			w.setup.Providers = []engine.Provider{{Name: "large"}, {Name: "small", Max: 1}}
			w.setClock(time.Until(begins))
			w.start()
			defer w.kill()
			s := &stage{
				world: w, test: test, logf: logf, runs: map[rota.RunID]*run{}, gone: map[rota.AgentID]bool{},
				seen: begins, gaps: []gap{{to: begins}},
			}
			for _, seed := range story[1:] {
				d := dice{rand.New(rand.NewPCG(seed, 0))}
				step := d.step()
				logf("%s %s", s.wall().Format(time.RFC3339Nano), step.name)
				step.play(s, d)
				synctest.Wait()
				s.look()
			}
			s.finish()
		})
	})
	return failed
}

// Dice say what happens in a step.
type dice struct{ *rand.Rand }

// oneOf draws one of some values.
func oneOf[T any](d dice, of ...T) T { return of[d.IntN(len(of))] }

// some draws a time below another. Short times are as likely as long ones.
func (d dice) some(most time.Duration) time.Duration {
	for most > time.Second && oneOf(d, false, true) {
		most /= 8
	}
	return time.Duration(d.Int64N(int64(most)))
}

// reply draws how a model answers.
func (d dice) reply() reply {
	r := reply{takes: oneOf(d, 0, 901*time.Millisecond, 61*time.Second, 9*time.Minute, 25*time.Minute)}
	r.err = oneOf(d, nil, nil, nil, busy(7*time.Minute),
		&gateway.Error{Code: rota.RunErrRejected, Message: "no", Answered: true},
		&gateway.Error{Code: rota.RunErrConnection, Message: "broken", Retryable: true})
	return r
}

// spec draws when a schedule runs.
func (d dice) spec(now time.Time) rota.Spec {
	s := rota.Spec{Timezone: oneOf(d, "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")}
	switch s.Type = oneOf(d, rota.Interval, rota.Interval, rota.Cron, rota.Cron, rota.Cron, rota.Once); s.Type {
	case rota.Interval:
		s.IntervalSeconds = oneOf[int64](d, 60, 420, 3600, 86400)
		if grid := oneOf(d, 0, 0, 20*time.Second, 3*time.Hour, -10*time.Second, -25*time.Hour); grid != 0 {
			s.StartAt = rota.InstantOf(now.Add(grid)).String()
		}
	case rota.Cron:
		s.CronExpression = oneOf(d, "*/10 * * * *", "0 * * * *", "30 2 * * *", "15,45 1-3 * * *", "*/20 0-5 * * *", "45 */2 * * *", "0 0 1,29 * *")
	case rota.Once:
		in := oneOf(d, 0, 10*time.Second, 10*time.Minute, 3*time.Hour, -30*time.Second, -61*time.Second)
		s.RunAt = rota.InstantOf(now.Add(in)).String()
	}
	return s
}

// policy draws how a schedule runs.
func (d dice) policy(now time.Time) (p rota.PolicyUpdate) {
	in := map[string]any{}
	at := func(in time.Duration) rota.Instant { return rota.InstantOf(now.Add(in)) }
	for _, field := range [][]any{ // its name, and values
		{"overlap", "skip", "buffer_one", "allow_all"},
		{"missed", "latest", "skip", "all"},
		{"max_lateness_seconds", 0, 60, 7200, 86400},
		{"jitter_seconds", 0, 5, 50, 1800},
		{"max_runs", nil, 1, 2, 5},
		{"pause_after_failures", nil, 1, 2},
		{"timeout_seconds", 30, 600},
		{"retry", nil, map[string]any{"max_attempts": 1}, map[string]any{"on_crash": "never"}, map[string]any{"max_attempts": 2}},
		{"start_at", nil, at(5 * time.Minute), at(2 * time.Hour), at(-10 * time.Minute), at(-2 * time.Hour)},
		{"end_at", nil, at(10 * time.Minute), at(5 * time.Hour), at(48 * time.Hour)},
	} {
		if oneOf(d, false, false, true) {
			in[field[0].(string)] = oneOf(d, field[1:]...)
		}
	}
	text, err := json.Marshal(in)
	if err := errors.Join(err, json.Unmarshal(text, &p)); err != nil {
		panic(fmt.Errorf("%s: %w", text, err))
	}
	return p
}
