package gateway

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNumbered(t *testing.T) {
	for in, want := range map[string]string{
		`{"type":"x","sequence_number":7,"n":1.50}`: `{"type":"x","sequence_number":7,"n":1.50}`,
		`{"type":"x","sequence_number":0}`:          `{"type":"x","sequence_number":7}`,
		`{"type":"x"}`:                              `{"type":"x","sequence_number":7}`,
		`{"type":"x","sequence_number":"odd"}`:      `{"type":"x","sequence_number":7}`,
	} {
		require.JSONEq(t, want, string(Event{Data: []byte(in)}.Numbered(7)))
	}
}
