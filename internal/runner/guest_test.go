package runner_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// addRun queues the bench's run once more, for an owner.
func (b *bench) addRun(o rota.Owner) {
	b.Helper()
	b.update(func(ctx context.Context, tx sqlstore.Queries) error {
		b.run.ID = rota.NewRunID(b.now)
		return tx.AddRun(ctx, o, b.run, "model")
	})
}

// claim claims what waits.
func (b *bench) claim() (work []rota.Work) {
	b.Helper()
	b.update(func(ctx context.Context, tx sqlstore.Queries) (err error) {
		work, err = tx.ClaimRuns(ctx, b.now, rota.Claim{Provider: "model", Limit: 10})
		return err
	})
	return work
}

// What the provider says again of an agent's tools is secret to those with whom the agent
// is shared: in what is stored, and in the events.
func TestAGuestSeesNoTools(t *testing.T) {
	for _, how := range []string{"completed", "failed"} {
		t.Run(how, func(t *testing.T) {
			ada := rota.Owner{Account: owner.Account, EndUser: "ada"}
			b := newBench(t, func(a *rota.Agent, r *rota.Run) {
				a.Visibility = rota.Workspace
				a.Tools = []rota.Object{{RawMessage: json.RawMessage(`{"type":"web_search","secret":"canary"}`)}}
				r.ID = rota.NewRunID(a.CreatedAt.Time)
			})
			own := b.run.ID
			b.addRun(ada)
			body := `{"id":"resp_1","object":"response","status":"` + how + `","output":[],"tools":[{"type":"web_search","secret":"canary"}],"error":{"code":"server_error","message":"no"}}`
			says := gatewaytest.Stream(gatewaytest.Data(`{"type":"response.created","response":`+body+`}`), gatewaytest.Delta("ok"), gatewaytest.Data(`{"type":"response.`+how+`","response":`+body+`}`))
			b.model.Default(says)
			work := b.claim()
			require.Len(t, work, 2)
			for _, w := range work {
				events := b.runner.Hub.Read(w.Run.ID, -1)
				b.runner.Attempt(t.Context(), w)
				r, err := b.store.RunByID(t.Context(), w.Owner, w.Run.ID)
				require.NoError(t, err)
				require.Equal(t, w.Run.ID == own, string(r.GatewayResponse.RawMessage) != "" && strings.Contains(string(r.GatewayResponse.RawMessage), "canary"))
				b.runner.Hub.End(w.Run.ID)
				heard := false
				for {
					e, err := events.Next(t.Context())
					if errors.Is(err, io.EOF) {
						break
					}
					require.NoError(t, err)
					heard = heard || strings.Contains(string(e.Data), "canary")
				}
				require.Equal(t, w.Run.ID == own, heard)
			}
		})
	}
}

// The servers and credentials of an agent are its owner's, whoever runs it.
func TestAGuestUsesTheAccountsServers(t *testing.T) {
	ada := rota.Owner{Account: owner.Account, EndUser: "ada"}
	b := newBench(t, func(a *rota.Agent, _ *rota.Run) {
		a.Visibility = rota.Workspace
		a.Tools = []rota.Object{rota.Object(rota.AnyOf(map[string]any{"type": "mcp", "mcp_server_id": "mcp_srv_1"}))}
	})
	f := &tools{}
	b.runner.Tools = f
	b.attempt(t.Context())
	b.addRun(ada)
	work := b.claim()
	f.whose = nil
	b.runner.Attempt(t.Context(), work[0])
	r, err := b.store.RunByID(t.Context(), ada, b.run.ID)
	require.NoError(t, err)
	require.Equal(t, rota.PhaseCompleted, r.Phase, r.Error)
	require.Equal(t, []rota.Owner{owner, owner}, f.whose)
}
