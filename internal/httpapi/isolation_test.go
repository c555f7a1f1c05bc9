package httpapi_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/httpapi"
	"github.com/rota-run/rota/internal/policy"
	"github.com/rota-run/rota/internal/seal"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

const mcpServers = "/api/v1/llm/mcp/servers"

// bodies that every operation with a body accepts.
var goodBody = map[string]string{
	"create_agent":          `{"name":"a","model":"m"}`,
	"update_agent":          `{"name":"b"}`,
	"create_agent_schedule": `{"schedule":{"type":"interval","interval_seconds":60},"input":"hi"}`,
	"update_agent_schedule": `{"name":"b"}`,
	"create_agent_run":      `{"input":"hi"}`,
	"wake_agent_run":        `{"input":"hi"}`,
	"wake_response":         `{"input":"hi"}`,
	"create_function_tool":  `{"type":"function","name":"f","parameters":{}}`,
	"update_function_tool":  `{"type":"function","name":"g","parameters":{}}`,

	"create_mcp_server":     `{"name":"Docs","server_label":"docs","server_url":"https://mcp.example.com/"}`,
	"update_mcp_server":     `{"name":"Other"}`,
	"create_memory_store":   `{"name":"Notes"}`,
	"update_memory_store":   `{"name":"Other"}`,
	"create_memory_entry":   `{"path":"b","content":"c"}`,
	"update_memory_entry":   `{"content":"d"}`,
	"delete_memory_entry":   `{}`,
	"create_mcp_credential": `{"auth_type":"bearer","bearer_token":"canary-of-a-credential"}`,

	"create_agent_run_mcp_approval": `{"approval_request_id":"mcpr_1","approve":true}`,
	"put_agent":                     `{"name":"mine","model":"auto"}`,
	"put_agent_schedule":            everyHour,
	"create_key":                    `{"name":"k","scopes":["write:apikeys"]}`,

	"exchange_api_key_token":    `{"audience":"https://rota.example.com","externalUserId":"u"}`,
	"get_jwt_from_key":          `{"audience":"https://rota.example.com","externalUserId":"u"}`,
	"create_scoped_api_key":     `{"name":"k","teamId":"","scopes":["write:apikeys"]}`,
	"update_scoped_api_key":     `{"keyId":"{key_id}","scopes":["write:apikeys"]}`,
	"regenerate_scoped_api_key": `{"keyId":"{key_id}"}`,
	"delete_scoped_api_key":     `{"keyId":"{key_id}"}`,

	"backfill_agent_schedule":    `{"from":"2026-01-01T00:00:00Z","to":"2026-01-01T01:00:00Z"}`,
	"skip_schedule_occurrence":   `{"scheduled_for":"{next_run_at}"}`,
	"unskip_schedule_occurrence": `{"scheduled_for":"{next_run_at}"}`,
	"put_retention":              `{"runs_seconds":0}`,
	"set_account_limits":         `{}`,
	"preview_schedule":           `{"schedule":{"type":"interval","interval_seconds":60}}`,

	"create_response":  `{"model":"echo","input":"hi"}`,
	"compact_response": `{"model":"echo","input":"hi"}`,
	"update_response":  `{"metadata":{"a":"b"}}`,

	"create_conversation":       `{}`,
	"update_conversation":       `{"metadata":{"a":"b"}}`,
	"create_conversation_items": `{"items":[{"role":"user","content":"hi"}]}`,
	"delete_conversation_items": `{"item_ids":["{item_id}"]}`,
}

// What belongs to one owner does not exist for another: not for another
// account, not for another end user, and not for the account when it belongs
// to an end user. The answer is the one for an id that never existed.
func TestOthersSeeNothing(t *testing.T) {
	s := newAPI(t)
	acme, globex := s.acme(), s.key("globex", "rk_the-first-key-of-globex")
	for _, tt := range []struct {
		name          string
		owner, others caller
	}{
		{"account", acme, globex},
		{"end user and account", acme.as("ana"), acme},
		{"account and end user", acme, acme.as("ana")},
		{"end users", acme.as("ana"), acme.as("bob")},
		{"the same end user of another account", acme.as("ana"), globex.as("ana")},
	} {
		ids := tt.owner.things()
		for _, r := range httpapi.Routes() {
			if !strings.Contains(r.Path, "{") || r.OperationID == "revoke_key" || r.OperationID == "put_agent" || r.OperationID == "get_model" || strings.Contains(r.Path, "{account_id}") || strings.Contains(r.Path, "{end_user_id}") || r.Status == http.StatusNotImplemented {
				continue // keys, limits and end users belong to accounts, everybody can put agents, and models are everybody's
			}
			theirs := tt.others.send(r.Method, ids.in(r.Path), ids.in(goodBody[r.OperationID]))
			nothing := tt.others.send(r.Method, nowhere.in(r.Path), nowhere.in(goodBody[r.OperationID]))
			require.Equal(t, http.StatusNotFound, theirs.Status, "%s: %s", tt.name, r.OperationID)
			require.Equal(t, string(nothing.Body), string(theirs.Body), "%s: %s", tt.name, r.OperationID)
			require.Equal(t, nothing.Header.Get("ETag"), theirs.Header.Get("ETag"))
		}
		own := tt.others.send(http.MethodPut, ids.in(agents+"/by-key/{key}"), goodBody["put_agent"]).is(http.StatusCreated)
		require.NotEqual(t, ids["agent_id"], own.id(), "the same key of another owner is another agent")
		tt.owner.unchanged(ids)
		for _, path := range []string{agents, agents + "?order=asc"} {
			for _, id := range read[listed](tt.others.send(http.MethodGet, path, "").is(http.StatusOK)).ids() {
				require.NotEqual(t, ids["agent_id"], id, tt.name)
			}
		}
	}
}

// Nothing of one thing can be reached through another one of the same owner.
func TestPathsMustFit(t *testing.T) {
	c := newAPI(t).acme()
	ids, other := c.things(), c.newAgent("other")
	mixed := things{
		"agent_id": strings.TrimPrefix(other, agents+"/"), "schedule_id": ids["schedule_id"], "run_id": ids["run_id"], "version": "9", "key": ids["key"], "next_run_at": ids["next_run_at"],
		"conversation_id": c.things()["conversation_id"], "item_id": ids["item_id"],
		"memory_store_id": c.things()["memory_store_id"], "entry_id": ids["entry_id"],
	}
	for _, r := range httpapi.Routes() {
		if strings.Count(r.Path, "{") == 2 && r.OperationID != "put_agent_schedule" && r.Status != http.StatusNotImplemented {
			require.Equal(t, http.StatusNotFound, c.send(r.Method, mixed.in(r.Path), mixed.in(goodBody[r.OperationID])).Status, r.OperationID)
		}
	}
	own := c.send(http.MethodPut, mixed.in(agents+"/{agent_id}/schedules/by-key/{key}"), everyHour).is(http.StatusCreated)
	require.NotEqual(t, ids["schedule_id"], own.id(), "the same key under another agent is another schedule")
	c.unchanged(ids)
}

func TestKeysOfOtherAccounts(t *testing.T) {
	s := newAPI(t)
	acme, globex := s.acme(), s.key("globex", "rk_the-first-key-of-globex")
	id := read[listed](acme.send(http.MethodGet, keys, "")).ids()[0]
	theirs := globex.send(http.MethodDelete, keys+"/"+id, "").is(http.StatusNotFound)
	nothing := globex.send(http.MethodDelete, keys+"/key_none", "").is(http.StatusNotFound)
	require.Equal(t, string(nothing.Body), string(theirs.Body))
	require.NotContains(t, read[listed](globex.send(http.MethodGet, keys, "")).ids(), id)
	acme.send(http.MethodGet, agents, "").is(http.StatusOK)
}

// Every operation of the table does what it says, for a key that has nothing
// but the scope of the operation.
func TestEveryOperationNeedsItsScopeOnly(t *testing.T) {
	s := newAPI(t).withTokens()
	acme := s.acme()
	for _, r := range httpapi.Routes() {
		ids := acme.things()
		if r.OperationID == "restore_agent" {
			acme.send(http.MethodDelete, ids.in(agents+"/{agent_id}"), "").is(http.StatusOK)
		}
		if r.OperationID == "stream_agent_run_events" {
			s.finish(rota.RunID(ids["run_id"]))
		}
		ids["key_id"] = acme.send(http.MethodPost, keys, `{"name":"k","scopes":["write:apikeys"]}`).is(http.StatusCreated).id()
		narrow := s.key("acme", "rk_only-for-"+r.OperationID, r.Scope)
		want := r.Status
		switch r.OperationID {
		case "wake_agent_run", "wake_response", "create_agent_run_mcp_approval", "cancel_response", "delete_agent_run", "acknowledge_run", "acknowledge_occurrence":
			want = http.StatusConflict // no run sleeps or asks, or has failed; the response has ended, the run has not
		}
		if r.OperationID == "stream_changes" {
			narrow.glances().is(want)
			continue
		}
		narrow.send(r.Method, ids.in(r.Path), ids.in(goodBody[r.OperationID])).is(want)
	}
}

// things are the ids of what somebody has, by the names of path parameters, and
// the next time of the schedule.
type things map[string]string

var nowhere = things{
	"agent_id": "agt_00000000000000000000000000000000", "schedule_id": "asch_00000000000000000000000000000000",
	"run_id": "arun_00000000000000000000000000000000", "approval_id": "mcpr_none", "version": "1", "key": "none", "function_tool_id": "ftool_00000000000000000000000000000000",
	"response_id": "resp_00000000000000000000000000000000", "conversation_id": "conv_00000000000000000000000000000000", "item_id": "msg_none", "server_id": "mcp_srv_00000000000000000000000000000000", "memory_store_id": "mem_00000000000000000000000000000000", "entry_id": "memn_00000000000000000000000000000000", "credential_id": "mcp_cred_00000000000000000000000000000000", "occurrence_id": "occ_00000000000000000000000000000000", "next_run_at": "2027-01-01T00:00:00.000Z",
}

// things makes one of each.
func (c caller) things() things {
	c.t.Helper()
	key := "of " + string(rota.NewAgentID(c.clock.Now()))
	agent := agents + "/" + c.send(http.MethodPut, agents+"/by-key/"+url.PathEscape(key), goodBody["put_agent"]).is(http.StatusCreated).id()
	function := c.send(http.MethodPost, agents+"/function-tools", `{"type":"function","name":"f","parameters":{}}`).is(http.StatusCreated).id()
	last := func(path string) string { return path[strings.LastIndex(path, "/")+1:] }
	schedule := agent + "/schedules/" + c.send(http.MethodPut, agent+"/schedules/by-key/"+url.PathEscape(key), everyHour).is(http.StatusCreated).id()
	next := c.send(http.MethodGet, schedule, "").is(http.StatusOK).object()["next_run_at"].(string)
	conversation := c.send(http.MethodPost, conversationsPath, `{"items":[{"role":"user","content":"hello"}]}`).is(http.StatusOK).id()
	item := read[listed](c.send(http.MethodGet, conversationsPath+"/"+conversation+"/items", "").is(http.StatusOK)).ids()[0]
	if c.control.Tokens.Secret.Empty() {
		c.control.Tokens.Secret, _ = seal.Parse(seal.NewSecret())
	}
	server := c.send(http.MethodPost, mcpServers, goodBody["create_mcp_server"]).is(http.StatusCreated).id()
	memory := c.send(http.MethodPost, memoryStores, goodBody["create_memory_store"]).is(http.StatusCreated).id()
	return things{
		"memory_store_id": memory, "entry_id": c.send(http.MethodPost, memoryStores+"/"+memory+"/entries", `{"path":"a","content":"secret"}`).is(http.StatusCreated).id(),
		"server_id": server, "credential_id": c.send(http.MethodPost, mcpServers+"/"+server+"/credentials", goodBody["create_mcp_credential"]).is(http.StatusCreated).id(),
		"account_id": "acme", "model_id": "small", "end_user_id": "eve", "agent_id": last(agent), "schedule_id": last(schedule), "run_id": last(c.newRun(agent)), "version": "1", "key": url.PathEscape(key), "function_tool_id": function, "next_run_at": next,
		"response_id":     c.send(http.MethodPost, responsesPath, `{"model":"echo","input":"hi"}`).is(http.StatusOK).id(),
		"conversation_id": conversation, "item_id": item, "approval_id": c.asked(agent),
		"occurrence_id": c.send(http.MethodPost, schedule+"/trigger", "").is(http.StatusOK).id(),
	}
}

// asked ends a run of an agent of acme that asks for an approval, and returns the id of that.
func (c caller) asked(agent string) string {
	c.t.Helper()
	run := rota.RunID(c.send(http.MethodGet, c.newRun(agent), "").is(http.StatusOK).id())
	now := rota.InstantOf(c.clock.Now())
	a := rota.Approval{
		ID: "mcpr_of_" + string(run), Owner: rota.Owner{Account: "acme", EndUser: c.endUser}, RunID: &run, ServerLabel: "mail", ServerURL: "https://mail.example.com",
		Name: "send", Arguments: "{}", CreatedAt: now, ExpiresAt: rota.InstantOf(now.Add(rota.ApprovalLife)),
	}
	require.NoError(c.t, c.store.Update(c.t.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
		_, err := tx.FinishRun(ctx, run, rota.Result{Phase: rota.PhaseCompleted, CompletedAt: now.Time, Approvals: []rota.Approval{a}}, policy.Settle)
		return err
	}))
	return a.ID
}

func (ids things) in(path string) string {
	for name, id := range ids {
		path = strings.ReplaceAll(path, "{"+name+"}", id)
	}
	return path
}

// unchanged requires that nobody has touched the things.
func (c caller) unchanged(ids things) {
	c.t.Helper()
	agent := c.send(http.MethodGet, ids.in(agents+"/{agent_id}"), "").is(http.StatusOK).object()
	require.Equal(c.t, "mine", agent["name"])
	schedule := c.send(http.MethodGet, ids.in(agents+"/{agent_id}/schedules/{schedule_id}"), "").is(http.StatusOK).object()
	require.Equal(c.t, "active", schedule["status"])
	require.Equal(c.t, 1.0, schedule["version"])
	run := c.send(http.MethodGet, ids.in("/api/v1/runs/{run_id}"), "").is(http.StatusOK).object()
	require.Equal(c.t, "queued", run["phase"])
	response := c.send(http.MethodGet, ids.in(responsesPath+"/{response_id}"), "").is(http.StatusOK).object()
	require.Empty(c.t, response["metadata"])
	items := read[listed](c.send(http.MethodGet, ids.in(conversationsPath+"/{conversation_id}/items"), "").is(http.StatusOK)).ids()
	require.Equal(c.t, []string{ids["item_id"]}, items)
	credentials := read[listed](c.send(http.MethodGet, ids.in(mcpServers+"/{server_id}/credentials"), "").is(http.StatusOK)).ids()
	require.Equal(c.t, []string{ids["credential_id"]}, credentials)
}
