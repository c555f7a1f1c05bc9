package httpapi_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	loop "github.com/rota-run/rota/internal/answer"
)

// A server of the vault is named by its id, and its credential is shown to nobody else.
func TestResponsesWithAStoredMCPServer(t *testing.T) {
	c, f, _ := newToolLLM(t)
	f.listed = []loop.Listed{{Name: "search", InputSchema: json.RawMessage(`{"type":"object"}`)}}
	id := c.send(http.MethodPost, mcpServers, `{"name":"Docs","server_label":"docs","server_url":"https://mcp.example.com/","require_approval":"never"}`).is(http.StatusCreated).id()
	tool := `{"type":"mcp","mcp_server_id":"` + id + `"}`
	r := c.create(`{"model":"test/small","input":"hi","tools":[` + tool + `]}`)
	require.Equal(t, "docs", r["output"].([]any)[0].(map[string]any)["server_label"])
	require.Equal(t, id, r["tools"].([]any)[0].(map[string]any)["mcp_server_id"])
	elsewhere := c.send(http.MethodPost, responsesPath, `{"model":"test/small","input":"hi","tools":[`+strings.TrimSuffix(tool, "}")+`,"server_url":"https://evil.example.com/"}]}`)
	require.Equal(t, "tools.0.server_url", *elsewhere.is(http.StatusBadRequest).failure().Param)
	others := c.as("ana").send(http.MethodPost, responsesPath, `{"model":"test/small","input":"hi","tools":[`+tool+`]}`)
	require.Equal(t, "tools.0.mcp_server_id", *others.is(http.StatusBadRequest).failure().Param)
	for tool, want := range map[string]string{
		`{"type":"mcp","mcp_server_id":"mcp_srv_1"}`:                                           "tools.0.mcp_server_id",
		`{"type":"mcp","server_url":"https://evil.example.com/","mcp_server_id":"` + id + `"}`: "tools.0.server_url",
	} {
		saved := c.send(http.MethodPost, agents, `{"name":"a","model":"m","tools":[`+tool+`]}`)
		require.Equal(t, want, *saved.is(http.StatusBadRequest).failure().Param)
	}
	c.send(http.MethodPost, agents, `{"name":"a","model":"m","tools":[`+tool+`]}`).is(http.StatusCreated)
}

// The vault's lists have pages like every other.
func TestPagesOfTheVault(t *testing.T) {
	c, _, _ := newToolLLM(t)
	server := mcpServers + "/" + c.send(http.MethodPost, mcpServers, goodBody["create_mcp_server"]).is(http.StatusCreated).id()
	c.send(http.MethodPost, mcpServers, goodBody["create_mcp_server"]).is(http.StatusCreated)
	for range 2 {
		c.send(http.MethodPost, server+"/credentials", goodBody["create_mcp_credential"]).is(http.StatusCreated)
	}
	for _, path := range []string{mcpServers, server + "/credentials"} {
		all := read[listed](c.send(http.MethodGet, path, "").is(http.StatusOK)).ids()
		first := read[listed](c.send(http.MethodGet, path+"?limit=1", "").is(http.StatusOK)).ids()
		second := read[listed](c.send(http.MethodGet, path+"?limit=1&after="+first[0], "").is(http.StatusOK)).ids()
		require.Equal(t, all, append(first, second...))
	}
}
