package clients

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"
)

// A fuzzer asks what comes to its mind, good or bad, about what it has made
// before. Its seed decides everything but the ids.
type fuzzer struct {
	*rand.Rand
	user      string // the end user that it asks for
	wild      bool   // what it thinks of next may be nonsense
	agents    []string
	schedules [][2]string // an agent and its schedule
	runs      [][2]string
	tools     []string
	soon      []request // what it means to ask next
}

func newFuzzer(seed uint64) *fuzzer {
	return &fuzzer{Rand: rand.New(rand.NewPCG(seed, 1)), user: fmt.Sprint("fuzzer-", seed)}
}

type object = map[string]any

// A request is one that the client has an operation for.
type request struct {
	op, method, path string
	body             any
	keep             func(id string) // what becomes of the id in the answer
}

// step asks one thing and returns what the server says.
func (f *fuzzer) step(ctx context.Context, url string) (answer, error) {
	r := f.next()
	var body io.Reader
	if r.body != nil {
		b, err := json.Marshal(r.body)
		if err != nil {
			return answer{}, err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, url+"/api/v1/agents"+r.path, body)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("X-On-Behalf-Of", f.user)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	var made struct{ ID string }
	if resp.StatusCode == http.StatusCreated && r.keep != nil && json.Unmarshal(b, &made) == nil {
		r.keep(made.ID)
	}
	return answer{r.op, resp.StatusCode, b}, nil
}

// next thinks of a request: most of the time a question, as those cost less.
func (f *fuzzer) next() request {
	f.wild = f.IntN(4) == 0
	if len(f.soon) > 0 && f.IntN(3) == 0 {
		r := f.soon[0]
		f.soon = f.soon[1:]
		return r
	}
	if len(f.agents) < 3 || f.IntN(20) == 0 {
		return request{"agents.create_agent", http.MethodPost, "", f.agent(true), func(id string) { f.agents = append(f.agents, id) }}
	}
	if len(f.schedules) < 3 || len(f.runs) < 3 || f.IntN(6) == 0 {
		return f.begin()
	}
	if f.IntN(5) == 0 {
		return f.change()
	}
	return f.look()
}

// begin makes something that belongs to an agent, or a function tool.
func (f *fuzzer) begin() request {
	a := pick(f, f.agents)
	switch f.IntN(5) {
	case 0:
		return request{"agents.create_function_tool", http.MethodPost, "/function-tools", f.function(), func(id string) { f.tools = append(f.tools, id) }}
	case 1, 2:
		return request{
			"agent_schedules.create_agent_schedule", http.MethodPost, "/" + a + "/schedules", f.schedule(true),
			func(id string) { f.schedules = append(f.schedules, [2]string{a, id}) },
		}
	}
	return f.start(a)
}

// start starts a run. It means to look at it, and to cancel one that would not end.
func (f *fuzzer) start(agent string) request {
	body := f.run()
	return request{
		"agent_runs.create_agent_run", http.MethodPost, "/" + agent + "/runs", body,
		func(id string) {
			f.runs = append(f.runs, [2]string{agent, id})
			path := "/" + agent + "/runs/" + id
			look := request{op: "agent_runs.get_agent_run", method: http.MethodGet, path: path}
			f.soon = append(f.soon, look)
			if body["input"] == "hold" {
				f.soon = append(f.soon, request{op: "agent_runs.cancel_agent_run", method: http.MethodPost, path: path + "/cancel"}, look)
			}
		},
	}
}

func (f *fuzzer) change() request {
	a := "/" + pick(f, f.agents)
	if s, ok := f.one(f.schedules, "schedules"); ok && f.IntN(2) == 0 {
		switch f.IntN(8) {
		case 0:
			return request{op: "agent_schedules.pause_agent_schedule", method: http.MethodPost, path: s + "/pause"}
		case 1:
			return request{op: "agent_schedules.resume_agent_schedule", method: http.MethodPost, path: s + "/resume"}
		case 2:
			return request{op: "agent_schedules.delete_agent_schedule", method: http.MethodDelete, path: s}
		}
		return request{op: "agent_schedules.update_agent_schedule", method: http.MethodPost, path: s, body: f.schedule(false)}
	}
	switch f.IntN(12) {
	case 0:
		return request{op: "agents.delete_agent", method: http.MethodDelete, path: a}
	case 1, 2:
		return request{op: "agents.restore_agent", method: http.MethodPost, path: a + "/restore"}
	case 3:
		return request{op: "agent_versions.rollback_agent_version", method: http.MethodPost, path: fmt.Sprintf("%s/versions/%d/rollback", a, 1+f.IntN(3))}
	case 4:
		if r, ok := f.one(f.runs, "runs"); ok && f.IntN(2) == 0 {
			return request{op: "agent_runs.wake_agent_run", method: http.MethodPost, path: r + "/wake", body: object{"input": f.input()}}
		} else if ok {
			return request{op: "agent_runs.cancel_agent_run", method: http.MethodPost, path: r + "/cancel"}
		}
	case 5:
		if len(f.tools) > 0 {
			return request{op: "agents.update_function_tool", method: http.MethodPost, path: "/function-tools/" + pick(f, f.tools), body: f.function()}
		}
	}
	return request{op: "agents.update_agent", method: http.MethodPost, path: a, body: f.agent(false)}
}

func (f *fuzzer) look() request {
	a, page := "/"+pick(f, f.agents), fmt.Sprintf("?limit=%d&order=%s", or(f, []int{1 + f.IntN(12)}, []int{0, 101}), or(f, []string{"asc", "desc"}, []string{"up"}))
	switch f.IntN(10) {
	case 0:
		return request{op: "agents.list_agents", method: http.MethodGet, path: page + pick(f, []string{"", "&offset=1", "&deleted=true"})}
	case 1:
		return request{op: "agent_schedules.list_agent_schedules", method: http.MethodGet, path: a + "/schedules" + page}
	case 2:
		return request{op: "agent_runs.list_agent_runs", method: http.MethodGet, path: a + "/runs" + page}
	case 3:
		return request{op: "agent_versions.list_agent_versions", method: http.MethodGet, path: a + "/versions" + page}
	case 4:
		return request{op: "agent_versions.get_agent_version", method: http.MethodGet, path: fmt.Sprintf("%s/versions/%d", a, f.IntN(4))}
	case 5:
		return request{op: "agents.list_function_tools", method: http.MethodGet, path: "/function-tools" + page}
	case 6, 7:
		if s, ok := f.one(f.schedules, "schedules"); ok {
			return request{op: "agent_schedules.get_agent_schedule", method: http.MethodGet, path: s}
		}
	case 8:
		if r, ok := f.one(f.runs, "runs"); ok {
			return request{op: "agent_runs.get_agent_run", method: http.MethodGet, path: r}
		}
	}
	return request{op: "agents.get_agent", method: http.MethodGet, path: a}
}

// one picks the path of something that belongs to an agent.
func (f *fuzzer) one(of [][2]string, collection string) (path string, ok bool) {
	if len(of) == 0 {
		return "", false
	}
	it := pick(f, of)
	return fmt.Sprintf("/%s/%s/%s", it[0], collection, it[1]), true
}

func pick[T any](f *fuzzer, of []T) T { return of[f.IntN(len(of))] }

// or picks what makes sense, or nonsense if it is in the mood.
func or[T any](f *fuzzer, sense, nonsense []T) T {
	if f.wild && f.IntN(3) == 0 {
		return pick(f, nonsense)
	}
	return pick(f, sense)
}

// maybe sets a field to what value returns, half of the time, and now and then to
// null.
func (f *fuzzer) maybe(o object, field string, value func() any) {
	switch f.IntN(10) {
	case 0, 1, 2, 3, 4:
		o[field] = value()
	case 5:
		o[field] = nil
	}
}

// agent is the body of an agent, or of a change of one.
func (f *fuzzer) agent(whole bool) object {
	o := object{}
	if whole {
		o["name"], o["model"] = f.name(), pick(f, []string{"small", "small", "broken"})
	}
	f.maybe(o, "description", f.text)
	f.maybe(o, "instructions", f.text)
	f.maybe(o, "tools", f.toolList)
	f.maybe(o, "tool_choice", f.anything)
	f.maybe(o, "parallel_tool_calls", f.bool)
	f.maybe(o, "max_tool_calls", func() any { return 1 + or(f, []int{f.IntN(300)}, []int{300, -2}) })
	f.maybe(o, "fallback_models", func() any { return pick(f, [][]string{{}, {"other"}, {"other", "third"}}) })
	f.maybe(o, "text", func() any {
		return pick(f, []any{object{}, object{"verbosity": "low"}, object{"format": object{"type": "json_object"}}})
	})
	f.maybe(o, "reasoning", func() any { return pick(f, []any{object{}, object{"effort": "high"}, object{"effort": "minimal"}}) })
	f.maybe(o, "metadata", f.metadata)
	return o
}

// schedule is the body of a schedule, or of a change of one.
func (f *fuzzer) schedule(whole bool) object {
	o := object{}
	if whole {
		o["schedule"], o["input"] = f.spec(), f.input()
	} else {
		f.maybe(o, "schedule", f.spec)
	}
	f.maybe(o, "name", f.name)
	f.maybe(o, "conversation", func() any { return pick(f, []any{"conv_1", object{"id": "conv_1"}}) })
	f.maybe(o, "previous_response_id", func() any { return "resp_1" })
	f.maybe(o, "context_management", f.compaction)
	f.maybe(o, "metadata", f.metadata)
	return o
}

func (f *fuzzer) spec() any {
	later := time.Date(2090+f.IntN(5), 1, 1, f.IntN(24), 0, 0, f.IntN(1000)*1e6, time.UTC)
	zone := or(f, []string{"UTC", "Europe/Madrid", "Asia/Kathmandu"}, []string{"Nowhere/AtAll"})
	switch f.IntN(4) {
	case 0:
		return object{"type": "once", "run_at": later, "timezone": zone}
	case 1:
		return object{"type": "interval", "interval_seconds": 3600 * (1 + f.IntN(100)), "timezone": zone}
	case 2:
		return object{"type": "interval", "interval_seconds": float64(3600 + f.IntN(3600)), "start_at": later}
	}
	return object{"type": "cron", "cron_expression": or(f, []string{"0 9 * * MON-FRI", "*/15 3 1 * *", "@daily"}, []string{"61 * * * *", ""}), "timezone": zone}
}

func (f *fuzzer) run() object {
	o := object{"input": f.input()}
	f.maybe(o, "conversation", func() any { return "conv_1" })
	f.maybe(o, "context_management", f.compaction)
	f.maybe(o, "stream", f.bool)
	f.maybe(o, "metadata", f.metadata)
	return o
}

func (f *fuzzer) input() any {
	return or(f, []any{
		"go", "fail", "limit", "hold", f.text(),
		[]object{{"role": "user", "content": "go"}},
		[]object{{"type": "message", "role": "user", "content": []object{{"type": "input_text", "text": "go"}}, "more": 1}},
	}, []any{"", []object{}, 7})
}

func (f *fuzzer) compaction() any {
	return []object{{"type": "compaction", "compact_threshold": or(f, []int{1000 + f.IntN(9000)}, []int{999, -1})}}
}

func (f *fuzzer) function() object {
	o := object{
		"type": "function", "name": or(f, []string{"look_up", "ask"}, []string{"look up", ""}),
		"parameters": object{"type": "object", "properties": object{"q": object{"type": "string"}}},
	}
	f.maybe(o, "description", f.text)
	f.maybe(o, "strict", f.bool)
	f.maybe(o, "defer_loading", f.bool)
	return o
}

func (f *fuzzer) toolList() any {
	all := []object{
		{"type": "web_search"},
		{"type": "web_search_preview", "search_context_size": "low", "user_location": object{"type": "approximate", "city": "Madrid"}},
		{"type": "function", "name": "look_up", "parameters": object{"type": "object"}, "strict": true},
		{"type": "mcp", "server_label": "docs", "server_url": "https://mcp.example.com", "require_approval": object{"always": object{"read_only": false}}},
		{"type": "mcp", "mcp_server_id": "mcp_srv_1", "allowed_tools": []string{"read"}},
		{"type": "file_search", "vector_store_ids": []string{"vs_1"}, "filters": object{"type": "eq", "key": "a", "value": 1}},
		{"type": "code_interpreter", "container": object{"type": "auto", "memory_limit": "1g"}},
		{"type": "image_generation"},
		{"type": "shell", "environment": object{"type": "container_auto", "session_scope": "request"}},
		{"type": "sleep"},
		{"type": "computer_use_preview"},
		{"type": "of_the_future", "members": []int{1, 2}},
	}
	list := []object{}
	for range f.IntN(4) {
		list = append(list, or(f, all, []object{{"name": "no type"}}))
	}
	return list
}

func (f *fuzzer) name() any {
	return or(f, []any{"Reporter", "Прогноз", "日報", "x"}, []any{"", "a\tb", 7})
}

func (f *fuzzer) text() any {
	return or(f, []any{"Be brief.", "«»\u2028🙂 \\ \" {{scheduled_for}} {{{{", "line\nline", string(rune('a' + f.IntN(26)))}, []any{[]int{1}, true})
}

func (f *fuzzer) bool() any { return f.IntN(2) == 0 }

func (f *fuzzer) anything() any {
	return pick(f, []any{"auto", "none", object{"type": "function", "name": "look_up"}, []any{1, nil, "x"}, 3.5, true})
}

func (f *fuzzer) metadata() any {
	return or(f, []any{object{}, object{"team": "ops"}, object{"é": "ü", "b": ""}}, []any{object{"a": 1}, "none"})
}
