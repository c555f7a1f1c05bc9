package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChanges(t *testing.T) {
	said := stream(`{"type":"started","data":[]}`, `{"type":"changes","data":[`+
		`{"kind":"occurrence","id":"occ_1","agent_id":"agt_1","schedule_id":"asch_1","run_id":"arun_1","end_user":"ana"},{"kind":"agent","id":"agt_1","agent_id":"agt_1"}]}`,
		`{"type":"many","data":[]}`, `{"type":"reset","data":[]}`)
	gone := answer{401, `{"error":{"message":"gone","code":"unauthenticated"}}`}
	f := newFake(t, said, gone)
	got := rotaCmd("", "changes", "--end-user", "*", "--after", "7")
	require.Regexp(t, `^\S+  occurrence  occ_1  schedule asch_1  run arun_1  end user ana
\S+  agent       agt_1
\S+  many
\S+  some may have been missed
$`, got.out)
	require.NotEqual(t, exitOK, got.code)
	require.Equal(t, "/api/v1/changes?end_user=%2A", f.seen[0].uri)
	require.Equal(t, "7", f.seen[0].header.Get("Last-Event-ID"))
	require.Equal(t, "3", f.seen[1].header.Get("Last-Event-ID"), "a cut stream is resumed")

	newFake(t, said, gone)
	require.Contains(t, rotaCmd("", "changes", "-o", "json").out, `{"id":"2","type":"many","data":[]}`+"\n")
}
