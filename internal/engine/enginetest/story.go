package enginetest

import (
	"encoding/json"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/engine"
)

// fewStories are played where nobody says how many: each is hours of a server.
const fewStories = 20

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
		t.Run("story", func(t *testing.T) { failed = drawn.play(t, rig, rt.Logf) })
		if len(failed) > 0 {
			rt.Fatal(failed[0])
		}
	})
}

// A story is what happens to a server. It is drawn as a whole before it is
// played, so that package rapid stays out of the bubble.
type story struct {
	begins time.Time
	steps  []step
}

// GoString returns the story in lines.
func (t story) GoString() string {
	var b strings.Builder
	fmt.Fprintf(&b, "from %s on:", t.begins.Format(time.RFC3339))
	for _, s := range t.steps {
		fmt.Fprintf(&b, "\n\t%s", s.text)
	}
	return b.String()
}

// play plays the story and returns what went wrong, if anything did.
func (t story) play(test *testing.T, rig Rig, logf func(string, ...any)) (failed []string) {
	place := rig.Place(test)
	synctest.Test(test, func(test *testing.T) {
		cryptotest.SetGlobalRandom(test, 0) // identifiers
		failed = record(test.Context(), func(recorder tester) {
			w := newWorld(recorder, rig, place)
			w.setup.MaxConcurrentRuns, w.setup.CatchupRate = 2, 1
			w.setup.Providers = []engine.Provider{{Name: "large"}, {Name: "small", Max: 1}}
			w.setClock(time.Until(t.begins))
			w.start()
			defer w.kill()
			s := &stage{
				world: w, test: test, logf: logf, runs: map[rota.RunID]*run{}, keys: map[string]rota.RunID{},
				seen: t.begins, recorded: t.begins, gaps: []gap{{to: t.begins}},
			}
			for _, step := range t.steps {
				logf("%s %s", s.wall().Format(time.RFC3339Nano), step.text)
				step.play(s)
				synctest.Wait()
				s.look()
			}
			s.finish()
		})
	})
	return failed
}

// stories draws stories: hours around a change of clocks or the end of a month,
// in which anything may happen.
func stories() *rapid.Generator[story] {
	scenes := rapid.Custom(func(t *rapid.T) scene { return scene{last: even(t, scenesOnAverage) == 0, step: drawStep(t)} })
	return rapid.Custom(func(t *rapid.T) story {
		at, err := time.Parse(time.RFC3339Nano, oneOf(t,
			"2026-03-28T21:30:00Z", "2026-10-24T21:30:00Z", // Europe changes its clocks at 01:00 UTC
			"2026-03-08T04:30:00Z", "2026-11-01T03:30:00Z", // New York at 07:00, and at 06:00
			"2026-04-04T12:30:00Z", "2026-10-03T12:30:00Z", // Lord Howe Island at 15:00, and at 15:30
			"2028-02-28T20:00:00Z", "2026-12-31T20:00:00.250Z",
		))
		if err != nil {
			panic(err)
		}
		drawn := story{begins: at}
		for last := false; !last; {
			next := scenes.Draw(t, "scene")
			drawn.steps, last = append(drawn.steps, next.step), next.last
		}
		return drawn
	})
}

const scenesOnAverage = 40

// A scene is a step, and whether the story ends with it.
type scene struct {
	step step
	last bool
}

// even draws a number below n, each as likely as another. What package rapid
// offers prefers small ones.
func even(t *rapid.T, n int) int {
	drawn := 0
	for range 12 {
		drawn *= 2
		if rapid.Bool().Draw(t, "bit") {
			drawn++
		}
	}
	return drawn % n
}

// oneOf draws one of some values.
func oneOf[T any](t *rapid.T, of ...T) T { return of[even(t, len(of))] }

// some draws a time below another. Short times are as likely as long ones.
func some(t *rapid.T, most time.Duration) time.Duration {
	for most > time.Second && oneOf(t, false, true) {
		most /= 8
	}
	return most * time.Duration(even(t, 4096)) / 4096
}

// drawStep draws a step. What is listed twice is twice as likely.
func drawStep(t *rapid.T) step {
	which, nth := even(t, 8), even(t, 4)
	answers := func() []answer { return []answer{drawAnswer(t), drawAnswer(t), drawAnswer(t)}[:1+nth%3] }
	off := func() time.Duration {
		return oneOf(t, 0, -time.Millisecond, time.Millisecond, 3*time.Second, 40*time.Second)
	}
	return oneOf(t,
		func() step { return pass(some(t, time.Hour)) },
		func() step { return pass(some(t, time.Minute)) },
		func() step { return until(which, nth, off()) },
		func() step { return until(which, nth, off()) },
		func() step { return until(which, nth, off()) },
		func() step { return until(which, nth, off()) },
		func() step { return create(which, drawTerms(t)) },
		func() step { return create(which, drawTerms(t)) },
		func() step { return create(which, drawTerms(t)) },
		func() step { return update(which, oneOf(t, true, false), drawTerms(t)) },
		func() step { return update(which, oneOf(t, true, false), drawTerms(t)) },
		func() step { return update(which, false, terms{policy: `{"max_runs": 1}`}) },
		func() step { return pause(which) },
		func() step { return resume(which) },
		func() step { return resume(which) },
		func() step { return skip(which, nth) },
		func() step { return unskip(which) },
		func() step { return trigger(which) },
		func() step { return trigger(which) },
		func() step { return backfill(which, some(t, 12*time.Hour), some(t, 12*time.Hour)) },
		func() step { return backfill(which, some(t, 12*time.Hour), some(t, 12*time.Hour)) },
		func() step { return remove(which) },
		func() step { return dismiss(which) },
		func() step { return restore() },
		func() step { return startRun(which) },
		func() step { return cancelRun(which) },
		func() step { return move(which) },
		func() step { return behave(answers()) },
		func() step { return behave(answers()) },
		func() step { return drawCrash(t) },
		func() step { return drawCrash(t) },
		func() step { return restarts(some(t, 6*time.Hour)) },
		func() step { return suspend(some(t, 6*time.Hour)) },
		func() step { return setBack(some(t, time.Minute)) },
	)()
}

func drawCrash(t *rapid.T) step {
	return crashes(even(t, 6), oneOf(t, false, true), some(t, time.Hour), some(t, 6*time.Hour))
}

func drawAnswer(t *rapid.T) answer {
	return answer{
		takes: oneOf(t, 0, 901*time.Millisecond, 61*time.Second, 9*time.Minute, 25*time.Minute),
		fails: oneOf(t, "", "", "", "rejects", "is busy", "breaks"),
	}
}

func drawTerms(t *rapid.T) terms {
	policy := map[string]any{}
	maybe := func(name string, of ...any) {
		if oneOf(t, false, false, true) {
			policy[name] = oneOf(t, of...)
		}
	}
	maybe("overlap", "skip", "buffer_one", "allow_all")
	maybe("missed", "latest", "skip", "all")
	maybe("max_lateness_seconds", 0, 60, 7200, 86400)
	maybe("jitter_seconds", 0, 5, 50, 1800)
	maybe("max_runs", nil, 1, 2, 5)
	maybe("pause_after_failures", nil, 1, 2)
	maybe("timeout_seconds", 30, 600)
	maybe("retry", nil, map[string]any{"max_attempts": 1}, map[string]any{"on_crash": "never"}, map[string]any{"max_attempts": 2})
	maybe("start_at", nil)
	maybe("end_at", nil)
	text, err := json.Marshal(policy)
	if err != nil {
		panic(err)
	}
	return terms{
		spec: drawSpec(t), policy: string(text),
		in:    oneOf(t, 0, 10*time.Second, 10*time.Minute, 3*time.Hour, -30*time.Second, -61*time.Second),
		grid:  oneOf(t, 0, 0, 20*time.Second, 3*time.Hour, -10*time.Second, -25*time.Hour),
		start: oneOf(t, 0, 0, 0, 0, 5*time.Minute, 2*time.Hour, -10*time.Minute, -2*time.Hour),
		end:   oneOf(t, 0, 0, 0, 0, 10*time.Minute, 5*time.Hour, 48*time.Hour),
	}
}

func drawSpec(t *rapid.T) rota.Spec {
	s := rota.Spec{Timezone: oneOf(t, "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")}
	switch s.Type = oneOf(t, rota.Interval, rota.Interval, rota.Cron, rota.Cron, rota.Cron, rota.Once); s.Type {
	case rota.Interval:
		s.IntervalSeconds = oneOf[int64](t, 60, 420, 3600, 86400)
	case rota.Cron:
		s.CronExpression = oneOf(t, "*/10 * * * *", "0 * * * *", "30 2 * * *", "15,45 1-3 * * *", "*/20 0-5 * * *", "45 */2 * * *", "0 0 1,29 * *")
	}
	return s
}
