package main

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// A call is decided by its id alone: the server knows which run asked.
func TestDecideByID(t *testing.T) {
	for verb, body := range map[string]string{
		"approve": `{"approval_request_id":"mcpr_1","approve":true,"reason":"checked"}`,
		"deny":    `{"approval_request_id":"mcpr_1","approve":false,"reason":"checked"}`,
	} {
		f := newFake(t, answer{http.StatusOK, `{"id":"mcpr_1","agent_id":"agt_1","run_id":"arun_1"}`}, answer{http.StatusCreated, `{"continuation_run":{"id":"arun_2","agent_id":"agt_1"}}`})
		got := rotaCmd("", "approvals", verb, "mcpr_1", "--reason", "checked", "--on-behalf-of", "ada", "--idempotency-key", "once")
		require.Equal(t, exitOK, got.code, got.err)
		require.Contains(t, got.out, "arun_2")
		require.Len(t, f.seen, 2)
		require.Equal(t, "GET /api/v1/approvals/mcpr_1", f.seen[0].method+" "+f.seen[0].uri)
		require.Equal(t, "POST /api/v1/agents/agt_1/runs/arun_1/mcp-approvals "+body, f.seen[1].method+" "+f.seen[1].uri+" "+f.seen[1].body)
		require.Equal(t, "once", f.seen[1].header.Get("Idempotency-Key"))
		for _, r := range f.seen {
			require.Equal(t, "ada", r.header.Get("X-On-Behalf-Of"))
		}
	}
}

// What a response asked for is decided in the response that goes on.
func TestACallOfAResponseIsNotDecidedByID(t *testing.T) {
	f := newFake(t, answer{http.StatusOK, `{"id":"mcpr_1","agent_id":null,"run_id":null,"response_id":"resp_1"}`})
	got := rotaCmd("", "approvals", "approve", "mcpr_1")
	require.Equal(t, exitRefused, got.code)
	require.Contains(t, got.err, "no run but resp_1 asked for this")
	require.Len(t, f.seen, 1)
}
