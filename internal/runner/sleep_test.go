package runner_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/answer"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// newSleepBench is newToolBench with an agent that may sleep.
func newSleepBench(t *testing.T, change func(*rota.Agent)) (*bench, *tools) {
	return newToolBench(t, func(a *rota.Agent) {
		a.Tools = append(a.Tools, rota.Object(rota.AnyOf(map[string]any{"type": "sleep"})))
		if change != nil {
			change(a)
		}
	})
}

// sleeping is a model's answer that calls sleep with each of the arguments.
func sleeping(arguments ...string) gatewaytest.Reply {
	items := make([]string, len(arguments))
	for n, a := range arguments {
		items[n] = fmt.Sprintf(`{"type":"function_call","id":"fc_s%d","call_id":"call_s%d","name":"sleep","arguments":%s,"status":"completed"}`, n, n, rota.AnyOf(a).RawMessage)
	}
	return gatewaytest.Stream(gatewaytest.Created("resp_x"), gatewaytest.Data(`{"type":"response.completed","response":{"id":"resp_x","object":"response","created_at":1,"status":"completed","model":"test","output":[`+
		strings.Join(items, ",")+`],"usage":{"input_tokens":10,"output_tokens":5,"total_tokens":15}}}`))
}

// wake wakes the run, and reports whether it slept.
func (b *bench) wake(input string) (woken bool) {
	b.Helper()
	b.update(func(ctx context.Context, tx sqlstore.Queries) error {
		var err error
		woken, err = tx.WakeRun(ctx, b.run.ID, b.now, func(called rota.ResponseStep) rota.ResponseStep {
			return answer.Woken(called, rota.AnyOf(input).RawMessage, b.now)
		})
		return err
	})
	return woken
}

// ready reports whether the run can be claimed, and makes nothing of it.
func (b *bench) ready(at time.Time) bool {
	b.Helper()
	next, err := b.store.Reader().NextWake(b.Context(), at)
	require.NoError(b, err)
	return next.IsZero()
}

func TestARunSleeps(t *testing.T) {
	b, f := newSleepBench(t, nil)
	b.model.Script(calling("get"), sleeping(`{"duration_seconds": 3600, "reason": "the market is closed"}`), gatewaytest.Text("done"))
	r := b.attempt(t.Context())
	fell := rota.InstantOf(b.now)
	require.Equal(t, rota.PhaseWaiting, r.Phase, "it has no worker")
	require.Equal(t, &rota.Sleep{Since: fell, Until: rota.InstantOf(b.now.Add(time.Hour)), Reason: new("the market is closed")}, r.Sleep)
	require.Equal(t, new(rota.InstantOf(b.now.Add(time.Hour))), r.ReadyAt)
	require.Nil(t, r.Error)
	require.Equal(t, string(rota.ResponseOf(r.ID)), *r.GatewayResponseID)
	require.True(t, r.Attempts[0].Slept)
	require.EqualValues(t, 3_600_000, *r.Attempts[0].WaitMS)
	require.False(t, b.ready(b.now.Add(time.Hour-time.Millisecond)))
	require.True(t, b.ready(b.now.Add(time.Hour)))

	r = b.attempt(t.Context()) // an hour later
	require.Equal(t, rota.PhaseCompleted, r.Phase, r.Error)
	require.Nil(t, r.Sleep)
	require.Equal(t, []string{"get -1-1"}, f.calls, "before it slept, once")
	require.Equal(t, []string{
		"mcp_call get → did get", `mcp_call sleep → {"status":"woke","slept_seconds":3600,"now":"` + rota.InstantOf(b.now).String() + `"}`, "message",
	}, output(t, r))
	require.Equal(t, string(rota.ResponseOf(r.ID)), *r.GatewayResponseID)
	require.Equal(t, &rota.Tokens{Input: 21, Output: 11, Total: 32}, r.Tokens, "of all questions, before and after")
	require.Len(t, r.Attempts, 2)
	require.Equal(t, []int{1, 1}, []int{r.Attempts[0].Round, r.Attempts[1].Round}, "sleeping is no failure")
	require.Equal(t, r.Attempts[0].Model, r.Attempts[1].Model)
	require.Zero(t, b.steps())
	require.Contains(t, string(b.model.Calls()[0].Body), `"name":"sleep"`, "the model is told a function")
	require.NotContains(t, string(b.model.Calls()[0].Body), `{"type":"sleep"}`)
}

func TestASleepingRunIsWoken(t *testing.T) {
	b, _ := newSleepBench(t, nil)
	require.False(t, b.wake("too early"))
	b.model.Script(sleeping(`{"wake_at": "2026-12-20T09:00:00+01:00"}`), gatewaytest.Text("done"))
	r := b.attempt(t.Context())
	require.Equal(t, "2026-12-20T08:00:00.000Z", r.Sleep.Until.String())
	require.False(t, b.ready(b.now.Add(time.Hour)))
	b.now = b.now.Add(10 * time.Minute)
	require.True(t, b.wake("The report is there."))
	require.False(t, b.wake("again"), "it is awake")
	require.True(t, b.ready(b.now))
	r = b.attempt(t.Context())
	require.Equal(t, rota.PhaseCompleted, r.Phase, r.Error)
	require.Equal(t, "mcp_call sleep → {\"status\":\"interrupted\",\"slept_seconds\":600,\"now\":\""+rota.InstantOf(b.now.Add(-time.Hour)).String()+"\",\"input\":\"The report is there.\"}", output(t, r)[0])
	require.False(t, b.wake("too late"))
}

// Whoever dies where, sleep and what came before it are on record, or neither is.
func TestASleepingRunSurvivesItsWorker(t *testing.T) {
	b, f := newSleepBench(t, nil)
	recovered := func() {
		b.update(func(ctx context.Context, tx sqlstore.Queries) error {
			_, err := tx.Recover(ctx, b.now, []string{"model"}, func(rota.CutOff, time.Time) (rota.Result, bool) {
				t.Fatal("no worker had it")
				return rota.Result{}, false
			}, nil)
			return err
		})
	}
	b.model.Script(calling("put"), sleeping(`{"duration_seconds": 7200}`), gatewaytest.Text("done"))
	require.NotNil(t, b.attempt(t.Context()).Sleep)
	recovered()
	r, err := b.store.RunByID(t.Context(), owner, b.run.ID)
	require.NoError(t, err)
	require.NotNil(t, r.Sleep, "a start does not wake it")
	require.True(t, b.wake("go"))
	recovered()
	r = b.attempt(t.Context())
	require.Equal(t, rota.PhaseCompleted, r.Phase, r.Error)
	require.Equal(t, []string{"put -1-1"}, f.calls)
	require.Equal(t, 3, b.model.Total(), "no question is asked again")
}

func TestASleepingRunIsCancelled(t *testing.T) {
	b, _ := newSleepBench(t, nil)
	b.model.Script(sleeping(`{"duration_seconds": 7200}`))
	require.NotNil(t, b.attempt(t.Context()).Sleep)
	b.update(func(ctx context.Context, tx sqlstore.Queries) error {
		_, err := tx.FinishRun(ctx, b.run.ID, rota.Result{Phase: rota.PhaseCancelled, CompletedAt: b.now, Error: &rota.RunError{Code: rota.RunErrCancelled}}, nil)
		return err
	})
	require.False(t, b.wake("go"))
	r, err := b.store.RunByID(t.Context(), owner, b.run.ID)
	require.NoError(t, err)
	require.Equal(t, rota.PhaseCancelled, r.Phase)
	require.Nil(t, r.Sleep)
	require.Len(t, r.Attempts, 1)
	require.Zero(t, b.steps())
}

// What cannot be slept is told to the model, which goes on.
func TestSleepThatIsRefused(t *testing.T) {
	b, _ := newSleepBench(t, func(a *rota.Agent) { a.MaxToolCalls = new(6) })
	b.model.Script(sleeping(`{}`, `{"duration_seconds": 2592001}`, `{"duration_seconds": 0}`, `{"wake_at": "2026-01-01T00:00:00Z"}`, `{"wake_at": "tomorrow"}`, `x`), gatewaytest.Text("done"))
	r := b.attempt(t.Context())
	require.Equal(t, rota.PhaseCompleted, r.Phase, r.Error)
	for n, why := range []string{"give either", "at most 2592000", "above 0", "must be ahead", "RFC 3339", "give either"} {
		require.Contains(t, output(t, r)[n], "mcp_call sleep ✗ It did not sleep: ")
		require.Contains(t, output(t, r)[n], why)
		require.Contains(t, output(t, r)[n], "It is "+rota.InstantOf(b.now).String())
	}
}

// Sleep comes after the other calls of its answer, and one sleep after the other.
func TestSleepComesLast(t *testing.T) {
	b, f := newSleepBench(t, nil)
	b.model.Script(sleeping(`{"duration_seconds": 60}`, `{"duration_seconds": 3600}`), gatewaytest.Text("done"))
	require.Equal(t, rota.InstantOf(b.now.Add(time.Hour+time.Minute)), b.attempt(t.Context()).Sleep.Until)
	r := b.attempt(t.Context())
	require.Equal(t, rota.InstantOf(b.now.Add(time.Hour)), r.Sleep.Until)
	r = b.attempt(t.Context())
	require.Equal(t, rota.PhaseCompleted, r.Phase, r.Error)
	require.Len(t, output(t, r), 3)
	require.Empty(t, f.calls)
}

// Of a run that is in a conversation, the conversation is the run's while it sleeps, and
// the next run of it is told that it has slept.
func TestSleepIsRemembered(t *testing.T) {
	b, _ := newSleepBench(t, nil)
	c := b.converse()
	b.update(func(ctx context.Context, tx sqlstore.Queries) error {
		_, err := tx.FinishRun(ctx, b.run.ID, rota.Result{Phase: rota.PhaseCancelled, CompletedAt: b.now}, nil)
		return err
	})
	b.next(func(r *rota.Run) { r.Conversation = rota.ConversationOf(c) })
	b.model.Script(sleeping(`{"duration_seconds": 3600}`), gatewaytest.Text("done"), gatewaytest.Text("next"))
	require.NotNil(t, b.attempt(t.Context()).Sleep)
	held, err := b.store.Reader().Conversation(t.Context(), owner, c)
	require.NoError(t, err)
	require.Equal(t, string(b.run.ID), held.Busy)
	r := b.attempt(t.Context())
	require.Equal(t, rota.PhaseCompleted, r.Phase, r.Error)
	require.Equal(t, string(rota.ResponseOf(r.ID)), *r.GatewayResponseID, "the id that its caller was told while it slept")
	b.next(func(r *rota.Run) { r.Conversation = rota.ConversationOf(c) })
	require.Equal(t, rota.PhaseCompleted, b.attempt(t.Context()).Phase)
	var told []string
	for _, i := range b.asked() {
		told = append(told, string(i))
	}
	require.Contains(t, strings.Join(told, ""), `slept_seconds\":3600`)
}

// The events of a run that sleeps say so.
func TestEventsOfSleep(t *testing.T) {
	b, _ := newSleepBench(t, nil)
	log := b.runner.Hub.Read(b.run.ID, -1)
	defer log.Close()
	b.model.Script(sleeping(`{"duration_seconds": 3600, "reason": "tea"}`), gatewaytest.Text("done"))
	until := b.attempt(t.Context()).Sleep.Until
	b.attempt(t.Context())
	var seen []string
	for {
		e, err := log.Next(t.Context())
		if err != nil {
			break
		}
		var head struct {
			Type   string
			Args   json.RawMessage
			WakeAt string `json:"wake_at"`
			Status string
			Output string `json:"function_call_output"`
		}
		require.NoError(t, json.Unmarshal(e.Data, &head))
		if strings.HasPrefix(head.Type, "response.sleep_call.") {
			seen = append(seen, strings.TrimPrefix(head.Type, "response.sleep_call.")+" "+string(head.Args)+head.WakeAt+head.Status)
			require.Equal(t, head.Status != "", head.Output != "")
		}
	}
	args := `in_progress {"duration_seconds":3600,"reason":"tea"}`
	asleep := "sleeping " + until.String()
	require.Equal(t, []string{args, asleep, args, asleep, "completed woke"}, seen, "the attempt that goes on tells it again")
}
