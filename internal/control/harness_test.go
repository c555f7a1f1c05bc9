package control_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/events"
	"github.com/rota-run/rota/internal/limits"
	"github.com/rota-run/rota/internal/policy"
	"github.com/rota-run/rota/internal/ports"
	"github.com/rota-run/rota/internal/store/sqlite"
	"github.com/rota-run/rota/internal/store/sqlite/sqlitetest"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

var start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// A world is the operations over a real store, at a time that the test sets.
type world struct {
	*testing.T
	*control.Control
	db     *sqlite.Store
	dir    string // where the files of db are
	now    time.Time
	engine *engine
	log    bytes.Buffer // what Control logs, a JSON object a line
}

// An engine that only notes what it is told.
type engine struct {
	changed   int
	cancelled []rota.RunID
}

func (e *engine) Run(context.Context) error { return nil }
func (e *engine) Changed()                  { e.changed++ }
func (e *engine) Cancel(id rota.RunID)      { e.cancelled = append(e.cancelled, id) }

type models struct{}

// Resolve implements control.Models.
func (models) Models(context.Context) []rota.Model { return nil }

func (models) Resolve(model string) (string, string, error) {
	provider, name, _ := strings.Cut(model, "/")
	switch provider {
	case "unknown":
		return "none", model, rota.Errorf(rota.Invalid, "no such provider")
	case "absent":
		return "none", model, errors.New("no provider is set")
	}
	return provider, name, nil
}

var caller = auth.Caller{Key: "key_1", Owner: rota.Owner{Account: "acme"}, Scopes: rota.AllScopes()}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := sqlitetest.Dir(t)
	store := sqlitetest.OpenIn(t, dir, sqlite.Options{})
	w := &world{T: t, db: store, dir: dir, now: start, engine: &engine{}}
	w.Control = &control.Control{
		Store: ports.Control(store), Engine: w.engine, Hub: events.NewHub(), Models: models{},
		Now: func() time.Time { return w.now }, Audit: slog.New(slog.NewJSONHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug})), AgentRetention: time.Hour, MinInterval: 5 * time.Second,
		Limits: &limits.Keeper{Store: ports.Limits(store)},
	}
	return w
}

func (w *world) at(after time.Duration) time.Time {
	w.now = start.Add(after)
	return w.now
}

func instant(after time.Duration) rota.Instant { return rota.InstantOf(start.Add(after)) }

// body decodes what a client would send.
func body[T any](t testing.TB, text string) T {
	t.Helper()
	var v T
	require.NoError(t, json.Unmarshal([]byte(text), &v))
	return v
}

func (w *world) agent() rota.Agent {
	w.Helper()
	a, err := w.CreateAgent(w.Context(), caller, rota.AgentCreate{Name: "a", Model: "mock/small"}, control.Write{})
	require.NoError(w, err)
	return a
}

const hourly = `{"type":"interval","interval_seconds":3600}`

// schedule creates one from the rest of a body: what follows the spec.
func (w *world) schedule(spec, rest string) rota.Schedule {
	w.Helper()
	s, err := w.trySchedule(spec, rest)
	require.NoError(w, err)
	return s
}

func (w *world) trySchedule(spec, rest string) (rota.Schedule, error) {
	w.Helper()
	in := body[rota.ScheduleCreate](w, `{"input":"hi","schedule":`+spec+rest+`}`)
	s, err := w.CreateSchedule(w.Context(), caller, w.agent().ID, in, control.Write{})
	s.Warnings = nil // no other answer has them
	return s, err
}

func (w *world) update(s rota.Schedule, text string) rota.Schedule {
	w.Helper()
	out, err := w.tryUpdate(s, text)
	require.NoError(w, err)
	out.Warnings = nil
	require.Equal(w, plain(w, w.read(s)), plain(w, out), "what is answered is what is stored")
	return out
}

func (w *world) tryUpdate(s rota.Schedule, text string) (rota.Schedule, error) {
	w.Helper()
	in := body[rota.ScheduleUpdate](w, text)
	return w.UpdateSchedule(w.Context(), caller, s.AgentID, s.ID, in, control.Write{})
}

func (w *world) read(s rota.Schedule) rota.Schedule {
	w.Helper()
	s, err := w.Schedule(w.Context(), caller, s.AgentID, s.ID, true)
	require.NoError(w, err)
	return s
}

func (w *world) timer(s rota.Schedule) rota.Timer {
	w.Helper()
	t, err := w.Store.Timer(w.Context(), caller.Owner, s.AgentID, s.ID)
	require.NoError(w, err)
	return t
}

// fire lets what is due at now fire, as an engine does.
func (w *world) fire() []rota.Fire {
	w.Helper()
	var fires []rota.Fire
	w.tx(func(ctx context.Context, tx sqlstore.Queries) error {
		var err error
		fires, err = tx.FireDue(ctx, w.now, 100, nil, func(t rota.Timer) rota.Decision {
			d := policy.Decide(t, w.now, start.Add(-time.Hour))
			d.Provider = "mock"
			return d
		})
		return err
	})
	return fires
}

// claim starts what is queued, as an engine does.
func (w *world) claim() []rota.Work {
	w.Helper()
	var work []rota.Work
	w.tx(func(ctx context.Context, tx sqlstore.Queries) error {
		var err error
		work, err = tx.ClaimRuns(ctx, w.now, rota.Claim{Provider: "mock", Limit: 100})
		return err
	})
	return work
}

// finish ends a run, as a runner does.
func (w *world) finish(id rota.RunID, r rota.Result) {
	w.Helper()
	r.CompletedAt = w.now
	w.tx(func(ctx context.Context, tx sqlstore.Queries) error {
		_, err := tx.FinishRun(ctx, id, r, policy.Settle)
		return err
	})
	w.Hub.End(id)
}

func (w *world) tx(fn func(context.Context, sqlstore.Queries) error) {
	w.Helper()
	require.NoError(w, w.db.Update(w.Context(), fn))
}

// plain is a value as a client sees it.
func plain(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}
