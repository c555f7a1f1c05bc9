package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/events"
)

func (w *world) run() rota.Run {
	w.Helper()
	r, err := w.StartRun(w.Context(), caller, w.agent().ID, rota.RunCreate{Input: rota.InputText("hi")}, control.Write{})
	require.NoError(w, err)
	return r
}

func (w *world) events(ctx context.Context, r rota.Run, after int64) control.EventReader {
	w.Helper()
	reader, err := w.RunEvents(ctx, caller, r.AgentID, r.ID, after, nil)
	require.NoError(w, err)
	return reader
}

// rest reads to the end: the sequence numbers, and the type of the last event.
func rest(t testing.TB, r control.EventReader) (seqs []int64, last string) {
	t.Helper()
	for {
		e, err := r.Next(t.Context())
		if errors.Is(err, io.EOF) {
			_, err = r.Next(t.Context())
			require.ErrorIs(t, err, io.EOF, "and it stays at the end")
			return seqs, last
		}
		require.NoError(t, err)
		var head struct {
			Type string
			Seq  int64 `json:"sequence_number"`
		}
		require.NoError(t, json.Unmarshal(e.Data, &head))
		require.Equal(t, e.Seq, head.Seq)
		seqs, last = append(seqs, e.Seq), head.Type
	}
}

func say(log *events.Log, seq int64) {
	data, _ := json.Marshal(map[string]any{"type": "response.output_text.delta", "sequence_number": seq})
	log.Append(events.Event{Seq: seq, Data: data})
}

var done = rota.Result{Phase: rota.PhaseCompleted, ResponseID: "resp_1", Response: rota.AnyOf(map[string]string{"id": "resp_1"})}

func TestRunEventsReplayThenLiveThenEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := w.run()
		early := w.events(t.Context(), r, -1)
		w.claim()
		log := w.Hub.Open(r.ID)
		say(log, 0)
		say(log, 1)
		late, resumed := w.events(t.Context(), r, -1), w.events(t.Context(), r, 0)
		type read struct {
			seqs []int64
			last string
		}
		got := make(chan read, 3)
		for _, reader := range []control.EventReader{early, late, resumed} {
			go func() {
				seqs, last := rest(t, reader)
				got <- read{seqs, last}
			}()
		}
		synctest.Wait()
		require.Empty(t, got, "they wait for more")
		say(log, 2)
		synctest.Wait()
		w.finish(r.ID, done)
		total := 0
		for range 3 {
			g := <-got
			total += len(g.seqs)
			require.Equal(t, "response.completed", g.last)
			require.Equal(t, []int64{1, 2, 1_000_000}, g.seqs[len(g.seqs)-3:])
		}
		require.Equal(t, 4+4+3, total)
	})
}

func TestRunEventsOfAnEndedRun(t *testing.T) {
	w := newWorld(t)
	r := w.run()
	w.claim()
	log := w.Hub.Open(r.ID)
	say(log, 0)
	w.finish(r.ID, done)
	seqs, last := rest(t, w.events(t.Context(), r, -1))
	require.Equal(t, []int64{1_000_000}, seqs)
	require.Equal(t, "response.completed", last)
	seqs, _ = rest(t, w.events(t.Context(), r, 999_999))
	require.Len(t, seqs, 1)
	require.Nil(t, w.events(t.Context(), r, 1_000_000), "who has seen it gets nothing more")
}

func TestRunEventsOfACancelledRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := w.run()
		reader := w.events(t.Context(), r, -1)
		got := make(chan []int64, 1)
		go func() {
			seqs, last := rest(t, reader)
			require.Equal(t, "response.cancelled", last)
			got <- seqs
		}()
		synctest.Wait()
		cancelled, err := w.CancelRun(t.Context(), caller, r.AgentID, r.ID, control.Write{})
		require.NoError(t, err)
		require.Equal(t, []int64{0}, <-got)
		require.Nil(t, cancelled.Error)
		require.Equal(t, rota.RunErrCancelled, cancelled.Reason.Code)
		require.Equal(t, []rota.RunID{r.ID}, w.engine.cancelled)
	})
}

func TestRunEventsEndWithTheirReader(t *testing.T) {
	w := newWorld(t)
	r := w.run()
	ctx, cancel := context.WithCancel(t.Context())
	reader := w.events(ctx, r, -1)
	cancel()
	_, err := reader.Next(ctx)
	require.ErrorIs(t, err, context.Canceled)
	_, err = w.RunEvents(t.Context(), caller, r.AgentID, "arun_none", -1, nil)
	require.ErrorIs(t, err, rota.NotFound)
}

func TestCancelRun(t *testing.T) {
	w := newWorld(t)
	r := w.run()
	for range 2 {
		got, err := w.CancelRun(t.Context(), caller, r.AgentID, r.ID, control.Write{})
		require.NoError(t, err)
		require.Equal(t, rota.PhaseCancelled, got.Phase)
		require.Equal(t, rota.RunCancelled, got.Status)
	}
	require.Empty(t, w.claim())

	ended := w.run()
	w.claim()
	w.finish(ended.ID, done)
	_, err := w.CancelRun(t.Context(), caller, ended.AgentID, ended.ID, control.Write{})
	require.ErrorIs(t, err, rota.Conflict)
}

func TestCancelSettlesTheSchedule(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(hourly, `,"policy":{"overlap":"buffer_one"}`)
	w.at(time.Hour)
	first := w.fire()[0].Run
	w.claim()
	w.at(2 * time.Hour)
	require.Empty(t, w.fire(), "it waits")
	_, err := w.CancelRun(t.Context(), caller, s.AgentID, first, control.Write{})
	require.NoError(t, err)
	require.Equal(t, w.now, w.timer(s).DueAt)
	require.Len(t, w.fire(), 1)
}

func TestTriggerTwiceInAMoment(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(hourly, `,"policy":{"overlap":"allow_all"}`)
	for i := range 3 {
		o, err := w.TriggerSchedule(t.Context(), caller, s.AgentID, s.ID, control.Write{})
		require.NoError(t, err)
		require.Equal(t, rota.Fired, o.Outcome)
		require.Equal(t, instant(time.Duration(i)*time.Millisecond), o.ScheduledFor)
	}
	require.Len(t, w.claim(), 3, "all may start at once")
}

// Two triggers one millisecond before a nominal time take the last runs. That
// time has not come yet, so nothing is on record for it.
func TestTriggerTwiceJustBeforeANominalTime(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(hourly, `,"policy":{"overlap":"allow_all","max_runs":2}`)
	now := w.at(time.Hour - time.Millisecond)
	for range 2 {
		o, err := w.TriggerSchedule(t.Context(), caller, s.AgentID, s.ID, control.Write{})
		require.NoError(t, err)
		require.Equal(t, rota.InstantOf(now), o.RecordedAt)
	}
	require.Equal(t, []string{"fired 59", "fired 60"}, w.ledger(s))
	require.Equal(t, rota.ScheduleCompleted, w.read(s).Status)
}

// A trigger does not take the place of a nominal time that is to come.
func TestTriggerAtANominalTime(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(hourly, `,"policy":{"overlap":"allow_all"}`)
	w.at(time.Hour)
	o, err := w.TriggerSchedule(t.Context(), caller, s.AgentID, s.ID, control.Write{})
	require.NoError(t, err)
	require.Equal(t, instant(time.Hour+time.Millisecond), o.ScheduledFor)
	require.Len(t, w.fire(), 1, "which is decided by itself")
}
