package gateway_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/gateway"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
)

// BenchmarkStream measures attempts at a server on the same machine, the
// server's work included.
func BenchmarkStream(b *testing.B) {
	for _, c := range []struct {
		name  string
		reply gatewaytest.Reply
	}{
		{"three events", gatewaytest.Text("ok")},
		{"2 MB event", gatewaytest.Text(strings.Repeat("x", 2<<20))},
	} {
		b.Run(c.name, func(b *testing.B) { measure(b, c.reply) })
	}
}

// BenchmarkDeltas measures an answer of 500 pieces over each protocol, the server's
// work included.
func BenchmarkDeltas(b *testing.B) {
	const pieces = 500
	var deltas, chunks []string
	for range pieces {
		deltas, chunks = append(deltas, gatewaytest.Delta("word ")), append(chunks, chunk(`{"content":"word "}`))
	}
	answer := gatewaytest.Created("resp_1") + strings.Join(deltas, "") + gatewaytest.Completed("resp_1", strings.Repeat("word ", pieces))
	for protocol, stream := range map[gateway.Protocol]string{
		gateway.ProtocolResponses: answer, gateway.ProtocolChat: strings.Join(chunks, "") + chatEnd("stop"),
	} {
		b.Run(string(protocol), func(b *testing.B) {
			s := gatewaytest.NewServer(gatewaytest.Nothing)
			s.Default(gatewaytest.Stream(stream))
			h := httptest.NewServer(s)
			b.Cleanup(h.Close)
			g, err := gateway.New([]gateway.Provider{{Name: "test", BaseURL: h.URL, Protocol: protocol}})
			require.NoError(b, err)
			streamInParallel(b, g, gateway.Request{Provider: "test", Body: []byte(body)})
		})
	}
}

// BenchmarkEcho measures the client alone, and the stand-in's work.
func BenchmarkEcho(b *testing.B) {
	streamInParallel(b, open(b), gateway.Request{Provider: "echo", Body: []byte(body)})
}

func measure(b *testing.B, r gatewaytest.Reply) {
	s := gatewaytest.NewServer(gatewaytest.Nothing)
	s.Default(r)
	h := httptest.NewServer(s)
	b.Cleanup(h.Close)
	s.URL = h.URL
	streamInParallel(b, at(b, s), gateway.Request{Provider: "test", Body: []byte(body), IdempotencyKey: "k"})
}

func streamInParallel(b *testing.B, g *gateway.Gateway, r gateway.Request) {
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, err := g.Stream(b.Context(), r, func(string) {}, func(gateway.Event) {})
			require.NoError(b, err)
		}
	})
}
