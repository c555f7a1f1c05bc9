package control_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
)

func TestCreateSchedule(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(hourly, "")
	require.Equal(t, rota.ScheduleActive, s.Status)
	require.Equal(t, instant(time.Hour), *s.NextRunAt)
	require.Equal(t, rota.DefaultPolicy(), s.Policy)
	require.Equal(t, "UTC", s.Spec.Timezone)
	require.EqualValues(t, 1, s.Version)
	require.Equal(t, plain(t, w.read(s)), plain(t, s))
	require.Positive(t, w.engine.changed)

	s = w.schedule(hourly, `,"name":null,"conversation":null,"previous_response_id":null,"policy":{"start_at":"2026-11-23T09:30:00Z"}`)
	require.Nil(t, s.Name)
	require.True(t, s.Conversation.IsZero())
	require.Nil(t, s.PreviousResponseID)
	require.Equal(t, instant(time.Hour), *s.NextRunAt, "policy.start_at only bounds")

	s = w.schedule(`{"type":"interval","interval_seconds":3600,"start_at":"2026-11-23T10:30","timezone":"Europe/Madrid"}`, "")
	require.Equal(t, instant(30*time.Minute), *s.NextRunAt)
	require.Equal(t, "2026-11-23T09:30:00.000Z", s.Spec.StartAt)
}

func TestCreateScheduleRefuses(t *testing.T) {
	w := newWorld(t)
	for name, tt := range map[string]struct{ spec, rest, field string }{
		"an interval below the floor": {`{"type":"interval","interval_seconds":4}`, ``, "schedule.interval_seconds"},
		"once in the past":            {`{"type":"once","run_at":"2026-11-23T08:58:59Z"}`, ``, "schedule.run_at"},
		"no such zone":                {`{"type":"cron","cron_expression":"0 9 * * *","timezone":"Nowhere"}`, ``, "schedule.timezone"},
		"an end before the start":     {hourly, `,"policy":{"start_at":"2026-11-24T00:00:00Z","end_at":"2026-11-23T23:00:00Z"}`, "policy.end_at"},
		"an end before the first run": {hourly, `,"policy":{"end_at":"2026-11-23T09:59:59Z"}`, "policy"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.trySchedule(tt.spec, tt.rest)
			var e *rota.Error
			require.True(t, errors.As(err, &e), "%v", err)
			require.Equal(t, rota.Invalid, e.Code)
			require.Equal(t, tt.field, e.Field)
		})
	}
	_, err := w.CreateSchedule(t.Context(), caller, "agt_none", body[rota.ScheduleCreate](t, `{"input":"hi","schedule":`+hourly+`}`), control.Write{})
	require.ErrorIs(t, err, rota.NotFound)
}

// What is in braces and is no variable stays as it is, and is warned about, in
// the answers to create and update alone.
func TestScheduleWarnings(t *testing.T) {
	w := newWorld(t)
	create := control.Write{IdempotencyKey: "once"}
	in := body[rota.ScheduleCreate](t, `{"schedule":`+hourly+`,"input":[{"type":"text","text":"{{nope}} at {{scheduled_for}}"}]}`)
	agent := w.agent().ID
	s, err := w.CreateSchedule(t.Context(), caller, agent, in, create)
	require.NoError(t, err)
	require.Len(t, s.Warnings, 1)
	require.Equal(t, "unknown_variable", s.Warnings[0].Code)
	require.Equal(t, "input", s.Warnings[0].Param)
	again, err := w.CreateSchedule(t.Context(), caller, agent, in, create)
	require.NoError(t, err)
	require.Equal(t, plain(t, s), plain(t, again))
	require.Nil(t, w.read(s).Warnings)
	paused, err := w.PauseSchedule(t.Context(), caller, agent, s.ID, rota.SchedulePause{}, control.Write{})
	require.NoError(t, err)
	require.Nil(t, paused.Warnings)

	for _, tt := range []struct {
		update string
		want   int
	}{
		{`{"name":"x"}`, 1},
		{`{"policy":{"variables":false}}`, 0},
		{`{"policy":{"variables":null}}`, 1},
		{`{"input":"hi"}`, 0},
		{`{}`, 0},
	} {
		s, err = w.tryUpdate(s, tt.update)
		require.NoError(t, err)
		require.Len(t, s.Warnings, tt.want, tt.update)
		require.NotNil(t, s.Warnings)
	}
}

func TestOnceThatHasJustPassedStillRuns(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(`{"type":"once","run_at":"2026-11-23T08:59:01Z"}`, "")
	require.Equal(t, instant(-59*time.Second), *s.NextRunAt)
	require.Len(t, w.fire(), 1)
	require.Equal(t, rota.ScheduleCompleted, w.read(s).Status)
}

// Absent, null and a value mean three things.
func TestUpdateScheduleFields(t *testing.T) {
	full := `,"name":"n","conversation":"conv_1","previous_response_id":"resp_1","metadata":{"a":"1","b":"2"},
		"policy":{"overlap":"allow_all","max_runs":7,"retry":{"max_attempts":9,"on_crash":"never"}}`
	tests := []struct {
		name, update string
		want         func(*rota.Schedule)
	}{
		{"nothing", `{}`, nil},
		{"the same", `{"name":"n","metadata":{"b":"2","a":"1"},"policy":{"overlap":"allow_all"}}`, nil},
		{"name", `{"name":"m"}`, func(s *rota.Schedule) { *s.Name = "m" }},
		{"no name", `{"name":null}`, func(s *rota.Schedule) { s.Name = nil }},
		{"input", `{"input":[{"type":"text","text":"x"}]}`, func(s *rota.Schedule) {
			s.Input = rota.Input{Any: rota.AnyOf([]any{map[string]string{"type": "text", "text": "x"}})}
		}},
		{"conversation", `{"conversation":{"id":"conv_2"}}`, func(s *rota.Schedule) {
			s.Conversation = rota.Conversation{Any: rota.AnyOf(map[string]string{"id": "conv_2"})}
		}},
		{"no conversation", `{"conversation":null}`, func(s *rota.Schedule) { s.Conversation = rota.Conversation{} }},
		{"response", `{"previous_response_id":"resp_2"}`, func(s *rota.Schedule) { *s.PreviousResponseID = "resp_2" }},
		{"no response", `{"previous_response_id":null}`, func(s *rota.Schedule) { s.PreviousResponseID = nil }},
		{"metadata is replaced", `{"metadata":{"c":"3"}}`, func(s *rota.Schedule) { s.Metadata = map[string]string{"c": "3"} }},
		{"no metadata", `{"metadata":{}}`, func(s *rota.Schedule) { s.Metadata = map[string]string{} }},
		{"policy is merged", `{"policy":{"missed":"skip"}}`, func(s *rota.Schedule) { s.Policy.Missed = rota.MissedSkip }},
		{"null restores a default", `{"policy":{"overlap":null}}`, func(s *rota.Schedule) { s.Policy.Overlap = rota.OverlapSkip }},
		{"null lifts a bound", `{"policy":{"max_runs":null}}`, func(s *rota.Schedule) { s.Policy.MaxRuns, s.RemainingRuns = nil, nil }},
		{"retry is merged", `{"policy":{"retry":{"max_attempts":2}}}`, func(s *rota.Schedule) { s.Policy.Retry.MaxAttempts = 2 }},
		{"retry is restored", `{"policy":{"retry":null}}`, func(s *rota.Schedule) { s.Policy.Retry = rota.DefaultPolicy().Retry }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			s := w.schedule(hourly, full)
			want := w.read(s)
			if tt.want != nil {
				tt.want(&want)
				want.Version, want.ScheduleVersion, want.UpdatedAt = 2, 2, instant(time.Minute)
			}
			w.at(time.Minute)
			require.JSONEq(t, plain(t, want), plain(t, w.update(s, tt.update)))
		})
	}
}

func TestUpdateScheduleRefuses(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(hourly, "")
	for name, text := range map[string]string{
		"schedule":     `{"schedule":{"type":"interval","interval_seconds":1}}`,
		"policy.end":   `{"policy":{"end_at":"2026-11-23T09:00:01Z"}}`,
		"policy.start": `{"policy":{"start_at":"2026-11-23T12:00:00Z","end_at":"2026-11-23T11:00:00Z"}}`,
	} {
		_, err := w.tryUpdate(s, text)
		require.ErrorIs(t, err, rota.Invalid, name)
		require.Equal(t, plain(t, s), plain(t, w.read(s)), name)
	}
	_, err := w.UpdateSchedule(t.Context(), caller, s.AgentID, s.ID, rota.ScheduleUpdate{Name: rota.Some("x")}, control.Write{IfMatch: []int64{7}})
	require.ErrorIs(t, err, rota.Precondition)
}

// What changes the times of a schedule plans it anew, and nothing else does.
func TestUpdateTimes(t *testing.T) {
	for name, tt := range map[string]struct {
		update string
		next   time.Duration
	}{
		"a new interval is counted from now":      {`{"schedule":{"type":"interval","interval_seconds":600}}`, 20 * time.Minute},
		"the same interval is counted from now":   {`{"schedule":` + hourly + `}`, 70 * time.Minute},
		"a cron expression":                       {`{"schedule":{"type":"cron","cron_expression":"15 * * * *"}}`, 15 * time.Minute},
		"another name changes nothing":            {`{"name":"x"}`, time.Hour},
		"another overlap changes nothing":         {`{"policy":{"overlap":"allow_all"}}`, time.Hour},
		"another number of runs keeps the anchor": {`{"policy":{"max_runs":3}}`, time.Hour},
		"an end keeps the anchor":                 {`{"policy":{"end_at":"2026-11-24T00:00:00Z"}}`, time.Hour},
		"a jitter keeps the nominal time":         {`{"policy":{"jitter_seconds":60}}`, time.Hour},
		"a bound moves nothing":                   {`{"policy":{"start_at":"2026-11-23T12:30:00Z"}}`, 4 * time.Hour},
		"a bound and a new interval":              {`{"schedule":{"type":"interval","interval_seconds":60},"policy":{"start_at":"2026-11-23T12:30:00Z"}}`, 210 * time.Minute},
		"a start ahead":                           {`{"schedule":{"type":"interval","interval_seconds":60,"start_at":"2026-11-23T12:30:00Z"}}`, 210 * time.Minute},
		"a start in the past":                     {`{"schedule":{"type":"interval","interval_seconds":3600,"start_at":"2026-11-22T12:30:00Z"}}`, 30 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.schedule(hourly, "")
			w.at(10 * time.Minute)
			got := w.update(s, tt.update)
			require.Equal(t, instant(tt.next), *got.NextRunAt)
			require.Equal(t, got.NextRunAt.Time, w.timer(s).NextRunAt)
			w.at(tt.next + time.Minute)
			require.Len(t, w.fire(), 1, "that is what the engine sees")
		})
	}
}

func TestUpdateKeepsWhatWaitsForItsJitter(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(hourly, `,"policy":{"jitter_seconds":1800}`)
	w.at(time.Hour + time.Millisecond)
	got := w.update(s, `{"policy":{"jitter_seconds":0}}`)
	require.Equal(t, instant(time.Hour), *got.NextRunAt)
	require.Len(t, w.fire(), 1, "it starts at once, and is not lost")

	once := w.schedule(`{"type":"once","run_at":"2026-11-23T11:00:00Z"}`, `,"policy":{"jitter_seconds":3600}`)
	w.at(125 * time.Minute) // it was at 120
	got = w.update(once, `{"policy":{"start_at":"2026-11-23T09:30:00Z"}}`)
	require.Equal(t, instant(2*time.Hour), *got.NextRunAt, "the only time of a schedule, too")
}

// Whatever times a paused schedule is given, none is on record twice.
func TestUpdatesOfAPausedScheduleDoNotOverlap(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(minutely, "")
	_, err := w.PauseSchedule(t.Context(), caller, s.AgentID, s.ID, rota.SchedulePause{}, control.Write{})
	require.NoError(t, err)
	w.at(5 * time.Minute)
	w.update(s, `{"schedule":`+hourly+`}`)
	require.Equal(t, []string{"blocked 1..5=5"}, w.ledger(s))
	w.update(s, `{"schedule":`+minutely+`,"policy":{"start_at":"2026-11-23T09:02:00Z"}}`)
	w.at(8 * time.Minute)
	_, err = w.ResumeSchedule(t.Context(), caller, s.AgentID, s.ID, rota.SchedulePause{}, control.Write{})
	require.NoError(t, err)
	require.Equal(t, []string{"blocked 1..5=5", "blocked 6..8=3"}, w.ledger(s))
}

func TestUpdatePausedScheduleStaysPaused(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(hourly, "")
	_, err := w.PauseSchedule(t.Context(), caller, s.AgentID, s.ID, body[rota.SchedulePause](t, `{"note":"holiday"}`), control.Write{})
	require.NoError(t, err)
	w.at(10 * time.Minute)
	got := w.update(s, `{"schedule":{"type":"interval","interval_seconds":60}}`)
	require.Equal(t, rota.SchedulePaused, got.Status)
	require.Equal(t, "holiday", *got.PauseReason.Note)
	require.Equal(t, "key_1", *got.PauseReason.Actor)
	require.Nil(t, got.NextRunAt)
	require.EqualValues(t, 60, got.Spec.IntervalSeconds)
	require.Zero(t, w.timer(s).DueAt)

	w.at(20*time.Minute + 30*time.Second)
	got, err = w.ResumeSchedule(t.Context(), caller, s.AgentID, s.ID, rota.SchedulePause{}, control.Write{})
	require.NoError(t, err)
	require.Equal(t, instant(21*time.Minute), *got.NextRunAt, "counted from when the interval was set")
}

func TestUpdatePausedScheduleSetsTheAnchorAnew(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(hourly, "")
	_, err := w.PauseSchedule(t.Context(), caller, s.AgentID, s.ID, rota.SchedulePause{}, control.Write{})
	require.NoError(t, err)
	w.at(10 * time.Minute)
	w.update(s, `{"schedule":`+hourly+`}`)
	require.Equal(t, w.now, w.timer(s).Anchor, "though the answer looks the same")
}

func TestUpdateRevivesCompletedSchedule(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(`{"type":"once","run_at":"2026-11-23T10:00:00Z"}`, "")
	w.at(time.Hour)
	w.fire()
	require.Equal(t, rota.ScheduleCompleted, w.read(s).Status)
	w.at(2 * time.Hour)
	require.Equal(t, rota.ScheduleCompleted, w.update(s, `{"name":"x"}`).Status)
	_, err := w.tryUpdate(s, `{"schedule":{"type":"once","run_at":"2026-11-23T10:00:00Z"}}`)
	require.ErrorIs(t, err, rota.Invalid)
	got := w.update(s, `{"schedule":{"type":"once","run_at":"2026-11-23T12:00:00Z"}}`)
	require.Equal(t, rota.ScheduleActive, got.Status)
	require.Equal(t, instant(3*time.Hour), *got.NextRunAt)

	limited := w.schedule(hourly, `,"policy":{"max_runs":1}`)
	w.at(3 * time.Hour)
	w.fire()
	require.Equal(t, rota.ScheduleCompleted, w.read(limited).Status)
	require.Equal(t, rota.ScheduleActive, w.update(limited, `{"policy":{"max_runs":2}}`).Status)
}

func TestUpdateOfTheSpecForgetsMarks(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(hourly, "")
	skip := rota.OccurrenceSkip{ScheduledFor: instant(2 * time.Hour)}
	_, err := w.SkipOccurrence(t.Context(), caller, s.AgentID, s.ID, skip, control.Write{})
	require.NoError(t, err)
	require.Len(t, w.update(s, `{"policy":{"max_runs":9}}`).Skips, 1)
	require.Empty(t, w.update(s, `{"schedule":{"type":"interval","interval_seconds":60}}`).Skips)
}

func TestChainStartsAnewFromWhatIsGiven(t *testing.T) {
	for i, given := range []string{"resp_1", "resp_9"} {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			w := newWorld(t)
			s := w.schedule(hourly, `,"previous_response_id":"resp_1"`)
			w.at(time.Hour)
			w.finish(w.fire()[0].Run, rota.Result{Phase: rota.PhaseCompleted, ResponseID: "resp_2"})
			w.update(s, `{"previous_response_id":"`+given+`"}`)
			w.at(2 * time.Hour)
			r, err := w.RunByID(t.Context(), caller, w.fire()[0].Run)
			require.NoError(t, err)
			require.Equal(t, given, *r.PreviousResponseID)
		})
	}
}

func TestPauseAndResume(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(`{"type":"once","run_at":"2026-11-23T10:00:00Z"}`, "")
	pause := func() error {
		_, err := w.PauseSchedule(t.Context(), caller, s.AgentID, s.ID, rota.SchedulePause{}, control.Write{})
		return err
	}
	require.NoError(t, pause())
	version := w.read(s).Version
	require.NoError(t, pause())
	require.Equal(t, version, w.read(s).Version, "it was paused already")
	_, err := w.ResumeSchedule(t.Context(), caller, s.AgentID, s.ID, rota.SchedulePause{}, control.Write{})
	require.NoError(t, err)
	w.at(time.Hour)
	w.fire()
	require.ErrorIs(t, pause(), rota.Conflict)
	_, err = w.ResumeSchedule(t.Context(), caller, s.AgentID, s.ID, rota.SchedulePause{}, control.Write{})
	require.ErrorIs(t, err, rota.Conflict)
}

func TestDeleteSchedule(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(hourly, "")
	_, err := w.DeleteSchedule(t.Context(), caller, s.AgentID, s.ID, control.Write{IfMatch: []int64{2}})
	require.ErrorIs(t, err, rota.Precondition)
	_, err = w.DeleteSchedule(t.Context(), caller, s.AgentID, s.ID, control.Write{IfMatch: []int64{1}})
	require.NoError(t, err)
	_, err = w.Schedule(t.Context(), caller, s.AgentID, s.ID, false)
	require.ErrorIs(t, err, rota.NotFound)
	require.Equal(t, rota.ScheduleDeleted, w.read(s).Status)
	_, err = w.tryUpdate(s, `{"name":"x"}`)
	require.ErrorIs(t, err, rota.NotFound)
	w.at(time.Hour)
	require.Empty(t, w.fire())
}

func TestUpdateToATimeThatHasJustFired(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(`{"type":"once","run_at":"2026-11-23T10:00:00Z"}`, "")
	w.at(time.Hour)
	w.finish(w.fire()[0].Run, done)
	w.at(time.Hour + 30*time.Second)
	_, err := w.tryUpdate(s, `{"schedule":{"type":"once","run_at":"2026-11-23T10:00:00Z"}}`)
	var e *rota.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, "schedule.run_at", e.Field)
	require.Equal(t, rota.ScheduleCompleted, w.read(s).Status)
	w.update(s, `{"schedule":{"type":"once","run_at":"2026-11-23T10:00:01Z"}}`)
	require.Len(t, w.fire(), 1, "another time that has just passed still runs")
}

// A time that has come and has not started yet is not lost when its schedule
// changes.
func TestWhatAChangeDropsIsOnRecord(t *testing.T) {
	for name, change := range map[string]func(*world, rota.Schedule) error{
		"pause": func(w *world, s rota.Schedule) error {
			_, err := w.PauseSchedule(w.Context(), caller, s.AgentID, s.ID, rota.SchedulePause{}, control.Write{})
			return err
		},
		"pause all": func(w *world, _ rota.Schedule) error {
			_, err := w.PauseSchedules(w.Context(), caller, rota.BulkPause{}, control.Write{})
			return err
		},
		"other times": func(w *world, s rota.Schedule) error {
			_, err := w.tryUpdate(s, `{"schedule":`+hourly+`}`)
			return err
		},
		"delete": func(w *world, s rota.Schedule) error {
			_, err := w.DeleteSchedule(w.Context(), caller, s.AgentID, s.ID, control.Write{})
			return err
		},
		"delete the agent": func(w *world, s rota.Schedule) error {
			_, err := w.DeleteAgent(w.Context(), caller, s.AgentID, control.Write{})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.schedule(minutely, "")
			w.at(2*time.Minute + 10*time.Second) // the engine is busy
			require.NoError(t, change(w, s))
			require.Equal(t, []string{"blocked 1..2=2"}, w.ledger(s))
			require.Empty(t, w.fire())
		})
	}
}

// A time inside of what the same change puts on record would be there twice.
func TestUpdateToATimeThatItDrops(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(minutely, "")
	w.at(2*time.Minute + 10*time.Second) // the engine is busy
	_, err := w.tryUpdate(s, `{"schedule":{"type":"once","run_at":"2026-11-23T09:01:40Z"}}`)
	var e *rota.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, "schedule.run_at", e.Field)
	require.Empty(t, w.ledger(s), "nothing has changed")
	w.update(s, `{"schedule":{"type":"once","run_at":"2026-11-23T09:02:05Z"}}`)
	require.Equal(t, []string{"blocked 1..2=2"}, w.ledger(s))
	require.Len(t, w.fire(), 1)
}

// A bound that is set after a time that waits for its jitter takes that time away.
func TestUpdateOfTheStartWhileATimeWaits(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(hourly, `,"policy":{"jitter_seconds":1800}`)
	w.at(time.Hour + 5*time.Minute)
	got := w.update(s, `{"policy":{"start_at":"2026-11-23T10:30:00Z","jitter_seconds":0}}`)
	require.Equal(t, instant(2*time.Hour), *got.NextRunAt)
	require.Equal(t, []string{"blocked 60"}, w.ledger(s))
}
