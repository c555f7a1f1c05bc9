package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
	"github.com/stretchr/testify/require"
)

// A request is what the fake server saw.
type request struct {
	method, uri, body string
	header            http.Header
}

// serve returns a client of a server that answers everything alike, and what
// that server saw last.
func serve(t *testing.T, status int, answer string, opts ...client.Option) (*client.Client, *request) {
	t.Helper()
	seen := new(request)
	c := handle(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*seen = request{r.Method, r.RequestURI, string(body), r.Header}
		w.WriteHeader(status)
		io.WriteString(w, answer)
	}, opts...)
	return c, seen
}

func handle(t *testing.T, h http.HandlerFunc, opts ...client.Option) *client.Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return client.New(srv.URL+"/", "secret", opts...)
}

// A sent is a call and the request that it must become: method, target, body.
type sent struct {
	want string
	call func(context.Context, *client.Client) error
}

// only drops the answer of a call.
func only[T any](_ T, err error) error { return err }

func memoryCalls() []sent {
	return []sent{
		{`POST /api/v1/llm/memory_stores {"name":"n","visibility":"workspace"}`, func(ctx context.Context, c *client.Client) error {
			return only(c.MemoryStores.Create(ctx, rota.MemoryStoreCreate{Name: "n", Visibility: rota.Some(rota.Workspace)}))
		}},
		{`GET /api/v1/llm/memory_stores?limit=2 `, func(ctx context.Context, c *client.Client) error {
			return only(c.MemoryStores.List(ctx, rota.Page{Limit: 2}))
		}},
		{`GET /api/v1/llm/memory_stores/mem_1 `, func(ctx context.Context, c *client.Client) error { return only(c.MemoryStores.Get(ctx, "mem_1")) }},
		{`POST /api/v1/llm/memory_stores/mem_1 {"description":null}`, func(ctx context.Context, c *client.Client) error {
			return only(c.MemoryStores.Update(ctx, "mem_1", rota.MemoryStoreUpdate{Description: rota.Null[string]()}))
		}},
		{`DELETE /api/v1/llm/memory_stores/mem_1 `, func(ctx context.Context, c *client.Client) error {
			return only(c.MemoryStores.Delete(ctx, "mem_1"))
		}},
		{`POST /api/v1/llm/memory_stores/mem_1/entries {"path":"a","content":"b"}`, func(ctx context.Context, c *client.Client) error {
			return only(c.MemoryStores.CreateEntry(ctx, "mem_1", rota.MemoryEntryCreate{Path: "a", Content: "b"}))
		}},
		{`GET /api/v1/llm/memory_stores/mem_1/entries?limit=2 `, func(ctx context.Context, c *client.Client) error {
			return only(c.MemoryStores.Entries(ctx, "mem_1", rota.Page{Limit: 2}))
		}},
		{`GET /api/v1/llm/memory_stores/mem_1/entries/memn_1 `, func(ctx context.Context, c *client.Client) error {
			return only(c.MemoryStores.Entry(ctx, "mem_1", "memn_1"))
		}},
		{`POST /api/v1/llm/memory_stores/mem_1/entries/memn_1 {"content":"c","if_match":"h"}`, func(ctx context.Context, c *client.Client) error {
			return only(c.MemoryStores.UpdateEntry(ctx, "mem_1", "memn_1", rota.MemoryEntryUpdate{Content: "c", IfMatch: rota.Some("h")}))
		}},
		{`DELETE /api/v1/llm/memory_stores/mem_1/entries/memn_1 {}`, func(ctx context.Context, c *client.Client) error {
			return only(c.MemoryStores.DeleteEntry(ctx, "mem_1", "memn_1", rota.MemoryEntryDelete{}))
		}},
	}
}

func agentCalls() []sent {
	return []sent{
		{`POST /api/v1/agents {"name":"n","model":"m"}`, func(ctx context.Context, c *client.Client) error {
			return only(c.Agents.Create(ctx, rota.AgentCreate{Name: "n", Model: "m"}))
		}},
		{`GET /api/v1/agents `, func(ctx context.Context, c *client.Client) error {
			return only(c.Agents.List(ctx, rota.Page{}))
		}},
		{`GET /api/v1/agents/agt_1 `, func(ctx context.Context, c *client.Client) error {
			return only(c.Agents.Get(ctx, "agt_1"))
		}},
		{`GET /api/v1/agents/agt_1/versions?offset=20 `, func(ctx context.Context, c *client.Client) error {
			return only(c.Agents.Versions(ctx, "agt_1", rota.Page{Offset: 20}))
		}},
		{`POST /api/v1/agents/agt_1/restore `, func(ctx context.Context, c *client.Client) error {
			return only(c.Agents.Restore(ctx, "agt_1"))
		}},
		{`GET /api/v1/agents?deleted=true `, func(ctx context.Context, c *client.Client) error {
			return only(c.Agents.List(ctx, rota.Page{}, client.OnlyDeleted()))
		}},
		{`POST /api/v1/agents/function-tools {"type":"function","name":"f","parameters":null,"strict":true}`, func(ctx context.Context, c *client.Client) error {
			return only(c.FunctionTools.Create(ctx, rota.FunctionDefinition{Type: "function", Name: "f", Strict: rota.Some(true)}))
		}},
		{`GET /api/v1/agents/function-tools?limit=2 `, func(ctx context.Context, c *client.Client) error {
			return only(c.FunctionTools.List(ctx, rota.Page{Limit: 2}))
		}},
		{`GET /api/v1/agents/function-tools/ftool_1 `, func(ctx context.Context, c *client.Client) error {
			return only(c.FunctionTools.Get(ctx, "ftool_1"))
		}},
		{`POST /api/v1/agents/function-tools/ftool_1 {"type":"function","name":"f","parameters":null}`, func(ctx context.Context, c *client.Client) error {
			return only(c.FunctionTools.Update(ctx, "ftool_1", rota.FunctionDefinition{Type: "function", Name: "f"}))
		}},
		{`DELETE /api/v1/agents/function-tools/ftool_1 `, func(ctx context.Context, c *client.Client) error {
			return only(c.FunctionTools.Delete(ctx, "ftool_1"))
		}},
		{`POST /api/v1/llm/mcp/servers {"name":"Docs","server_label":"docs","server_url":"https://x"}`, func(ctx context.Context, c *client.Client) error {
			return only(c.MCPServers.Create(ctx, rota.MCPServerCreate{Name: "Docs", ServerLabel: "docs", ServerURL: "https://x"}))
		}},
		{`GET /api/v1/llm/mcp/servers?limit=2 `, func(ctx context.Context, c *client.Client) error {
			return only(c.MCPServers.List(ctx, rota.Page{Limit: 2}))
		}},
		{`GET /api/v1/llm/mcp/servers/mcp_srv_1 `, func(ctx context.Context, c *client.Client) error {
			return only(c.MCPServers.Get(ctx, "mcp_srv_1"))
		}},
		{`POST /api/v1/llm/mcp/servers/mcp_srv_1 {"server_description":null}`, func(ctx context.Context, c *client.Client) error {
			return only(c.MCPServers.Update(ctx, "mcp_srv_1", rota.MCPServerUpdate{ServerDescription: rota.Null[string]()}))
		}},
		{`DELETE /api/v1/llm/mcp/servers/mcp_srv_1 `, func(ctx context.Context, c *client.Client) error {
			return only(c.MCPServers.Delete(ctx, "mcp_srv_1"))
		}},
		{`POST /api/v1/llm/mcp/servers/mcp_srv_1/test `, func(ctx context.Context, c *client.Client) error {
			return only(c.MCPServers.Test(ctx, "mcp_srv_1"))
		}},
		{`POST /api/v1/llm/mcp/servers/mcp_srv_1/credentials {"auth_type":"bearer","bearer_token":"t"}`, func(ctx context.Context, c *client.Client) error {
			return only(c.MCPCredentials.Create(ctx, "mcp_srv_1", rota.MCPCredentialCreate{AuthType: "bearer", BearerToken: rota.Some("t")}))
		}},
		{`GET /api/v1/llm/mcp/servers/mcp_srv_1/credentials?include_revoked=true&limit=2 `, func(ctx context.Context, c *client.Client) error {
			return only(c.MCPCredentials.List(ctx, "mcp_srv_1", rota.Page{Limit: 2}, client.IncludeRevoked()))
		}},
		{`DELETE /api/v1/llm/mcp/credentials/mcp_cred_1 `, func(ctx context.Context, c *client.Client) error {
			return only(c.MCPCredentials.Revoke(ctx, "mcp_cred_1"))
		}},
		{`GET /api/v1/agents/agt_1/versions/2 `, func(ctx context.Context, c *client.Client) error {
			return only(c.Agents.Version(ctx, "agt_1", 2))
		}},
		{`POST /api/v1/agents/agt_1/versions/2/rollback `, func(ctx context.Context, c *client.Client) error {
			return only(c.Agents.Rollback(ctx, "agt_1", 2))
		}},
		{`POST /api/v1/agents/agt_1 {"description":null}`, func(ctx context.Context, c *client.Client) error {
			return only(c.Agents.Update(ctx, "agt_1", rota.AgentUpdate{Description: rota.Null[string]()}))
		}},
		{`DELETE /api/v1/agents/agt_1 `, func(ctx context.Context, c *client.Client) error {
			return only(c.Agents.Delete(ctx, "agt_1"))
		}},
	}
}

func scheduleCalls() []sent {
	body := rota.ScheduleCreate{Spec: rota.Spec{Type: rota.Interval, IntervalSeconds: 60, Timezone: "UTC"}, Input: rota.InputText("hello")}
	return []sent{
		{`POST /api/v1/agents/agt_1/schedules {"schedule":{"type":"interval","interval_seconds":60,"timezone":"UTC"},"input":"hello"}`, func(ctx context.Context, c *client.Client) error {
			return only(c.Schedules.Create(ctx, "agt_1", body))
		}},
		{`GET /api/v1/agents/agt_1/schedules?after=asch_1&before=asch_9&limit=5&order=asc `, func(ctx context.Context, c *client.Client) error {
			return only(c.Schedules.List(ctx, "agt_1", rota.Page{Limit: 5, Ascending: true, After: "asch_1", Before: "asch_9"}))
		}},
		{`GET /api/v1/agents/agt_1/schedules/asch_1?include_deleted=true `, func(ctx context.Context, c *client.Client) error {
			return only(c.Schedules.Get(ctx, "agt_1", "asch_1", client.IncludeDeleted()))
		}},
		{`POST /api/v1/agents/agt_1/schedules/asch_1 {}`, func(ctx context.Context, c *client.Client) error {
			return only(c.Schedules.Update(ctx, "agt_1", "asch_1", rota.ScheduleUpdate{}))
		}},
		{`DELETE /api/v1/agents/agt_1/schedules/asch_1 `, func(ctx context.Context, c *client.Client) error {
			return only(c.Schedules.Delete(ctx, "agt_1", "asch_1"))
		}},
		{`POST /api/v1/agents/agt_1/schedules/asch_1/pause {"note":"rest"}`, func(ctx context.Context, c *client.Client) error {
			return only(c.Schedules.Pause(ctx, "agt_1", "asch_1", rota.SchedulePause{Note: rota.Some("rest")}))
		}},
		{`POST /api/v1/agents/agt_1/schedules/asch_1/resume {}`, func(ctx context.Context, c *client.Client) error {
			return only(c.Schedules.Resume(ctx, "agt_1", "asch_1", rota.SchedulePause{}))
		}},
	}
}

func occurrenceCalls() []sent {
	day := time.Date(2026, 12, 24, 0, 0, 0, 0, time.UTC)
	skip := rota.OccurrenceSkip{ScheduledFor: rota.InstantOf(day.Add(8 * time.Hour))}
	return []sent{
		{`GET /api/v1/agents/agt_1/schedules/asch_1/occurrences `, func(ctx context.Context, c *client.Client) error {
			return only(c.Schedules.Occurrences(ctx, "agt_1", "asch_1", rota.OccurrenceFilter{}, rota.Page{}))
		}},
		{`GET /api/v1/agents/agt_1/schedules/asch_1/occurrences?from=2026-12-24T00%3A00%3A00.000Z&limit=5&outcome=missed&to=2026-12-25T00%3A00%3A00.000Z `, func(ctx context.Context, c *client.Client) error {
			f := rota.OccurrenceFilter{Outcome: rota.MissedOutcome, From: day, To: day.AddDate(0, 0, 1)}
			return only(c.Schedules.Occurrences(ctx, "agt_1", "asch_1", f, rota.Page{Limit: 5}))
		}},
		{`GET /api/v1/agents/agt_1/schedules/asch_1/upcoming `, func(ctx context.Context, c *client.Client) error {
			return only(c.Schedules.Upcoming(ctx, "agt_1", "asch_1", 0))
		}},
		{`GET /api/v1/agents/agt_1/schedules/asch_1/upcoming?count=3 `, func(ctx context.Context, c *client.Client) error {
			return only(c.Schedules.Upcoming(ctx, "agt_1", "asch_1", 3))
		}},
		{`POST /api/v1/agents/agt_1/schedules/asch_1/backfill {"from":"2026-12-01T00:00:00.000Z","to":"2026-12-02T00:00:00.000Z","dry_run":false}`, func(ctx context.Context, c *client.Client) error {
			first := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
			body := rota.BackfillCreate{From: rota.InstantOf(first), To: rota.InstantOf(first.AddDate(0, 0, 1)), DryRun: rota.Some(false)}
			return only(c.Schedules.Backfill(ctx, "agt_1", "asch_1", body))
		}},
		{`POST /api/v1/agents/agt_1/schedules/asch_1/trigger `, func(ctx context.Context, c *client.Client) error {
			return only(c.Schedules.Trigger(ctx, "agt_1", "asch_1"))
		}},
		{`POST /api/v1/agents/agt_1/schedules/asch_1/skip {"scheduled_for":"2026-12-24T08:00:00.000Z"}`, func(ctx context.Context, c *client.Client) error {
			return only(c.Schedules.Skip(ctx, "agt_1", "asch_1", skip))
		}},
		{`POST /api/v1/agents/agt_1/schedules/asch_1/unskip {"scheduled_for":"2026-12-24T08:00:00.000Z"}`, func(ctx context.Context, c *client.Client) error {
			return only(c.Schedules.Unskip(ctx, "agt_1", "asch_1", skip))
		}},
	}
}

func allSchedulesCalls() []sent {
	spec := rota.Spec{Type: rota.Cron, CronExpression: "@daily"}
	day := time.Date(2026, 12, 24, 0, 0, 0, 0, time.UTC)
	return []sent{
		{`GET /api/v1/schedules `, func(ctx context.Context, c *client.Client) error {
			return only(c.Schedules.All(ctx, rota.ScheduleFilter{}, rota.Page{}))
		}},
		{`GET /api/v1/schedules?agent_id=agt_1&order=asc&status=paused `, func(ctx context.Context, c *client.Client) error {
			f := rota.ScheduleFilter{AgentID: "agt_1", Status: rota.SchedulePaused}
			return only(c.Schedules.All(ctx, f, rota.Page{Ascending: true}))
		}},
		{`POST /api/v1/schedules/preview {"schedule":{"type":"cron","cron_expression":"@daily"},"count":3}`, func(ctx context.Context, c *client.Client) error {
			return only(c.Schedules.Preview(ctx, rota.PreviewCreate{Spec: spec, Count: rota.Some(3)}))
		}},
		{`POST /api/v1/schedules/pause {"metadata":{"team":"ops"},"note":"rest"}`, func(ctx context.Context, c *client.Client) error {
			return only(c.Schedules.PauseAll(ctx, rota.BulkPause{Metadata: map[string]string{"team": "ops"}, Note: rota.Some("rest")}))
		}},
		{`POST /api/v1/schedules/resume {"agent_id":"agt_1","pause_reason":"failures"}`, func(ctx context.Context, c *client.Client) error {
			return only(c.Schedules.ResumeAll(ctx, rota.BulkResume{AgentID: rota.Some[rota.AgentID]("agt_1"), Reason: rota.Some(rota.PausedByFailures)}))
		}},
		{`GET /api/v1/summary?bucket=86400&end_user=%2A&from=2026-12-24T00%3A00%3A00.000Z&to=2026-12-31T00%3A00%3A00.000Z `, func(ctx context.Context, c *client.Client) error {
			return only(c.Schedules.Summary(ctx, day, day.AddDate(0, 0, 7), 24*time.Hour, client.OfEndUser("*")))
		}},
		{`GET /api/v1/forecast `, func(ctx context.Context, c *client.Client) error {
			return only(c.Schedules.Forecast(ctx, time.Time{}, time.Time{}, 0))
		}},
		{`GET /api/v1/forecast?bucket=86400&from=2026-12-24T00%3A00%3A00.000Z&to=2026-12-31T00%3A00%3A00.000Z `, func(ctx context.Context, c *client.Client) error {
			return only(c.Schedules.Forecast(ctx, day, day.AddDate(0, 0, 7), 24*time.Hour))
		}},
	}
}

func runAndKeyCalls() []sent {
	return []sent{
		{`POST /api/v1/agents/agt_1/runs {"input":"hello"}`, func(ctx context.Context, c *client.Client) error {
			return only(c.Runs.Create(ctx, "agt_1", rota.RunCreate{Input: rota.InputText("hello")}))
		}},
		{`GET /api/v1/agents/agt_1/runs?limit=1 `, func(ctx context.Context, c *client.Client) error {
			return only(c.Runs.List(ctx, "agt_1", rota.Page{Limit: 1}))
		}},
		{`GET /api/v1/agents/agt_1/runs/arun_1 `, func(ctx context.Context, c *client.Client) error {
			return only(c.Runs.Get(ctx, "agt_1", "arun_1"))
		}},
		{`GET /api/v1/runs?end_user=%2A&error_code=timeout&from=2026-12-24T00%3A00%3A00.000Z&phase=failed `, func(ctx context.Context, c *client.Client) error {
			return only(c.Runs.All(ctx, rota.RunFilter{Phase: rota.PhaseFailed, ErrorCode: "timeout", From: time.Date(2026, 12, 24, 0, 0, 0, 0, time.UTC)}, rota.Page{}, client.OfEndUser("*")))
		}},
		{`GET /api/v1/occurrences?agent_id=agt_1&outcome=missed&trigger=schedule `, func(ctx context.Context, c *client.Client) error {
			return only(c.Schedules.AllOccurrences(ctx, rota.OccurrenceFilter{AgentID: "agt_1", Outcome: rota.MissedOutcome, Trigger: rota.TriggerSchedule}, rota.Page{}))
		}},
		{`POST /api/v1/schedules/trigger {"name":"a"}`, func(ctx context.Context, c *client.Client) error {
			return only(c.Schedules.TriggerAll(ctx, rota.BulkTrigger{Name: rota.Some("a")}))
		}},
		{`GET /api/v1/agents?deleted=true&metadata%5Bk%5D=v&name=a&q=x `, func(ctx context.Context, c *client.Client) error {
			return only(c.Agents.Find(ctx, rota.AgentFilter{Deleted: true, Name: "a", Q: "x", Metadata: map[string]string{"k": "v"}}, rota.Page{}))
		}},
		{`GET /api/v1/schedules?id=asch_1 `, func(ctx context.Context, c *client.Client) error {
			return only(c.Schedules.All(ctx, rota.ScheduleFilter{ID: "asch_1"}, rota.Page{}))
		}},
		{`GET /api/v1/lanes?end_user=%2A&limit=5&sort=name `, func(ctx context.Context, c *client.Client) error {
			return only(c.Schedules.Lanes(ctx, client.LaneQuery{Sort: rota.LanesByName, Limit: 5}, client.OfEndUser("*")))
		}},
		{`POST /api/v1/occurrences/occ_1/acknowledge `, func(ctx context.Context, c *client.Client) error {
			return only(c.Schedules.Acknowledge(ctx, "occ_1"))
		}},
		{`POST /api/v1/occurrences/acknowledge {"reason":"late"}`, func(ctx context.Context, c *client.Client) error {
			return only(c.Schedules.AcknowledgeAll(ctx, rota.AcknowledgeOccurrences{Reason: rota.Some("late")}))
		}},
		{`POST /api/v1/runs/arun_1/acknowledge `, func(ctx context.Context, c *client.Client) error {
			return only(c.Runs.Acknowledge(ctx, "arun_1"))
		}},
		{`POST /api/v1/runs/acknowledge {"error_code":"timeout"}`, func(ctx context.Context, c *client.Client) error {
			return only(c.Runs.AcknowledgeAll(ctx, rota.AcknowledgeRuns{ErrorCode: rota.Some("timeout")}))
		}},
		{`GET /api/v1/end-users?limit=5&order=asc `, func(ctx context.Context, c *client.Client) error {
			return only(c.EndUsers.List(ctx, rota.Page{Limit: 5, Ascending: true}))
		}},
		{`GET /api/v1/keys/self `, func(ctx context.Context, c *client.Client) error {
			return only(c.Keys.InUse(ctx))
		}},
		{`GET /api/v1/runs/arun_1 `, func(ctx context.Context, c *client.Client) error {
			return only(c.Runs.Find(ctx, "arun_1"))
		}},
		{`POST /api/v1/agents/agt_1/runs/arun_1/cancel `, func(ctx context.Context, c *client.Client) error {
			return only(c.Runs.Cancel(ctx, "agt_1", "arun_1"))
		}},
		{`POST /api/v1/keys {"name":"ci","scopes":["read:agents"]}`, func(ctx context.Context, c *client.Client) error {
			return only(c.Keys.Create(ctx, rota.KeyCreate{Name: "ci", Scopes: rota.Some([]rota.Scope{rota.ReadAgents})}))
		}},
		{`GET /api/v1/keys `, func(ctx context.Context, c *client.Client) error {
			return only(c.Keys.List(ctx, rota.Page{}))
		}},
		{`DELETE /api/v1/keys/key_1 `, func(ctx context.Context, c *client.Client) error {
			return only(c.Keys.Revoke(ctx, "key_1"))
		}},
		{`GET /api/v1/system `, func(ctx context.Context, c *client.Client) error {
			return only(c.System.Get(ctx))
		}},
		{`POST /api/v1/signing-keys/rotate {"revoke":true}`, func(ctx context.Context, c *client.Client) error {
			return only(c.Keys.RotateSigning(ctx, rota.SigningKeyCreate{Revoke: true}))
		}},
	}
}

func TestEveryCallSendsItsRequest(t *testing.T) {
	for _, test := range slices.Concat(agentCalls(), memoryCalls(), scheduleCalls(), occurrenceCalls(), allSchedulesCalls(), runAndKeyCalls()) {
		t.Run(test.want, func(t *testing.T) {
			c, seen := serve(t, 200, `{}`)
			require.NoError(t, test.call(t.Context(), c))
			require.Equal(t, test.want, seen.method+" "+seen.uri+" "+seen.body)
			require.Equal(t, "Bearer secret", seen.header.Get("Authorization"))
			require.Equal(t, "application/json", seen.header.Get("Accept"))
			require.Equal(t, seen.body != "", seen.header.Get("Content-Type") == "application/json")
		})
	}
}

func TestAnswersAreTypes(t *testing.T) {
	c, _ := serve(t, 201, `{"object":"agent.schedule","id":"asch_1","status":"active","schedule":{"type":"cron","cron_expression":"@daily","timezone":"UTC"},"input":"hi","next_run_at":"2026-12-01T09:00:00.000Z","version":3}`)
	s, err := c.Schedules.Create(t.Context(), "agt_1", rota.ScheduleCreate{})
	require.NoError(t, err)
	require.Equal(t, rota.ScheduleID("asch_1"), s.ID)
	require.Equal(t, rota.Spec{Type: rota.Cron, CronExpression: "@daily", Timezone: "UTC"}, s.Spec)
	require.Equal(t, "2026-12-01T09:00:00.000Z", s.NextRunAt.String())
	require.EqualValues(t, 3, s.Version)
}

func TestOptions(t *testing.T) {
	c, seen := serve(t, 200, `{}`, client.OnBehalfOf("user 1"), client.WithUserAgent("test/1"))
	_, err := c.Agents.Update(t.Context(), "agt_1", rota.AgentUpdate{}, client.IfMatch(7), client.IdempotencyKey("k1"))
	require.NoError(t, err)
	require.Equal(t, "user 1", seen.header.Get("X-On-Behalf-Of"))
	require.Equal(t, "test/1", seen.header.Get("User-Agent"))
	require.Equal(t, `"7"`, seen.header.Get("If-Match"))
	require.Equal(t, "k1", seen.header.Get("Idempotency-Key"))
}

func TestRawBodiesAndAnswersLoseNothing(t *testing.T) {
	const answer = `{"id":"agt_1", "new":{"b":1,"a":1e400}}`
	c, seen := serve(t, 200, answer)
	var raw json.RawMessage
	a, err := c.Agents.Create(t.Context(), rota.AgentCreate{}, client.Body(json.RawMessage(`{"name":"x", "future":[1]}`)), client.Answer(&raw))
	require.NoError(t, err)
	require.Equal(t, `{"name":"x", "future":[1]}`, seen.body)
	require.Equal(t, answer, string(raw))
	require.Equal(t, rota.AgentID("agt_1"), a.ID)
}

func TestOptionsStayTheCallers(t *testing.T) {
	c, _ := serve(t, 200, `{}`)
	opts := make([]client.CallOption, 2)[:1]
	opts[0] = client.IdempotencyKey("k")
	for name, err := range map[string]error{
		"agents":      only(c.Agents.List(t.Context(), rota.Page{}, opts...)),
		"schedules":   only(c.Schedules.All(t.Context(), rota.ScheduleFilter{}, rota.Page{}, opts...)),
		"occurrences": only(c.Schedules.Occurrences(t.Context(), "agt_1", "asch_1", rota.OccurrenceFilter{}, rota.Page{}, opts...)),
		"upcoming":    only(c.Schedules.Upcoming(t.Context(), "agt_1", "asch_1", 1, opts...)),
		"forecast":    only(c.Schedules.Forecast(t.Context(), time.Time{}, time.Time{}, time.Hour, opts...)),
	} {
		require.NoError(t, err, name)
	}
	require.Nil(t, opts[:2][1], "another goroutine may use the rest of the array")
}

func TestIDsCannotChangeThePath(t *testing.T) {
	c, seen := serve(t, 200, `{}`)
	for _, id := range []rota.AgentID{"", ".", ".."} {
		_, err := c.Agents.Delete(t.Context(), id)
		require.ErrorIs(t, err, rota.Invalid)
	}
	require.Empty(t, seen.method, "nothing was sent")

	_, err := c.Agents.Delete(t.Context(), "a/b?c")
	require.NoError(t, err)
	require.Equal(t, "/api/v1/agents/a%2Fb%3Fc", seen.uri)
}

func TestRefusalsKeepTheirMeaning(t *testing.T) {
	for _, code := range rota.Codes {
		body, _ := json.Marshal(map[string]any{"error": map[string]any{
			"message": "schedule.interval_seconds: must be at least 60", "type": "whatever", "code": code, "param": "schedule.interval_seconds",
		}})
		c, _ := serve(t, 418, string(body))
		_, err := c.Agents.Get(t.Context(), "agt_1")
		require.ErrorIs(t, err, code)
		var e *rota.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, "schedule.interval_seconds", e.Field)
		require.Equal(t, "must be at least 60", e.Msg)
	}
}

func TestRefusalsOfOthersAreToldByTheirStatus(t *testing.T) {
	for status, code := range map[int]rota.Code{
		301: rota.Invalid, 400: rota.Invalid, 401: rota.Unauthenticated, 403: rota.Denied, 404: rota.NotFound,
		405: rota.BadMethod, 408: rota.Unavailable, 409: rota.Conflict, 412: rota.Precondition, 413: rota.TooLarge,
		415: rota.BadMediaType, 418: rota.Invalid, 422: rota.Invalid, 429: rota.RateLimited, 500: rota.Internal,
		502: rota.Unavailable, 503: rota.Unavailable, 504: rota.Unavailable, 507: rota.Internal,
	} {
		for _, body := range []string{"", "<html>", `[]`, `{"error":"text"}`, `{"error":{"code":"unheard_of","param":null}}`} {
			c, _ := serve(t, status, body)
			_, err := c.Agents.Get(t.Context(), "agt_1")
			require.ErrorIs(t, err, code, "%d %s", status, body)
			require.Contains(t, rota.Public(err).Msg, "the server answered")
		}
	}
}

func TestRefusalsNameTheRequest(t *testing.T) {
	c := handle(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Request-ID", "req_1")
		w.WriteHeader(500)
	})
	_, err := c.Agents.Get(t.Context(), "agt_1")
	var r *client.Refusal
	require.ErrorAs(t, err, &r)
	require.Equal(t, client.Refusal{Status: 500, RequestID: "req_1"}, *r)
}

func TestRetryAfter(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"":                              0,
		"7":                             7 * time.Second,
		"-7":                            0,
		"99999999999999999999":          0,
		"soon":                          0,
		"Wed, 01 Dec 2027 09:00:30 GMT": 30 * time.Second,
		"Wed, 01 Dec 2027 08:00:00 GMT": 0,
	} {
		c := handle(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", "Wed, 01 Dec 2027 09:00:00 GMT")
			w.Header().Set("Retry-After", header)
			w.WriteHeader(429)
		})
		_, err := c.Agents.Get(t.Context(), "agt_1")
		var e *rota.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, want, e.RetryAfter, header)
	}
}

func TestAServerThatCannotBeReachedIsUnavailable(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	srv.Close()
	_, err := client.New(srv.URL, "secret").Agents.Get(t.Context(), "agt_1")
	require.ErrorIs(t, err, rota.Unavailable)
	require.NotContains(t, err.Error(), "secret")

	c := handle(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, `{"id":`)
	})
	_, err = c.Agents.Get(t.Context(), "agt_1")
	require.ErrorIs(t, err, rota.Unavailable, "an answer that breaks off")
}

func TestTheCallersContextEndsACall(t *testing.T) {
	arrived := make(chan struct{})
	c := handle(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	ctx, cancel := withCause(t)
	go func() { <-arrived; cancel(errEnough) }()
	_, err := c.Agents.Get(ctx, "agt_1")
	require.ErrorIs(t, err, errEnough)
	require.NotErrorIs(t, err, rota.Unavailable)
}

func TestWhatCannotBeSentIsInvalid(t *testing.T) {
	for _, base := range []string{"", "127.0.0.1:8080", "ftp://x", "http://", "http://a b"} {
		_, err := client.New(base, "k").Agents.Get(t.Context(), "agt_1")
		require.ErrorIs(t, err, rota.Invalid, base)
	}
	c, seen := serve(t, 200, `{}`, client.OnBehalfOf("a\nb"))
	_, err := c.Agents.Get(t.Context(), "agt_1")
	require.ErrorIs(t, err, rota.Invalid)
	_, err = client.New("http://127.0.0.1:1", "k").Agents.Create(t.Context(), rota.AgentCreate{}, client.Body(nil), client.IdempotencyKey("\x00"))
	require.ErrorIs(t, err, rota.Invalid)
	require.Empty(t, seen.method)
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	calls := 0
	c := handle(t, func(w http.ResponseWriter, r *http.Request) {
		calls++
		http.Redirect(w, r, "https://elsewhere.example/api", http.StatusMovedPermanently)
	})
	_, err := c.Agents.Create(t.Context(), rota.AgentCreate{})
	require.ErrorIs(t, err, rota.Invalid)
	require.ErrorContains(t, err, "https://elsewhere.example/api")
	require.Equal(t, 1, calls)
}

func TestAnswersAreBounded(t *testing.T) {
	c, _ := serve(t, 200, `{"id":"agt_1"}`, client.WithMaxAnswer(14))
	_, err := c.Agents.Get(t.Context(), "agt_1")
	require.NoError(t, err)
	c, _ = serve(t, 200, `{"id":"agt_1"} `, client.WithMaxAnswer(14))
	_, err = c.Agents.Get(t.Context(), "agt_1")
	require.ErrorIs(t, err, rota.TooLarge)
}

func TestAnswersOfOthersAreErrors(t *testing.T) {
	c, _ := serve(t, 200, `<html>`)
	_, err := c.Agents.Get(t.Context(), "agt_1")
	require.ErrorIs(t, err, rota.Internal)
}

func TestPages(t *testing.T) {
	pages := map[string]string{
		"":  `{"data":[{"id":"a"},{"id":"b"}],"last_id":"b","has_more":true}`,
		"b": `{"data":[{"id":"c"}],"last_id":"c","has_more":false}`,
	}
	c := handle(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, pages[r.FormValue("after")])
	})
	var ids []string
	for l, err := range client.Pages(rota.Page{}, func(p rota.Page) (rota.List[rota.Agent], error) {
		return c.Agents.List(t.Context(), p)
	}) {
		require.NoError(t, err)
		for _, a := range l.Data {
			ids = append(ids, string(a.ID))
		}
	}
	require.Equal(t, []string{"a", "b", "c"}, ids)
}

func TestPagesStop(t *testing.T) {
	stuck := rota.List[int]{LastID: new("a"), HasMore: true}
	for name, test := range map[string]struct {
		first rota.List[int]
		err   error
		want  error
		calls int
	}{
		"at an error":                       {err: rota.NotFound, want: rota.NotFound, calls: 1},
		"when the list repeats itself":      {first: stuck, want: rota.Internal, calls: 2},
		"when the next page has no address": {first: rota.List[int]{HasMore: true}, want: rota.Internal, calls: 1},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			var last error
			for _, err := range client.Pages(rota.Page{}, func(rota.Page) (rota.List[int], error) {
				calls++
				return test.first, test.err
			}) {
				if last = err; calls > 2 {
					break
				}
			}
			require.ErrorIs(t, last, test.want)
			require.Equal(t, test.calls, calls)
		})
	}
	require.Len(t, slices.Collect(func(yield func(int) bool) {
		for range client.Pages(rota.Page{}, func(rota.Page) (rota.List[int], error) { return stuck, nil }) {
			yield(1)
			break
		}
	}), 1, "the caller can stop")
}

var errEnough = errors.New("enough")
