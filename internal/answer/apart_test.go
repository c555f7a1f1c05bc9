package answer_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/answer"
	"github.com/rota-run/rota/internal/responses"
)

// TestApart: an id is that of one item, also for clients that send it with every message.
func TestApart(t *testing.T) {
	read := func(raw string) responses.Item {
		i, err := responses.ReadItem([]byte(raw))
		require.NoError(t, err)
		return i
	}
	message := read(`{"id":"msg_1","role":"user","content":"Hello"}`)
	items := []responses.Item{message, message, read(`{"role":"user","content":"no id"}`)}
	texts := func(items []responses.Item) (all []string) {
		for _, i := range items {
			all = append(all, string(i.Raw()))
		}
		return all
	}
	require.Equal(t, []string{
		`{"id":"msg_1","role":"user","content":"Hello"}`, `{"role":"user","content":"Hello"}`, `{"role":"user","content":"no id"}`,
	}, texts(answer.Apart(nil, items)))
	require.Equal(t, `{"role":"user","content":"Hello"}`, texts(answer.Apart([]rota.Turn{{Input: answer.Records(items[:1], nil, time.Unix(0, 0))}}, items[:1]))[0], "of an earlier turn")
	require.Equal(t, "msg_1", items[1].ID, "what was given is as it was")
}
