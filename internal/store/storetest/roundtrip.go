package storetest

import (
	"context"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

var roundTrips = []testCase{
	{"agents keep every field", agentFields},
	{"schedules keep every field", scheduleFields},
	{"timers keep every field", timerFields},
	{"runs keep every field", runFields},
	{"saving writes every field", saveFields},
	{"odd text is kept", oddText},
	{"text that a database cannot store is refused", unfitText},
	{"times are kept to the millisecond", milliseconds},
	{"ids are case-sensitive", caseSensitive},
	{"missing values are refused", missing},
	{"keys find what they were given to", keyed},
	{"a deleted agent loses its key", keyGone},
	{"a write to try whether that works", func(w *world) {
		w.update(func(ctx context.Context, q sqlstore.Queries) error { return q.TryWrite(ctx, w.now) })
	}},
	{"ping reads", func(w *world) { require.NoError(w, w.store.Ping(w.Context())) }},
}

func (w *world) same(want, got any) {
	w.Helper()
	if d := cmp.Diff(want, got); d != "" {
		w.Errorf("(-want +got)\n%s", d)
	}
}

func p[T any](v T) *T { return &v }

func (w *world) fullAgent() rota.Agent {
	a := w.newAgent()
	a.Name, a.Description, a.Instructions = "Zoë 'n\" \\ 漢字 🚲", p("what it\ndoes"), p("Say \t {{scheduled_for}}")
	a.Tools = []rota.Object{object(`{"type":"function","name":"f","a":[1,2.50,null]}`), object(`{"type":"shell"}`)}
	a.ToolChoice, a.ParallelToolCalls, a.MaxToolCalls = anyJSON(`{"type":"function","name":"f"}`), false, p(300)
	a.FallbackModels = []string{"other/größer", "small"}
	a.Text, a.Reasoning = object(`{"format":{"type":"text"}}`), object(`{"effort":"low","big":12345678901234567890}`)
	a.Metadata = map[string]string{"": "empty", "ключ": "<b>&amp;</b>", "q": `"`}
	a.Key, a.Version = p("key of "+string(a.ID)), 1<<40
	return a
}

func agentFields(w *world) {
	for _, a := range []rota.Agent{w.newAgent(), w.fullAgent()} {
		w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddAgent(ctx, w.owner, a) })
		got, err := w.store.Agent(w.Context(), w.owner, a.ID)
		require.NoError(w, err)
		w.same(a, got)
	}
}

// fill gives every optional field of a schedule a value.
func fill(s *rota.Schedule, t *rota.Timer) {
	s.Key, s.Name, s.Description = p("key of "+string(s.ID)), p("näme"), p("for what")
	s.Input = rota.Input{Any: anyJSON(`[{"type":"message","role":"user","content":"hé"}]`)}
	s.Conversation, s.PreviousResponseID = rota.Conversation{Any: anyJSON(`{"id":"conv_1"}`)}, p("resp_0")
	s.ContextManagement = anyJSON(`[{"type":"compaction","compact_threshold":1000}]`)
	s.Metadata, s.TemporalScheduleID, s.Version = map[string]string{"a": "b"}, p("temporal-1"), 9
	t.Status = rota.SchedulePaused
	t.PauseReason = &rota.PauseReason{Code: rota.PausedManually, Actor: p("key_1"), Note: p("für jetzt"), At: rota.InstantOf(start)}
	t.Spec = rota.Spec{Type: rota.Cron, CronExpression: "*/5 9-17 * * MON-FRI", Timezone: "Australia/Lord_Howe"}
	t.Policy = rota.Policy{
		Overlap: rota.OverlapBufferOne, Missed: rota.MissedAll, MaxLatenessSeconds: 1, JitterSeconds: 2,
		StartAt: p(rota.InstantOf(start)), EndAt: p(rota.InstantOf(start.Add(time.Hour))), MaxRuns: p(int64(7)),
		PauseAfterFailures: p(3), Retry: rota.Retry{MaxAttempts: 9, OnCrash: rota.OnCrashNever}, TimeoutSeconds: 5,
	}
	t.Anchor = start.Add(-time.Hour)
	t.ScheduleVersion, t.AgentVersion, t.PinnedModel, s.VersionedAt = 7, p(int64(3)), "pinned/model", rota.InstantOf(start.Add(-2*time.Hour))
	t.NextRunAt, t.DueAt = start.Add(3*time.Minute), start.Add(4*time.Minute)
	t.OpenRuns, t.Buffered, t.RunCount, t.ConsecutiveFailures = 2, start.Add(2*time.Minute), 1<<40, 4
	t.Skips = []rota.Instant{rota.InstantOf(start.Add(5 * time.Minute)), rota.InstantOf(start.Add(6 * time.Minute))}
	t.Backlog, t.BacklogTo, s.MadeBy = 3, start.Add(90*time.Second), "key_1"
	t.LastRunAt, t.LastRunID, t.LastResponseID = start.Add(time.Minute), "arun_1", "resp_9"
}

func scheduleFields(w *world) {
	a := w.addAgent()
	for _, s := range []rota.Schedule{w.addSchedule(a.ID), w.addSchedule(a.ID, fill)} {
		got, err := w.store.Schedule(w.Context(), w.owner, a.ID, s.ID, false)
		require.NoError(w, err)
		w.same(s, got)
	}
}

// keyed: a key belongs to one agent of an owner, and to one schedule of an agent, until
// that is deleted.
func keyed(w *world) {
	other := rota.Owner{Account: w.owner.Account, EndUser: "another"}
	agent := func(o rota.Owner) (rota.Agent, error) {
		a := w.newAgent()
		a.Key = p("k")
		return a, w.store.Update(w.Context(), func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddAgent(ctx, o, a) })
	}
	a, err := agent(w.owner)
	require.NoError(w, err)
	_, err = agent(other)
	require.NoError(w, err)
	_, err = agent(w.owner)
	require.ErrorIs(w, err, rota.Conflict)
	got, err := w.store.AgentByKey(w.Context(), w.owner, "k")
	require.NoError(w, err)
	w.same(a, got)
	_, err = w.store.AgentByKey(w.Context(), w.owner, "K")
	require.ErrorIs(w, err, rota.NotFound)

	first := w.addSchedule(a.ID, withKey)
	w.addSchedule(w.addAgent().ID, withKey)
	s, t := w.newSchedule(a.ID)
	withKey(&s, &t)
	add := func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.AddSchedule(ctx, rota.TimedSchedule{Schedule: s, Timer: t})
	}
	require.ErrorIs(w, w.store.Update(w.Context(), add), rota.Conflict)
	found, err := w.store.ScheduleByKey(w.Context(), w.owner, a.ID, "k")
	require.NoError(w, err)
	w.same(first, found.Schedule)
	_, err = w.store.ScheduleByKey(w.Context(), other, a.ID, "k")
	require.ErrorIs(w, err, rota.NotFound)

	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.DeleteSchedule(ctx, w.owner, a.ID, first.ID, start)
	})
	_, err = w.store.ScheduleByKey(w.Context(), w.owner, a.ID, "k")
	require.ErrorIs(w, err, rota.NotFound)
	w.update(add)
}

// keyGone: the key of a deleted agent is free, and the agent cannot come back to it.
func keyGone(w *world) {
	add := func() (a rota.Agent) {
		w.update(func(ctx context.Context, tx sqlstore.Queries) error {
			a = w.newAgent()
			a.Key = p("k")
			return tx.AddAgent(ctx, w.owner, a)
		})
		return a
	}
	a := add()
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.DeleteAgent(ctx, w.owner, a.ID, start, start.Add(time.Hour))
	})
	add()
	require.ErrorIs(w, w.store.Update(w.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.RestoreAgent(ctx, w.owner, a.ID, start)
	}), rota.Conflict)
}

func withKey(s *rota.Schedule, _ *rota.Timer) { s.Key = p("k") }

func timerFields(w *world) {
	a := w.addAgent()
	for _, full := range []bool{false, true} {
		s, t := w.newSchedule(a.ID)
		if full {
			fill(&s, &t)
		}
		w.update(func(ctx context.Context, tx sqlstore.Queries) error {
			return tx.AddSchedule(ctx, rota.TimedSchedule{Schedule: s, Timer: t})
		})
		w.same(t, w.timer(s))
		got, err := w.store.TimedSchedule(w.Context(), w.owner, a.ID, s.ID)
		require.NoError(w, err)
		w.same(rota.TimedSchedule{Schedule: s.WithTimer(t), Timer: t}, got)
	}
}

func runFields(w *world) {
	a := w.addAgent()
	bare, full := w.newRun(a.ID), w.newRun(a.ID)
	full.Input = rota.Input{Any: anyJSON(`[{"type":"text","text":"ü"}]`)}
	full.Conversation, full.PreviousResponseID = rota.Conversation{Any: anyJSON(`"conv_1"`)}, p("resp_0")
	full.Metadata = map[string]string{"a": "b"}
	for _, r := range []rota.Run{bare, full} {
		w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddRun(ctx, w.owner, r, provider) })
		w.same(r, w.run(r.ID))
		got, err := w.store.Run(w.Context(), w.owner, a.ID, r.ID)
		require.NoError(w, err)
		w.same(r, got)
	}
}

func saveFields(w *world) {
	a, s := w.addAgent(), rota.Schedule{}
	full := w.fullAgent()
	full.ID, full.Key, full.CreatedAt = a.ID, nil, a.CreatedAt
	s = w.addSchedule(a.ID)
	t := w.timer(s)
	fill(&s, &t)
	s.MadeBy, s.TemporalScheduleID, s.Key = "", nil, nil // nobody changes these
	s = s.WithTimer(t)
	s.UpdatedAt = rota.InstantOf(start.Add(time.Hour))
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		if err := tx.SaveAgent(ctx, w.owner, full, nil); err != nil {
			return err
		}
		return tx.SaveSchedule(ctx, rota.TimedSchedule{Schedule: s, Timer: t}, nil)
	})
	got, err := w.store.Agent(w.Context(), w.owner, a.ID)
	require.NoError(w, err)
	w.same(full, got)
	w.same(s, w.schedule(s))
	w.same(t, w.timer(s))
}

func oddText(w *world) {
	for _, text := range []string{
		"", " ", "'; DROP TABLE agents; --", "%_", "\u202e\u200b", "a\r\nb", "\u00e9 and e\u0301", strings.Repeat("長", 20_000), "\\u0000", "?1 :x $2",
	} {
		a := w.newAgent()
		a.Name, a.Instructions, a.Metadata = text, &text, map[string]string{text: text}
		w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddAgent(ctx, w.owner, a) })
		got, err := w.store.Agent(w.Context(), w.owner, a.ID)
		require.NoError(w, err)
		w.same(a, got)
	}
}

// unfitText: what is JSON holds any text, because it is escaped there.
func unfitText(w *world) {
	for _, text := range []string{"\x00", "a\x00b", "\xff", "a\xc3"} {
		a := w.newAgent()
		a.Instructions = &text
		require.ErrorIs(w, w.try(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddAgent(ctx, w.owner, a) }), rota.Invalid)
		require.False(w, w.exists(a.ID))
		_, err := w.store.Agent(w.Context(), w.owner, rota.AgentID(text))
		require.ErrorIs(w, err, rota.Invalid)
		_, err = w.store.Agents(w.Context(), w.owner, false, rota.Page{Limit: 1, After: text})
		require.ErrorIs(w, err, rota.Invalid)
	}
	a := w.newAgent()
	a.Metadata = map[string]string{"a\x00": "\x00"}
	a.ToolChoice = anyJSON(`{"a":"\u0000","b":"\ud800"}`)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddAgent(ctx, w.owner, a) })
	got, err := w.store.Agent(w.Context(), w.owner, a.ID)
	require.NoError(w, err)
	w.same(a, got)
}

func milliseconds(w *world) {
	a := w.newAgent()
	zone := time.FixedZone("east", 5*3600+1800)
	a.CreatedAt = rota.Instant{Time: time.Date(2026, 1, 2, 3, 4, 5, 678_999_999, zone)}
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddAgent(ctx, w.owner, a) })
	got, err := w.store.Agent(w.Context(), w.owner, a.ID)
	require.NoError(w, err)
	require.Equal(w, time.Date(2026, 1, 1, 21, 34, 5, 678_000_000, time.UTC), got.CreatedAt.Time)
}

func caseSensitive(w *world) {
	a := w.addAgent()
	r := w.addRun(a.ID)
	_, err := w.store.Agent(w.Context(), w.owner, rota.AgentID(strings.ToUpper(string(a.ID))))
	require.ErrorIs(w, err, rota.NotFound)
	_, err = w.store.RunByID(w.Context(), w.owner, rota.RunID(strings.ToUpper(string(r.ID))))
	require.ErrorIs(w, err, rota.NotFound)
	_, err = w.store.Agent(w.Context(), rota.Owner{Account: "ACME", EndUser: "u-1"}, a.ID)
	require.ErrorIs(w, err, rota.NotFound)
}

// missing: a required value that is absent is a bug, and must not be stored.
func missing(w *world) {
	a := w.addAgent()
	require.Error(w, w.try(func(ctx context.Context, tx sqlstore.Queries) error {
		bad := w.newAgent()
		bad.ToolChoice = rota.Any{}
		return tx.AddAgent(ctx, w.owner, bad)
	}))
	require.Error(w, w.try(func(ctx context.Context, tx sqlstore.Queries) error {
		bad := w.newRun(a.ID)
		bad.Input = rota.Input{}
		return tx.AddRun(ctx, w.owner, bad, provider)
	}))
	require.Error(w, w.try(func(ctx context.Context, tx sqlstore.Queries) error {
		s, t := w.newSchedule("agt_nobody")
		return tx.AddSchedule(ctx, rota.TimedSchedule{Schedule: s, Timer: t})
	}))
}
