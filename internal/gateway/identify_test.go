package gateway_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
)

// TestSafetyIdentifier: a provider is told of whom a request is, by a hash, if its settings
// say so, there is an end user, and the request has no name of its own.
func TestSafetyIdentifier(t *testing.T) {
	ana := rota.Owner{Account: "acme", EndUser: "ana@example.com"}
	named := `{"model":"m","input":"x","safety_identifier":"mine"}`
	for _, c := range []struct {
		name     string
		on       bool
		protocol gateway.Protocol
		owner    rota.Owner
		body     string
		want     any
	}{
		{"off", false, gateway.ProtocolResponses, ana, full, nil},
		{"on", true, gateway.ProtocolResponses, ana, full, gateway.SafetyIdentifier(ana)},
		{"no end user", true, gateway.ProtocolResponses, rota.Owner{Account: "acme"}, full, nil},
		{"a name of its own", true, gateway.ProtocolResponses, ana, named, "mine"},
		{"a chat", true, gateway.ProtocolChat, ana, `{"model":"m","input":"x"}`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := gatewaytest.New(t)
			g := at(t, s, func(p *gateway.Provider) { p.SafetyIdentifier, p.Protocol = c.on, c.protocol })
			a := try(t.Context(), g, gateway.Request{Body: []byte(c.body), Owner: c.owner})
			if c.protocol != gateway.ProtocolChat {
				require.NoError(t, a.err)
			}
			require.Empty(t, a.response.NotSent)
			var sent map[string]any
			require.NoError(t, json.Unmarshal(s.Calls()[0].Body, &sent))
			require.Equal(t, c.want, sent["safety_identifier"])
			require.NotContains(t, string(s.Calls()[0].Body), ana.EndUser)
		})
	}
	other := gateway.SafetyIdentifier(rota.Owner{Account: "globex", EndUser: ana.EndUser})
	require.NotEqual(t, other, gateway.SafetyIdentifier(ana))
	require.Len(t, other, 64)
}
