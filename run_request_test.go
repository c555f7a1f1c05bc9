package rota_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

func TestAStoredRequestBecomesWhole(t *testing.T) {
	instructions := "Be brief."
	agent, input := rota.AgentConfig{Instructions: &instructions}, rota.InputText("hi")
	for _, sent := range []rota.RunRequest{
		{Model: "m", Instructions: &instructions, Input: input, NotSent: []string{}},
		{Model: "m", Instructions: new("Filled in."), Input: rota.InputText("filled in"), NotSent: []string{"text"}},
	} {
		stored, err := json.Marshal(sent.Stored(agent, input))
		require.NoError(t, err)
		var back rota.RunRequest
		require.NoError(t, json.Unmarshal(stored, &back))
		require.Equal(t, sent, back.Whole(agent, input))
	}
}
