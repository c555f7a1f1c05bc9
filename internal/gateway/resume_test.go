package gateway_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
)

// resume makes an attempt that has a response to go on with, and returns the
// methods and paths that the server saw.
func resume(t *testing.T, replies ...gatewaytest.Reply) (attempt, []string) {
	t.Helper()
	s := gatewaytest.New(t)
	s.Script(replies...)
	a := try(t.Context(), at(t, s, background), gateway.Request{ResumeID: "r/1"})
	var seen []string
	for _, c := range s.Calls() {
		seen = append(seen, c.Method+" "+c.Path)
	}
	return a, seen
}

const (
	attached = "GET /v1/responses/r%2F1?stream=true"
	asked    = "POST /v1/responses"
)

func TestResumeAttaches(t *testing.T) {
	for name, r := range map[string]gatewaytest.Reply{
		"stream":    gatewaytest.Stream(gatewaytest.Created("r/1"), gatewaytest.Delta("x"), gatewaytest.Completed("r/1", "x")),
		"last only": gatewaytest.Stream(gatewaytest.Completed("r/1", "x")),
		"object":    gatewaytest.JSON(200, gatewaytest.Response("r/1", "x")),
	} {
		t.Run(name, func(t *testing.T) {
			a, seen := resume(t, r)
			require.NoError(t, a.err)
			require.Equal(t, []string{attached}, seen)
			require.Equal(t, "x", a.response.Output)
			require.Equal(t, gatewaytest.Response("r/1", "x"), string(a.response.Body))
			require.Equal(t, []string{"r/1"}, a.ids)
			last := a.events[len(a.events)-1]
			require.Equal(t, "response.completed", last.Type)
			require.JSONEq(t, `{"type":"response.completed","response":`+gatewaytest.Response("r/1", "x")+`}`,
				string(withoutSequence(t, last.Data)))
		})
	}
}

func TestResumeAsksAnewIfTheResponseIsGone(t *testing.T) {
	for _, status := range []int{400, 404, 405} {
		a, seen := resume(t, gatewaytest.Status(status, nil, "no"))
		require.NoError(t, a.err)
		require.Equal(t, []string{attached, asked}, seen)
		require.Equal(t, []string{"resp_2"}, a.ids)
	}
}

func TestResumeFailures(t *testing.T) {
	for _, c := range []failureCase{
		{name: "busy", reply: gatewaytest.Status(503, nil, ""), code: rota.RunErrProvider, again: true},
		{name: "failed", reply: gatewaytest.JSON(200, `{"id":"r/1","status":"failed","error":{"code":"server_error"}}`), code: rota.RunErrProvider, again: true, answered: true},
		{name: "not streamed", reply: gatewaytest.JSON(200, `{"id":"r/1","status":"in_progress","error":null}`), code: rota.RunErrStreamEnded, again: true},
		{name: "error", reply: gatewaytest.JSON(200, `{"error":{"code":"invalid_id"}}`), code: rota.RunErrProvider, answered: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, seen := resume(t, c.reply)
			e := a.failure(t)
			require.Equal(t, []string{attached}, seen, "it must not ask for a second response")
			require.Equal(t, c.code, e.Code)
			require.Equal(t, c.again, e.Retryable)
			require.Equal(t, c.answered, e.Answered)
			require.Equal(t, "r/1", e.ResponseID)
		})
	}
}

func TestResumeWithoutBackgroundAsksAnew(t *testing.T) {
	s := gatewaytest.New(t)
	require.NoError(t, try(t.Context(), at(t, s), gateway.Request{ResumeID: "r1"}).err)
	require.Equal(t, "POST", s.Calls()[0].Method)
}
