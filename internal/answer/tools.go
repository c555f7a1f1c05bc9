package answer

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/rawjson"
	"github.com/rota-run/rota/internal/responses"
)

// The bounds of a tool loop.
const (
	DefaultToolCalls = 64                // of a response whose request says nothing of max_tool_calls
	MaxParallelCalls = 8                 // that are under way at once
	MaxResult        = 256 << 10         // bytes of one result that the model is told
	maxLoop          = 8 << 20           // bytes of all answers and results of a loop
	DefaultTimeout   = 30 * time.Second  // of a call
	MaxTimeout       = 600 * time.Second // the longest that a function may ask for
)

// A Kind says who answers the calls of a tool.
type Kind string

// The kinds of tools that Rota calls itself.
const (
	Function Kind = "function" // the webhook of a function tool
	MCP      Kind = "mcp"      // an MCP server
	Gone     Kind = "gone"     // nobody: the tool is not there any more
	Sleep    Kind = "sleep"    // nobody: the run or response sleeps
	Schedule Kind = "schedule" // Rota: an agent plans its own follow-ups
	Memory   Kind = "memory"   // Rota: notes that last
)

// A Tool is one that Rota calls itself.
type Tool struct {
	Kind       Kind
	Name       string // that models know
	Server     string // the server_label under which its calls stand in answers
	Title      string // its name there
	Timeout    time.Duration
	Repeatable bool // calling it twice does what calling it once does

	Function rota.FunctionToolID // of a function
	URL      string              // of a function: its webhook
	MCP      Server              // of an MCP server's tool

	MemoryStore rota.MemoryStoreID // of memory
	ReadOnly    bool               // of memory: notes are not written

	Held bool // a call needs an approval
}

// Tools are the tools that Rota calls itself, by the names that models know.
type Tools map[string]Tool

// ReadTools returns those of the tools of a request that Rota calls itself. A function
// tool is there as [Refer] has put it. The error is [rota.Invalid] if two have the same
// name.
func ReadTools(list []json.RawMessage) (Tools, error) {
	tools := Tools{}
	for _, raw := range list {
		t, ours := readTool(raw)
		if !ours {
			continue
		}
		other, twice := tools[t.Name]
		if twice && (t.Function != other.Function || t.MemoryStore != other.MemoryStore) {
			one, another := cmp.Or(string(t.Function), string(t.MemoryStore), string(t.Kind)), cmp.Or(string(other.Function), string(other.MemoryStore), string(other.Kind))
			return nil, rota.InvalidField("tools", "must not have two functions named %q: %s and %s", t.Name, min(one, another), max(one, another))
		}
		tools[t.Name] = t
	}
	return tools, nil
}

// readTool returns a tool of a request, and whether Rota calls it.
func readTool(raw json.RawMessage) (Tool, bool) {
	switch rawjson.Text(rawjson.Get(raw, "type")) {
	case "function":
		return readFunction(raw)
	case "sleep":
		return sleepTool, true
	case "schedule":
		return scheduleTool, true
	case memoryName:
		return readMemory(raw), true
	default:
		return Tool{}, false
	}
}

func readFunction(raw json.RawMessage) (Tool, bool) {
	name := rawjson.Text(rawjson.Get(raw, "name"))
	t := Tool{
		Kind: Function, Name: name, Server: responses.OwnServer, Title: name, Timeout: DefaultTimeout,
		Repeatable: rawjson.Kind(rawjson.Get(raw, "idempotent")) == 't',
		Function:   rota.FunctionToolID(rawjson.Text(rawjson.Get(raw, "function_tool_id"))), URL: rawjson.Text(rawjson.Get(raw, "webhook_url")),
	}
	if n, err := strconv.Atoi(string(rawjson.Get(raw, "webhook_timeout_seconds"))); err == nil && n > 0 {
		t.Timeout = min(time.Duration(n)*time.Second, MaxTimeout)
	}
	return t, t.Function != "" && t.URL != ""
}

// own are the members of a function tool that are for Rota, and that no model is told.
var own = []string{"webhook_url", "webhook_timeout_seconds", "idempotent", "function_tool_id"}

// Told returns the tools of a request as a model is told them.
func Told(list []json.RawMessage) []json.RawMessage {
	all := make([]json.RawMessage, len(list))
	for n, t := range list {
		all[n] = told(t)
	}
	return all
}

func told(tool json.RawMessage) json.RawMessage {
	switch rawjson.Text(rawjson.Get(tool, "type")) {
	case "sleep":
		return json.RawMessage(toldSleep)
	case "schedule":
		return json.RawMessage(toldSchedule)
	case memoryName:
		return json.RawMessage(toldMemory)
	}
	if rawjson.Get(tool, "function_tool_id") == nil {
		return tool
	}
	o := rawjson.ReadObject(tool)
	for _, name := range own {
		o.Delete(name)
	}
	return o.Encode()
}

// Refer puts function tools in the place of what refers to them in the tools of a request,
// with their ids. definition returns one.
func Refer(tools json.RawMessage, definition func(rota.FunctionToolID) (rota.FunctionDefinition, error)) (json.RawMessage, error) {
	list, changed := rawjson.List(tools), false
	for n, t := range list {
		at := "tools." + strconv.Itoa(n)
		switch rawjson.Text(rawjson.Get(t, "type")) {
		case "function":
			if rawjson.Kind(rawjson.Get(t, "webhook_url")) != 'n' {
				return nil, rota.InvalidField(at+".webhook_url", "must be that of a function tool: create one, and refer to it with the type %s", rota.ToolFunctionReference)
			}
		case rota.ToolFunctionReference:
			id := rawjson.Text(rawjson.Get(t, "function_tool_id"))
			d, err := definition(rota.FunctionToolID(id))
			if errors.Is(err, rota.NotFound) {
				return nil, rota.InvalidField(at, "refers to a function tool that is not there: %q", id)
			}
			if err != nil {
				return nil, err
			}
			list[n], changed = Defined(rota.FunctionToolID(id), rota.Object(rota.AnyOf(d))), true
		}
	}
	if !changed {
		return tools, nil
	}
	return rawjson.EncodeList(list), nil
}

// Defined returns a function tool as it takes the place of what refers to it.
func Defined(id rota.FunctionToolID, definition rota.Object) json.RawMessage {
	o := rawjson.ReadObject(definition.RawMessage)
	o.Set("function_tool_id", rawjson.String(string(id)))
	return o.Encode()
}

// Loop makes s the state of a loop with the tools of a request, by its steps. The error is
// [rota.Invalid], and names the member.
func (s *State) Loop(tools []json.RawMessage, choice json.RawMessage) error {
	var err error
	if s.Tools, err = ReadTools(tools); err == nil {
		s.Servers, err = ReadServers(tools)
	}
	s.Functions, s.Choice = functionNames(tools), choice
	s.Learn()
	return err
}

// Loops reports whether Rota may have calls to make.
func (s State) Loops() bool { return len(s.Tools) > 0 || len(s.Servers) > 0 }

// loopOf returns the state of the loop of a response, by the tools of its request.
func (s State) loopOf(request json.RawMessage) State {
	_ = s.Loop(rawjson.List(rawjson.Get(request, "tools")), rawjson.Get(request, "tool_choice")) // it was read before
	s.MaxCalls, s.Sequential = DefaultToolCalls, rawjson.Kind(rawjson.Get(request, "parallel_tool_calls")) == 'f'
	if n, err := strconv.Atoi(string(rawjson.Get(request, "max_tool_calls"))); err == nil {
		s.MaxCalls = n
	}
	return s
}

// ForResponse returns the state of a response as it is on record.
func ForResponse(w rota.ResponseWork, models []string) State {
	s := State{ID: w.ID, Models: models, Steps: slices.Clone(w.Steps), Shown: w.Lost, Lost: w.Lost}
	if !w.Kept {
		s.Steps = nil
	}
	s.Approved = Approvals(w.Turns, Items(w.Input), Theirs(rawjson.List(rawjson.Get(w.Request, "tools"))))
	return s.loopOf(w.Request)
}

// A Call is one that Rota makes.
type Call struct {
	Turn   int // the answer that asks for it; 1 is the first
	Number int // among those of the answer; 1 is the first
	Again  bool
	Tool
	Approval  string // the id of the request by which it was approved
	CallID    string // as the model has it
	Arguments string // JSON, if the model keeps its word
}

// ID names the call, the same each time that it is made. of is the response or run.
func (c Call) ID(of string) string {
	return of + "-" + strconv.Itoa(c.Turn) + "-" + strconv.Itoa(c.Number)
}

// A Caller is for what a call is made: a run or a response.
type Caller struct {
	Owner        rota.Owner
	Tools        rota.Owner // whose function tools, MCP servers and credentials it has
	ID           string     // of the run or response
	Run          rota.RunID
	Response     rota.ResponseID
	Agent        rota.AgentID
	Schedule     *rota.ScheduleID
	ScheduledFor *rota.Instant
}

// called returns the step that goes on record before the call is made.
func (c Call) called() rota.ResponseStep {
	return rota.ResponseStep{Kind: rota.StepCalled, Call: c.Number, Tool: c.Name}
}

// Called returns the steps that go on record before calls are made.
func Called(calls []Call) []rota.ResponseStep {
	var steps []rota.ResponseStep
	for _, c := range calls {
		if !c.Again {
			steps = append(steps, c.called())
		}
	}
	return steps
}

// A Result is what came of a call.
type Result struct {
	Output string // that the model is told
	Code   string // why there is none; empty if there is
}

// Codes of results that no function has given.
const (
	ResultFailed  = "failed"          // the function said so, or did not answer
	ResultUnknown = "outcome_unknown" // the call was cut off
	ResultLimit   = "max_tool_calls"  // it was not made
	ResultChoice  = "tool_choice"     // it was not made
)

// Step returns the step that puts a result on record. A text that is too long is cut,
// which it says.
func (c Call) Step(r Result) rota.ResponseStep {
	if len(r.Output) > MaxResult {
		r.Output = cut(r.Output) + "\n[cut: the result had " + strconv.Itoa(len(r.Output)) + " bytes, of which these are the first " + strconv.Itoa(MaxResult) + "]"
	}
	return rota.ResponseStep{Kind: rota.StepResult, Call: c.Number, Tool: c.Name, Code: r.Code, Result: &r.Output}
}

// cut returns the first MaxResult bytes of a text, but for a character that ends later.
func cut(s string) string {
	n := MaxResult
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}

// Answered returns what of an answer goes on record for a loop: all its items, if it
// asks for calls that Rota makes; else nil. Calls without an id, or with one of another
// call, get one.
func (t Tools) Answered(output []json.RawMessage) []json.RawMessage {
	loops, seen := false, map[string]bool{"": true}
	items := make([]json.RawMessage, len(output))
	for n, raw := range output {
		items[n] = raw
		if !isFunctionCall(raw) {
			continue
		}
		id := rawjson.Text(rawjson.Get(raw, "call_id"))
		if seen[id] {
			id = "call_rota_" + strconv.Itoa(n+1)
			o := rawjson.ReadObject(raw)
			o.Set("call_id", rawjson.String(id))
			items[n] = o.Encode()
		}
		seen[id] = true
		_, ours := t[rawjson.Text(rawjson.Get(raw, "name"))]
		loops = loops || ours
	}
	if !loops {
		return nil
	}
	return items
}

func isFunctionCall(item json.RawMessage) bool {
	return rawjson.Text(rawjson.Get(item, "type")) == "function_call"
}

// calls returns the calls of an answer that Rota makes, and whether there are others.
func (t Tools) calls(turn int, output []json.RawMessage) (calls []Call, others bool) {
	for _, raw := range output {
		if !isFunctionCall(raw) {
			continue
		}
		tool, ours := t[rawjson.Text(rawjson.Get(raw, "name"))]
		if !ours {
			others = true
			continue
		}
		calls = append(calls, Call{
			Turn: turn, Number: len(calls) + 1, Tool: tool,
			CallID: rawjson.Text(rawjson.Get(raw, "call_id")), Arguments: rawjson.Text(rawjson.Get(raw, "arguments")),
		})
	}
	return calls, others
}

// of returns the calls of the step that has the number turn among those that ask for some.
func (t Tools) of(step rota.ResponseStep, turn int) (calls []Call, others bool) {
	if step.Kind == rota.StepApproved {
		return t.approvedCalls(turn, step.Output), false
	}
	return t.calls(turn, step.Output)
}

// approved returns the calls that may be made, and whether there are others, which need an
// approval.
func approved(calls []Call) (free []Call, held bool) {
	for _, c := range calls {
		if c.Held {
			held = true
			continue
		}
		free = append(free, c)
	}
	return free, held
}

// A turn is an answer that asked for calls, and what has become of these.
type turn struct {
	calls   []Call
	others  bool // the caller has calls to make
	held    bool // calls need an approval
	output  []json.RawMessage
	begun   map[int]rota.ResponseStep
	results map[int]rota.ResponseStep
}

// turns returns the answers on record that asked for calls.
func (s State) turns() []turn {
	var all []turn
	for _, step := range s.Steps {
		switch step.Kind {
		case rota.StepItems, rota.StepApproved:
			t := turn{output: step.Output, begun: map[int]rota.ResponseStep{}, results: map[int]rota.ResponseStep{}}
			t.calls, t.others = s.Tools.of(step, len(all)+1)
			t.calls, t.held = approved(t.calls)
			if step.Kind == rota.StepApproved {
				t.output = asAsked(step.Output)
			}
			all = append(all, t)
		case rota.StepCalled:
			all[len(all)-1].begun[step.Call] = step
		case rota.StepResult:
			all[len(all)-1].results[step.Call] = step
		}
	}
	return all
}

// goOn returns what follows an answer.
func (s State) goOn() Action {
	turns := s.turns()
	now := turns[len(turns)-1]
	made, size, limited := 0, 0, false
	for n, t := range turns {
		made += len(t.begun)
		for _, raw := range t.output {
			size += len(raw)
		}
		for _, r := range t.results {
			size += len(*r.Result)
			limited = limited || n < len(turns)-1 && r.Code == ResultLimit
		}
	}
	switch note, call, pause := s.open(now, made); {
	case len(now.calls) == 0 && !now.held:
		return Action{End: &End{}}
	case s.Lost:
		return Action{End: &End{rota.ResponseFailed, rota.RunErrWorkerLost, "the server stopped before the answer was whole"}}
	case limited:
		return Action{End: &End{Status: rota.ResponseIncomplete, Code: ResultLimit, Message: "the model goes on to ask for calls, and max_tool_calls is reached"}}
	case size > maxLoop:
		return Action{End: &End{rota.ResponseFailed, rota.RunErrTooLarge, "the answers of the model and the results of its calls have more than 8 MiB together"}}
	case len(note) > 0:
		return Action{Note: note}
	case len(call) > 0:
		return Action{Call: call}
	case pause != nil:
		return Action{Pause: pause}
	case now.others, now.held:
		return Action{End: &End{Status: rota.ResponseCompleted}}
	default:
		return s.ask(s.failed())
	}
}

// open returns what is to be done about the calls of an answer: results that are known
// without a call, calls and, when these have been made, the first pause. made is how many
// have been made so far.
func (s State) open(t turn, made int) (note []rota.ResponseStep, call []Call, pause *Pause) {
	most := MaxParallelCalls
	if s.Sequential {
		most = 1
	}
	for _, c := range t.calls {
		_, done := t.results[c.Number]
		_, begun := t.begun[c.Number]
		switch {
		case done:
		case c.Kind == Sleep:
			result, next := s.sleep(t, c, made)
			if result != nil {
				note = append(note, *result)
			} else if pause == nil {
				pause = next
				made++
			}
		case begun && !c.Repeatable:
			note = append(note, c.Step(Result{Output: "The outcome is unknown: the call was made, and the server stopped before it had an answer. It was not made again.", Code: ResultUnknown}))
		case begun:
			c.Again = true
			call = append(call, c)
		case !s.allows(c.Tool):
			note = append(note, c.Step(Result{Output: "The call was not made: tool_choice does not allow the tool.", Code: ResultChoice}))
		case made >= s.MaxCalls:
			note = append(note, c.Step(Result{Output: "The call was not made: the limit of " + strconv.Itoa(s.MaxCalls) + " calls is reached.", Code: ResultLimit}))
		default:
			made++
			call = append(call, c)
		}
	}
	return note, call[:min(most, len(call))], pause
}

// exhausted reports whether the model has asked for more calls than it may have.
func (s State) exhausted() bool {
	for _, step := range s.Steps {
		if step.Kind == rota.StepResult && step.Code == ResultLimit {
			return true
		}
	}
	return false
}

// Said returns the items that a model is told behind the input of a request: what it
// has answered, as it came, and what came of the calls.
func (s State) Said() []json.RawMessage {
	var items []json.RawMessage
	for _, t := range s.turns() {
		items = append(items, t.output...)
		for _, c := range t.calls {
			if r, ok := t.results[c.Number]; ok {
				items = append(items, rawjson.Object{
					{Name: "type", Value: json.RawMessage(`"function_call_output"`)}, {Name: "call_id", Value: rawjson.String(c.CallID)}, {Name: "output", Value: rawjson.String(*r.Result)},
				}.Encode())
			}
		}
	}
	return items
}

// GoOn changes the body of a request into that of a question further on in a loop, where
// s is. A choice that forces a call holds for the first question alone, or there would be
// no end.
func (q Question) GoOn(body json.RawMessage, s State) json.RawMessage {
	if q.Turn == 0 && len(s.Servers) == 0 {
		return body
	}
	o := rawjson.ReadObject(body)
	s.tell(&o)
	if q.Turn == 0 {
		return o.Encode()
	}
	input := o.Get("input")
	if rawjson.Kind(input) == '"' && len(input) > len(`""`) {
		input = rawjson.EncodeList([]json.RawMessage{userMessage(input)})
	}
	o.Set("input", rawjson.EncodeList(append(rawjson.List(input), s.Said()...)))
	choice := o.Get("tool_choice")
	switch {
	case q.NoTools:
		o.Set("tool_choice", json.RawMessage(`"none"`))
	case rawjson.Text(choice) == "required", rawjson.Kind(choice) == '{' && rawjson.Text(rawjson.Get(choice, "type")) != "allowed_tools":
		o.Set("tool_choice", json.RawMessage(`"auto"`))
	case rawjson.Text(rawjson.Get(choice, "mode")) == "required":
		allowed := rawjson.ReadObject(choice)
		allowed.Set("mode", json.RawMessage(`"auto"`))
		o.Set("tool_choice", allowed.Encode())
	}
	return o.Encode()
}

// Used returns what the answers among steps have used together; nil if there are none.
func Used(steps []rota.ResponseStep) (sum []byte) {
	for _, s := range steps {
		if s.Kind == rota.StepItems {
			sum = responses.SumUsage(sum, s.Usage.RawMessage)
		}
	}
	return sum
}
