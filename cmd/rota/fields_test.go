package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const twoAgents = `{"object":"list","data":[{"id":"agt_1","name":"a","metadata":{"team":"ops"},"key":null},{"id":"agt_2","name":"b","metadata":{}}],` +
	`"first_id":"agt_1","last_id":"agt_2","has_more":true}`

// TestFields: of a list or of one thing, these fields alone, in each format.
func TestFields(t *testing.T) {
	for _, c := range []struct{ args, list, out string }{
		{"--fields id,metadata.team", twoAgents, "ID     METADATA.TEAM\nagt_1  ops\nagt_2  -\n"},
		{"--fields id,metadata.team -o jsonl", twoAgents, `{"id":"agt_1","metadata":{"team":"ops"}}` + "\n" + `{"id":"agt_2","metadata":{"team":null}}` + "\n"},
		{"-o jsonl", `{"object":"list","data":[{"id":"agt_1"}],"has_more":false}`, `{"id":"agt_1"}` + "\n"},
		{"-o jsonl", `{"object":"list","data":[],"has_more":false}`, ""},
		{"--fields id,key", twoAgents, "ID     KEY\nagt_1  -\nagt_2  -\n"},
	} {
		newFake(t, answer{200, c.list})
		got := rotaCmd("", append([]string{"agents", "list"}, strings.Fields(c.args)...)...)
		require.Equal(t, exitOK, got.code, got.err)
		require.Equal(t, c.out, got.out, c.args)
	}

	newFake(t, answer{200, twoAgents})
	require.JSONEq(t, `{"object":"list","data":[{"name":"a"},{"name":"b"}],"first_id":"agt_1","last_id":"agt_2","has_more":true}`,
		rotaCmd("", "agents", "list", "--fields", "name", "-o", "json").out)
	got := rotaCmd("", "agents", "list", "--fields", "nmae")
	require.Equal(t, exitUsage, got.code)
	require.Contains(t, got.err, `--fields: there is no field "nmae"; there are id, key, metadata, name`)

	newFake(t, answer{200, `{"id":"agt_1","name":"a","version":3}`})
	require.Equal(t, "name     a\nversion  3\n", rotaCmd("", "agents", "get", "--agent-id", "agt_1", "--fields", "name,version").out)
	require.Equal(t, `{"id":"agt_1","name":"a","version":3}`+"\n", rotaCmd("", "agents", "get", "--agent-id", "agt_1", "-o", "jsonl").out)
	require.Equal(t, `{"version":3}`+"\n", rotaCmd("", "agents", "get", "--agent-id", "agt_1", "--fields", "version", "-o", "jsonl").out)
}
