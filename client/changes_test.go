package client_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
	"github.com/stretchr/testify/require"
)

// TestChanges: messages are decoded; a stream that is cut off goes on after the last one.
func TestChanges(t *testing.T) {
	c, seen := serve(t, 200, "id: 7\ndata: {\"type\":\"started\",\"data\":[]}\n\n: keep-alive\n\nid: 9\ndata: {\"type\":\"changes\",\"data\":[{\"kind\":\"run\",\"id\":\"arun_1\",\"end_user\":\"ana\"}]}\n\n")
	var all []client.ChangesEvent
	for m, err := range c.Account.Changes(t.Context(), client.OfEndUser("*")) {
		require.NoError(t, err)
		if all = append(all, m); len(all) == 3 {
			break
		}
	}
	require.Equal(t, client.ChangesEvent{ID: "7", Changes: rota.Changes{Type: rota.ChangesStarted, Data: []rota.Change{}}}, all[0])
	require.Equal(t, client.ChangesEvent{ID: "9", Changes: rota.Changes{
		Type: rota.ChangesSome, Data: []rota.Change{{Kind: rota.RunChanged, ID: "arun_1", EndUser: "ana"}},
	}}, all[1])
	require.Equal(t, "/api/v1/changes?end_user=%2A", seen.uri)
	require.Equal(t, "9", seen.header.Get("Last-Event-ID"), "it is connected again")
}

func TestChangesThatAreNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := serve(t, 200, "id: 7\ndata: {\"data\":1}\n\n")
		var failure error
		for _, err := range c.Account.Changes(t.Context()) {
			failure = errors.Join(failure, err)
		}
		require.ErrorIs(t, failure, rota.Internal)
	})
}
