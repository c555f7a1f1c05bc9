package httpapi

import (
	"context"
	"net/http"
	"strconv"

	"github.com/rota-run/rota"
)

const (
	runsPath = agentPath + "/runs"
	runPath  = runsPath + "/{run_id}"
)

func (a *api) runOperations() []*operation {
	const tag = "Runs"
	events := answers(Route{http.MethodGet, runPath + "/events", rota.ReadAgents, http.StatusOK, "stream_agent_run_events"}, a.streamRunEvents).
		says(tag, "Stream the events of a run", "Server-sent events: each data line is an event of the Responses API as JSON, each id its sequence number. The stream ends after the terminal event; of a run that has ended it is the only one. After a cut, send the last id to go on where the stream was.").
		with("last_event_id", "starting_after")
	events.output = nil
	return []*operation{
		lists(Route{http.MethodGet, runsPath, rota.ReadAgents, http.StatusOK, "list_agent_runs"}, a.listRuns).
			says(tag, "List the runs of an agent", "Newest first, whatever started them.").
			offsets(),
		accepts(Route{http.MethodPost, runsPath, rota.WriteAgents, http.StatusCreated, "create_agent_run"}, a.createRun).
			says(tag, "Start a run", "Queues a run and answers at once. Poll the run or stream its events to see what comes of it.").
			like(`{"input": "What happened today?", "metadata": {"source": "manual"}}`).
			with("idempotency_key").once(),
		answers(Route{http.MethodGet, runPath, rota.ReadAgents, http.StatusOK, "get_agent_run"}, a.getRun).
			says(tag, "Get a run of an agent", "The run as it is now: poll it until its status is one that ends a run."),
		events,
		answers(Route{http.MethodPost, runPath + "/cancel", rota.WriteAgents, http.StatusOK, "cancel_agent_run"}, a.cancelRun).
			says(tag, "Cancel a run", "Ends a run that has not ended. One that is cancelled stays as it is; one that ended otherwise answers 409.").
			with("idempotency_key"),
		answers(Route{http.MethodDelete, runPath, rota.WriteAgents, http.StatusOK, "delete_agent_run"}, a.deleteRun).
			says(tag, "Delete a run", "With its input and its answer, at once and for good. One that has not ended answers 409. The occurrence that it was started by stays on record.").
			with("idempotency_key"),
		accepts(Route{http.MethodPost, runPath + "/wake", rota.WriteAgents, http.StatusOK, "wake_agent_run"}, a.wakeRun).
			says(tag, "Wake a sleeping run", "Lets a run that its agent has put to sleep go on at once. The agent is told the input as the result of its call of the tool sleep. A run that does not sleep answers 409 with the code not_sleeping.").
			like(`{"input": "The report has arrived."}`).
			with("idempotency_key"),
		accepts(Route{http.MethodPost, runPath + "/mcp-approvals", rota.WriteAgents, http.StatusCreated, "create_agent_run_mcp_approval"}, a.decideMCPApproval).
			says(tag, "Decide a tool call", "Approves or denies a call for which the run asked for approval, and starts the run that goes on with it. The same decision again answers the same; another one, a request that has expired, and a run that has not asked answer 409.").
			like(`{"approval_request_id": "mcpr_1", "approve": true}`).
			with("idempotency_key"),
		answers(Route{http.MethodGet, "/api/v1/runs/{run_id}", rota.ReadAgents, http.StatusOK, "get_run"}, a.getRunByID).
			says(tag, "Get a run", "For those who know the id of the run and not that of its agent."),
	}
}

func (a *api) listRuns(ctx context.Context, c call, p rota.Page) (rota.List[rota.Run], error) {
	l, err := a.Control.Runs(ctx, c.who, c.agent(), p)
	return a.wholeRuns(ctx, c, l, err)
}

func (a *api) createRun(ctx context.Context, c call, in rota.RunCreate) (rota.Run, error) {
	return a.Control.StartRun(ctx, c.who, c.agent(), in, c.write)
}

func (a *api) getRun(ctx context.Context, c call) (rota.Run, error) {
	return a.oneRun(ctx, c, func() (rota.Run, error) { return a.Control.Run(ctx, c.who, c.agent(), c.run()) })
}

func (a *api) getRunByID(ctx context.Context, c call) (rota.Run, error) {
	return a.oneRun(ctx, c, func() (rota.Run, error) { return a.Control.RunByID(ctx, c.who, c.run()) })
}

// oneRun reads a run, for which it takes memory.
func (a *api) oneRun(ctx context.Context, c call, read func() (rota.Run, error)) (rota.Run, error) {
	if err := hold(ctx, c.memory, partCost*partBytes); err != nil {
		return rota.Run{}, err
	}
	r, err := read()
	size := len(r.GatewayResponse.RawMessage) + len(r.Input.RawMessage) + r.Deferred
	l, err := a.wholeRuns(ctx, c, rota.List[rota.Run]{Data: []rota.Run{r}, Size: size}, err)
	return l.Data[0], err
}

// wholeRuns takes memory for a part of a list, and then reads what is deferred of its
// runs: of no more than one, which ended the part.
func (a *api) wholeRuns(ctx context.Context, c call, l rota.List[rota.Run], err error) (rota.List[rota.Run], error) {
	if err == nil {
		err = hold(ctx, c.memory, partCost*int64(l.Size))
	}
	for i := range l.Data {
		if err == nil && l.Data[i].Deferred > 0 {
			l.Data[i], err = a.Control.WholeRun(ctx, c.who, l.Data[i])
		}
	}
	return l, err
}

func (a *api) cancelRun(ctx context.Context, c call) (rota.Run, error) {
	return a.Control.CancelRun(ctx, c.who, c.agent(), c.run(), c.write)
}

func (a *api) deleteRun(ctx context.Context, c call) (rota.Deleted[rota.RunID], error) {
	return a.Control.DeleteRun(ctx, c.who, c.agent(), c.run(), c.write)
}

func (a *api) wakeRun(ctx context.Context, c call, in rota.RunWakeCreate) (rota.RunWake, error) {
	return a.Control.WakeRun(ctx, c.who, c.agent(), c.run(), in, c.write)
}

func (a *api) decideMCPApproval(ctx context.Context, c call, in rota.MCPApprovalCreate) (rota.MCPApproval, error) {
	return a.Control.DecideMCPApproval(ctx, c.who, c.agent(), c.run(), in, c.write)
}

func (a *api) streamRunEvents(ctx context.Context, c call) (stream, error) {
	after, err := startingAfter(c.Request)
	if err != nil {
		return stream{}, err
	}
	room := func(ctx context.Context, bytes int) error { return c.memory.Hold(ctx, partCost*int64(bytes)) }
	events, err := a.Control.RunEvents(ctx, c.who, c.agent(), c.run(), after, room)
	return stream{EventReader: events}, err
}

// maxSequence is the largest sequence number that every reader of JSON tells
// exactly.
const maxSequence = 1<<53 - 1

// startingAfter returns the sequence number after which a stream begins. The
// header wins: a browser that connects again sends it with the first URL.
func startingAfter(r *http.Request) (int64, error) {
	after := int64(-1) // numbers begin with 0
	for _, sent := range []struct{ name, number string }{
		{"starting_after", r.URL.Query().Get("starting_after")},
		{headerLastEventID, r.Header.Get(headerLastEventID)},
	} {
		if sent.number == "" {
			continue
		}
		n, err := strconv.ParseInt(sent.number, 10, 64)
		if err != nil || n < 0 || n > maxSequence {
			return 0, rota.InvalidField(sent.name, "must be the sequence number of an event, a whole number from 0")
		}
		after = n
	}
	return after, nil
}
