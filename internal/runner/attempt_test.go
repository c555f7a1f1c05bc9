package runner_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/events"
	"github.com/rota-run/rota/internal/gateway"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
	"github.com/rota-run/rota/internal/ports"
	"github.com/rota-run/rota/internal/runner"
	"github.com/rota-run/rota/internal/store/sqlite"
	"github.com/rota-run/rota/internal/store/sqlite/sqlitetest"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

var owner = rota.Owner{Account: "acme"}

// A bench is a runner over a real store and a scripted model.
type bench struct {
	*testing.T
	model  *gatewaytest.Server
	store  *sqlite.Store
	runner *runner.Runner
	run    rota.Run
	woken  int
	now    time.Time
}

func newBench(t *testing.T, change func(*rota.Agent, *rota.Run)) *bench {
	t.Helper()
	b := newSilentBench(t, change)
	b.model = gatewaytest.New(t)
	gw, err := gateway.New([]gateway.Provider{{Name: "model", BaseURL: b.model.URL, IdleTimeout: time.Minute}})
	require.NoError(t, err)
	t.Cleanup(gw.Close)
	b.runner.Gateway = gw
	return b
}

// newSilentBench is newBench without a model, and without a network.
func newSilentBench(t *testing.T, change func(*rota.Agent, *rota.Run)) *bench {
	t.Helper()
	b := &bench{T: t, now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
	b.store = sqlitetest.Open(t)
	b.runner = &runner.Runner{
		Store: ports.Runner(b.store), Hub: events.NewHub(), Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return b.now }, Changed: func() { b.woken++ },
	}
	now := rota.InstantOf(b.now)
	a := rota.Agent{
		ID: rota.NewAgentID(b.now), CreatedAt: now, UpdatedAt: now, Version: 1,
		AgentConfig: rota.AgentConfig{
			Name: "a", Model: "small", Tools: []rota.Object{}, ToolChoice: rota.AnyOf("auto"), Metadata: map[string]string{},
		},
	}
	b.run = rota.Run{
		ID: rota.NewRunID(b.now), AgentID: a.ID, Input: rota.InputText("hi"), Trigger: rota.TriggerAPI,
		Metadata: map[string]string{}, CreatedAt: now,
	}
	if change != nil {
		change(&a, &b.run)
	}
	b.update(func(ctx context.Context, tx sqlstore.Queries) error {
		if err := tx.AddAgent(ctx, owner, a); err != nil {
			return err
		}
		return tx.AddRun(ctx, owner, b.run, "model")
	})
	return b
}

func (b *bench) update(fn func(context.Context, sqlstore.Queries) error) {
	b.Helper()
	require.NoError(b, b.store.Update(context.Background(), fn))
}

// attempt claims the run an hour later than the last time, and makes an attempt.
func (b *bench) attempt(ctx context.Context) rota.Run {
	b.Helper()
	b.now = b.now.Add(time.Hour)
	work := b.claim()
	require.Len(b, work, 1)
	b.runner.Attempt(ctx, work[0])
	r, err := b.store.RunByID(context.Background(), owner, b.run.ID)
	require.NoError(b, err)
	return r
}

func TestCompleted(t *testing.T) {
	b := newBench(t, nil)
	var output string
	b.runner.OnDone = func(_ rota.Work, r rota.Result, text string) { output = text }
	r := b.attempt(t.Context())
	require.Equal(t, rota.PhaseCompleted, r.Phase)
	require.Len(t, r.Attempts, 1)
	require.Equal(t, "resp_1", *r.GatewayResponseID)
	require.JSONEq(t, gatewaytest.Response("resp_1", "ok"), string(r.GatewayResponse.RawMessage))
	require.NotEmpty(t, r.Usage.RawMessage)
	require.Equal(t, "ok", output)
}

func TestOutcomes(t *testing.T) {
	for name, tt := range map[string]struct {
		reply gatewaytest.Reply
		phase rota.Phase
		code  string
	}{
		"server error":  {gatewaytest.Status(http.StatusInternalServerError, nil, "no"), rota.PhaseWaiting, ""},
		"rate limited":  {gatewaytest.Status(http.StatusTooManyRequests, nil, `{"error":"Rate limit exceeded"}`), rota.PhaseWaiting, ""},
		"broken stream": {gatewaytest.Stream(gatewaytest.Created("resp_1")), rota.PhaseWaiting, ""},
		"rejected":      {gatewaytest.JSON(http.StatusBadRequest, `{"error":{"message":"no such model"}}`), rota.PhaseFailed, rota.RunErrRejected},
		"a page":        {gatewaytest.HTML(http.StatusOK), rota.PhaseFailed, rota.RunErrBadResponse},
		"incomplete":    {gatewaytest.Stream(gatewaytest.Incomplete("resp_1", "half", "max_output_tokens")), rota.PhaseIncomplete, ""},
		"empty":         {gatewaytest.Text(""), rota.PhaseFailed, rota.RunErrEmptyOutput},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			b.model.Script(tt.reply)
			r := b.attempt(t.Context())
			require.Equal(t, tt.phase, r.Phase, r.Error)
			require.Len(t, r.Attempts, 1)
			switch tt.phase {
			case rota.PhaseFailed:
				require.Equal(t, tt.code, r.Error.Code)
				require.Equal(t, tt.code, *r.Attempts[0].Code)
			case rota.PhaseWaiting:
				require.Equal(t, rota.RunQueued, r.Status)
				require.Equal(t, 1, b.woken, "the engine hears of the new time")
				require.Equal(t, *r.Attempts[0].Code, r.Error.Code, "a run that waits says why")
				require.Equal(t, *r.Attempts[0].WaitMS, r.ReadyAt.Sub(r.Attempts[0].EndedAt.Time).Milliseconds(), "and until when")
			case rota.PhaseIncomplete:
				require.Equal(t, rota.RunIncomplete, r.Status)
				require.Nil(t, r.Error)
				require.Contains(t, string(r.GatewayResponse.RawMessage), "max_output_tokens")
			}
		})
	}
}

// TestLogLines: they say whose run it is, and only where the operator wants it what
// others have written.
func TestLogLines(t *testing.T) {
	for _, contents := range []bool{false, true} {
		var lines bytes.Buffer
		b := newBench(t, nil)
		b.runner.Log, b.runner.LogContents = slog.New(slog.NewTextHandler(&lines, nil)), contents
		b.model.Script(gatewaytest.Status(http.StatusInternalServerError, nil, "on fire"), gatewaytest.JSON(http.StatusBadRequest, `{"error":{"message":"no such model"}}`))
		b.attempt(t.Context())
		b.attempt(t.Context())
		require.Contains(t, lines.String(), `msg="attempt failed"`)
		require.Contains(t, lines.String(), `msg="run ended"`)
		require.Equal(t, 2, strings.Count(lines.String(), "account="+owner.Account+" end_user="+owner.EndUser), lines.String())
		for _, said := range []string{"on fire", "no such model"} {
			require.Equal(t, contents, strings.Contains(lines.String(), said), lines.String())
		}
	}
}

// What was paid for is on record, though the run failed: the text that had come,
// and its usage.
func TestAFailedRunKeepsWhatHadCome(t *testing.T) {
	const created = `{"type":"response.created","response":{"id":"resp_1","status":"in_progress","output":[],"usage":{"total_tokens":9}}}`
	for name, tt := range map[string]struct{ last, code, status string }{
		"cut off":    {"", rota.RunErrStreamEnded, "incomplete"},
		"failed":     {gatewaytest.Failed("resp_1", "invalid_prompt", "no"), rota.RunErrProvider, "failed"},
		"an error":   {gatewaytest.Data(`{"type":"error","code":"invalid_prompt"}`), rota.RunErrProvider, "failed"},
		"empty":      {gatewaytest.Data(`{"type":"response.completed","response":{"id":"resp_1","status":"completed"}}`), "", "completed"},
		"incomplete": {gatewaytest.Data(`{"type":"response.incomplete","response":{"id":"resp_1","status":"incomplete"}}`), "", "incomplete"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			b.model.Default(gatewaytest.Stream(gatewaytest.Data(created), gatewaytest.Delta("half"), tt.last))
			r := b.attempt(t.Context())
			for r.Phase == rota.PhaseWaiting {
				r = b.attempt(t.Context())
			}
			if tt.code != "" {
				require.Equal(t, tt.code, r.Error.Code)
			}
			for _, a := range r.Attempts {
				require.JSONEq(t, `{"total_tokens":9}`, string(a.Usage.RawMessage))
			}
			require.JSONEq(t, `{"total_tokens":9}`, string(r.Usage.RawMessage))
			require.Equal(t, &rota.Tokens{Total: int64(9 * len(r.Attempts))}, r.Tokens, "each attempt was paid for")
			var kept struct {
				Status string
				Output []struct{ Content []struct{ Text string } }
			}
			require.NoError(t, json.Unmarshal(r.GatewayResponse.RawMessage, &kept))
			require.Equal(t, tt.status, kept.Status)
			require.Equal(t, "half", kept.Output[0].Content[0].Text)
		})
	}
}

// The text that an attempt brought is kept, though the last one brought none.
func TestTheTextOfAnEarlierAttemptIsKept(t *testing.T) {
	b := newBench(t, nil)
	b.model.Script(gatewaytest.Stream(gatewaytest.Created("resp_1"), gatewaytest.Delta("half")))
	b.model.Default(gatewaytest.Hangup())
	r := b.attempt(t.Context())
	for r.Phase == rota.PhaseWaiting {
		require.Contains(t, string(r.GatewayResponse.RawMessage), `"half"`)
		r = b.attempt(t.Context())
	}
	require.Equal(t, rota.PhaseFailed, r.Phase)
	require.Equal(t, rota.RunErrConnection, r.Error.Code)
	require.Contains(t, string(r.GatewayResponse.RawMessage), `"half"`)
	require.Contains(t, string(r.GatewayResponse.RawMessage), `"incomplete"`)
}

// A run says what of it the provider did not take.
func TestNotSent(t *testing.T) {
	for name, last := range map[string]gatewaytest.Reply{
		"answered": gatewaytest.Text("ok"),
		"failed":   gatewaytest.Stream(gatewaytest.Created("resp_1"), gatewaytest.Failed("resp_1", "invalid_prompt", "no")),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(_ *rota.Agent, r *rota.Run) { r.Metadata = map[string]string{"team": "ops"} })
			b.model.Script(gatewaytest.JSON(http.StatusBadRequest, `{"error":{"message":"Argument not supported: metadata"}}`), last)
			r := b.attempt(t.Context())
			require.Len(t, r.Attempts, 1)
			require.Equal(t, []string{"metadata"}, r.Request.NotSent)
			require.Equal(t, 2, b.model.Total())
			require.NotContains(t, string(b.model.Calls()[1].Body), "metadata")
		})
	}
}

// A run is given up after its attempts. Its idempotency key changes when the
// provider has answered, and stays when nobody knows.
func TestAttempts(t *testing.T) {
	b := newBench(t, nil)
	b.model.Script(
		gatewaytest.Status(http.StatusInternalServerError, nil, "no"),
		gatewaytest.Hangup(),
		gatewaytest.Status(http.StatusInternalServerError, nil, "no"),
	)
	b.attempt(t.Context())
	b.attempt(t.Context())
	r := b.attempt(t.Context())
	require.Equal(t, rota.PhaseFailed, r.Phase)
	require.Equal(t, rota.RunErrProvider, r.Error.Code)
	require.Len(t, r.Attempts, 3)
	var keys []string
	for _, c := range b.model.Calls() {
		keys = append(keys, c.IdempotencyKey())
	}
	id := string(b.run.ID)
	require.Equal(t, []string{id + "-0", id + "-1", id + "-1"}, keys)
}

func TestInterruptedRunIsLeftAsItIs(t *testing.T) {
	b := newBench(t, nil)
	entered, release := make(chan gatewaytest.Call, 1), make(chan struct{})
	defer close(release)
	b.model.Script(gatewaytest.Gate(entered, release, gatewaytest.Text("late")))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-entered
		cancel()
	}()
	r := b.attempt(ctx)
	require.Equal(t, rota.PhaseRunning, r.Phase, "the next start finds it")
}

// Who watches sees the events of every attempt under growing numbers, and none
// that ends the response: that comes when the end is durable.
func TestEventsGoOnAcrossAttempts(t *testing.T) {
	b := newBench(t, nil)
	b.model.Script(gatewaytest.Stream(gatewaytest.Created("resp_1"), gatewaytest.Delta("half")), gatewaytest.Text("whole"))
	log := b.runner.Hub.Read(b.run.ID, -1)
	defer log.Close()
	b.attempt(t.Context())
	b.attempt(t.Context())
	var seqs []int64
	for {
		e, err := log.Next(t.Context())
		if err != nil {
			break
		}
		var head struct {
			Seq  int64 `json:"sequence_number"`
			Type string
		}
		require.NoError(t, json.Unmarshal(e.Data, &head))
		require.Equal(t, e.Seq, head.Seq)
		require.NotEqual(t, "response.completed", head.Type)
		seqs = append(seqs, e.Seq)
	}
	require.Equal(t, []int64{0, 1, 1_000_000, 1_000_001}, seqs)
}

func TestRequest(t *testing.T) {
	b := newBench(t, func(a *rota.Agent, r *rota.Run) {
		instructions, most := "Be brief in {{timezone}}.", 7
		a.Instructions, a.MaxToolCalls = &instructions, &most
		a.Tools = []rota.Object{rota.Object(rota.AnyOf(map[string]string{"type": "web_search"}))}
		a.Reasoning = rota.Object(rota.AnyOf(map[string]string{"effort": "low"}))
		r.Input = rota.Input{Any: rota.AnyOf([]any{map[string]string{"type": "text", "text": "{{run_count}}"}})}
		r.Metadata = map[string]string{"team": "ops"}
	})
	b.attempt(t.Context())
	require.JSONEq(t, `{
		"model": "small", "stream": true, "instructions": "Be brief in {{timezone}}.", "max_tool_calls": 7,
		"input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "{{run_count}}"}]}],
		"tools": [{"type": "web_search"}], "tool_choice": "auto", "parallel_tool_calls": false,
		"reasoning": {"effort": "low"},
		"metadata": {"team": "ops", "rota_run_id": "`+string(b.run.ID)+`"}
	}`, string(b.model.Calls()[0].Body))
}

// TestALogRestsBetweenAttempts: another process may make the next one.
func TestALogRestsBetweenAttempts(t *testing.T) {
	b := newBench(t, nil)
	b.model.Script(gatewaytest.Status(http.StatusInternalServerError, nil, "no"))
	log := b.runner.Hub.Read(b.run.ID, -1)
	defer log.Close()
	r := b.attempt(t.Context())
	require.Equal(t, rota.PhaseWaiting, r.Phase)
	_, ok := b.runner.Hub.Awaits(b.run.ID)
	require.True(t, ok)
}
