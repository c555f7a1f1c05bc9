package runner

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/events"
	"github.com/rota-run/rota/internal/gateway"
)

// TestAnAttemptKeepsToItsNumbers: the event that ends the run comes after all others,
// however many events an attempt has.
func TestAnAttemptKeepsToItsNumbers(t *testing.T) {
	hub := events.NewHub()
	log := hub.Open("arun_1")
	end := events.FirstSeq(2)
	p := publisher{log: log, seq: end - 2, end: end}
	for range 5 {
		p.publish(gateway.Event{Type: "response.output_text.delta", Data: []byte(`{"delta":"x"}`)})
	}
	require.True(t, p.spoke)
	require.Equal(t, end, p.seq)
	r := hub.Read("arun_1", -1)
	defer r.Close()
	hub.End("arun_1")
	var seqs []int64
	for {
		e, err := r.Next(t.Context())
		if err != nil {
			break
		}
		seqs = append(seqs, e.Seq)
	}
	require.Equal(t, []int64{end - 2, end - 1}, seqs)
}
