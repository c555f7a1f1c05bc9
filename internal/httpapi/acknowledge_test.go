package httpapi_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/policy"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// fail ends a run as an engine would that could not ask the model.
func (s *server) fail(id rota.RunID, code string) {
	s.t.Helper()
	require.NoError(s.t, s.store.Update(s.t.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
		if _, err := tx.ClaimRuns(ctx, s.clock.Now(), rota.Claim{Provider: "test", Limit: 10}); err != nil {
			return err
		}
		_, err := tx.FinishRun(ctx, id, rota.Result{
			Phase: rota.PhaseFailed, Error: &rota.RunError{Code: code, Message: "it failed"}, CompletedAt: s.clock.Now(),
		}, policy.Settle)
		return err
	}))
}

// blocked makes a schedule whose times did not run, because somebody had paused it.
func (c caller) blocked() (schedule string) {
	c.t.Helper()
	schedule = c.newSchedule(c.newAgent("a"))
	c.send(http.MethodPost, schedule+"/pause", "").is(http.StatusOK)
	c.clock.advance(2*time.Hour + time.Second)
	c.send(http.MethodPost, schedule+"/resume", "").is(http.StatusOK)
	return schedule
}

const (
	unseenOccurrences = "/api/v1/occurrences?unseen=true"
	unseenRuns        = "/api/v1/runs?unseen=true"
)

func (c caller) listedIDs(path string) []string {
	c.t.Helper()
	return read[listed](c.send(http.MethodGet, path, "").is(http.StatusOK)).ids()
}

func TestAcknowledgeOne(t *testing.T) {
	s := newAPI(t)
	c := s.acme()
	other := c.as("ana")
	c.blocked()
	id := c.listedIDs(unseenOccurrences)[0]
	one := "/api/v1/occurrences/" + id + "/acknowledge"
	other.send(http.MethodPost, one, "").is(http.StatusNotFound)
	s.operator("globex").send(http.MethodPost, one, "").is(http.StatusNotFound)
	seen := c.send(http.MethodPost, one, "", "Idempotency-Key", "k").is(http.StatusOK).object()["acknowledged"].(map[string]any)
	require.NotEmpty(t, seen["at"])
	require.Regexp(t, "^key_", seen["by"])
	require.Empty(t, c.listedIDs(unseenOccurrences))
	s.clock.advance(time.Minute)
	require.Equal(t, seen, c.send(http.MethodPost, one, "").is(http.StatusOK).object()["acknowledged"], "it stays as it is")

	fired := c.send(http.MethodPost, c.newSchedule(c.newAgent("b"))+"/trigger", "").is(http.StatusOK).object()
	run := "/api/v1/runs/" + fired["run_id"].(string) + "/acknowledge"
	c.send(http.MethodPost, "/api/v1/occurrences/"+fired["id"].(string)+"/acknowledge", "").is(http.StatusConflict)
	c.send(http.MethodPost, run, "").is(http.StatusConflict)
	s.fail(rota.RunID(fired["run_id"].(string)), "timeout")
	other.send(http.MethodPost, run, "").is(http.StatusNotFound)
	require.NotNil(t, c.send(http.MethodPost, "/api/v1/occurrences/"+fired["id"].(string)+"/acknowledge", "").is(http.StatusOK).object()["acknowledged"], "that of its run")
	require.NotNil(t, c.send(http.MethodPost, run, "").is(http.StatusOK).object()["acknowledged"])
}

func TestAcknowledgeMany(t *testing.T) {
	s := newAPI(t)
	account := s.key("acme", "rk_that-changes-the-whole-account", append(rota.DefaultScopes(), rota.ReadAccount, rota.WriteAccount)...)
	plain := s.acme()
	ana, bo := account.as("ana"), account.as("bo")
	inside := rota.InstantOf(s.clock.Now().Add(90 * time.Minute)).String()
	ana.blocked()
	before := rota.InstantOf(s.clock.Now()).String()
	s.clock.advance(time.Hour)
	bo.blocked()
	for _, c := range []caller{account, ana} {
		s.fail(rota.RunID(c.send(http.MethodGet, c.newRun(c.newAgent("a")), "").id()), "timeout")
	}
	do := func(what, body string, headers ...string) float64 {
		r := account.send(http.MethodPost, "/api/v1/"+what+"/acknowledge", body, headers...).is(http.StatusOK).object()
		require.Equal(t, "acknowledgements", r["object"])
		return r["acknowledged"].(float64)
	}
	require.Equal(t, 0.0, do("occurrences", ""), "those of the account itself")
	require.Equal(t, 2.0, do("occurrences", `{"end_user":"*","dry_run":true}`))
	require.Equal(t, 0.0, do("occurrences", `{"end_user":"*","outcome":"missed"}`))
	require.Equal(t, 0.0, do("occurrences", `{"end_user":"*","reason":"worker_lost"}`))
	require.Equal(t, 1.0, do("occurrences", `{"end_user":"*","as_of":"`+before+`","dry_run":true}`), "what has come since is left")
	require.Equal(t, 1.0, do("occurrences", `{"end_user":"bo","reason":"schedule_paused","outcome":"blocked"}`))
	require.Equal(t, 1.0, do("occurrences", `{"end_user":"*","from":"`+inside+`"}`, "Idempotency-Key", "k"), "a span that reaches from before")
	require.Equal(t, 1.0, do("occurrences", `{"end_user":"*","from":"`+inside+`"}`, "Idempotency-Key", "k"), "the first answer")
	require.Empty(t, account.listedIDs(unseenOccurrences+"&end_user=*"))

	require.Equal(t, 2.0, do("runs", `{"end_user":"*","dry_run":true}`))
	require.Equal(t, 0.0, do("runs", `{"end_user":"*","phase":"incomplete"}`))
	require.Equal(t, 0.0, do("runs", `{"end_user":"*","error_code":"other"}`))
	require.Equal(t, 1.0, do("runs", ""))
	require.Equal(t, 1.0, do("runs", `{"end_user":"*","error_code":"timeout","as_of":"`+rota.InstantOf(s.clock.Now()).String()+`"}`))
	require.Empty(t, account.listedIDs(unseenRuns+"&end_user=*"))

	for _, what := range []string{"occurrences", "runs"} {
		path := "/api/v1/" + what + "/acknowledge"
		require.Contains(t, plain.send(http.MethodPost, path, `{"end_user":"*"}`).is(http.StatusForbidden).failure().Message, "write:account")
		ana.send(http.MethodPost, path, `{"end_user":"bo"}`).is(http.StatusForbidden)
		require.Equal(t, "as_of", account.send(http.MethodPost, path, `{"as_of":"soon"}`).is(http.StatusBadRequest).param())
		require.Equal(t, "unseen", account.send(http.MethodGet, "/api/v1/"+what+"?unseen=x", "").is(http.StatusBadRequest).param())
	}
}
