package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/control"
)

// What an account sees across agents, schedules and end users.
func (a *api) accountOperations() []*operation {
	return slices.Concat([]*operation{
		lists(Route{http.MethodGet, "/api/v1/runs", rota.ReadAgents, http.StatusOK, "list_runs"}, a.listAllRuns).
			says("Runs", "List the runs of all agents", "Newest first, whatever started them. With the scope read:account, end_user names one end user, or everybody. "+looksOn).
			with("end_user_filter", "agent_filter", "schedule_filter", "phase", "error_code", "run_trigger", "created_from", "created_to", "with_count", "metadata_filter", "run_search", "unseen_runs", "ended_by"),
		lists(Route{http.MethodGet, "/api/v1/occurrences", rota.ReadAgents, http.StatusOK, "list_occurrences"}, a.listAllOccurrences).
			says("Occurrences", "List what became of the times of all schedules", "In the order of the nominal times. What a pause that has not ended keeps from starting is in the list of its schedule alone. With the scope read:account, end_user names one end user, or everybody. "+looksOn).
			with("end_user_filter", "agent_filter", "schedule_filter", "outcome", "trigger", "from", "to", "with_count", "phase", "error_code", "occurrence_search", "reason_filter", "unseen_occurrences", "recorded_by").byTime(),
		lists(Route{http.MethodGet, "/api/v1/approvals", rota.ReadAgents, http.StatusOK, "list_approvals"}, a.listApprovals).
			says("Runs", "List the calls that need an approval", "Calls of tools that are made only if somebody approves them, newest first, with who decided, when and why. Decide one of a run with the approvals of its run. With the scope read:account, end_user names one end user, or everybody.").
			with("end_user_filter", "agent_filter", "schedule_filter", "run_filter", "approvals_status"),
		answers(Route{http.MethodGet, "/api/v1/approvals/{approval_id}", rota.ReadAgents, http.StatusOK, "get_approval"}, a.getApproval).
			says("Runs", "Get a call that needs an approval", "With who decided, when and why, and the run or response that went on."),
		answers(Route{http.MethodGet, "/api/v1/summary", rota.ReadAgents, http.StatusOK, "get_summary"}, a.summary).
			says("Occurrences", "Count what happened", "What became of nominal times, how runs ended and why, the tokens that they used, and how late occurrences fired, in buckets of whole hours. Without parameters, the hours of the last day. What has been deleted since stays counted. With the scope read:account, end_user names one end user, or everybody.").
			with("end_user_filter", "summary_from", "summary_to", "hours"),
		a.lanesOperation(),
		a.changesOperation(),
		a.endUserOperation(),
		answers(Route{http.MethodDelete, endUserPath, rota.WriteAccount, http.StatusOK, "delete_end_user"}, a.deleteEndUser).
			says("Accounts", "Delete an end user with all that is theirs", "Agents, versions, schedules, occurrences, runs, function tools, and the keys that act for this end user alone. Runs that have not ended are cancelled first. It may take long, and goes on if the client hangs up or the server stops. The answer counts what went; nothing of it comes back."),
		a.exportOperation(),
		answers(Route{http.MethodGet, "/api/v1/account/retention", rota.ReadAccount, http.StatusOK, "get_retention"}, a.getRetention).
			says("Accounts", "Get how long the account keeps what has ended", "Runs and occurrences that are older are deleted in the background."),
		accepts(Route{http.MethodPut, "/api/v1/account/retention", rota.WriteAccount, http.StatusOK, "put_retention"}, a.putRetention).
			says("Accounts", "Set how long the account keeps what has ended", "What is older is deleted in the background, within minutes, and does not come back. Runs that have not ended stay, and so do occurrences that wait. No nominal time runs again because its record is gone.").
			like(`{"runs_seconds": 2592000, "occurrences_seconds": 7776000}`).with("idempotency_key"),
	}, a.limitOperations(), a.acknowledgeOperations())
}

// looksOn says what a page is that has not found enough.
const looksOn = "A page may have few rows, or none, while has_more is true: after last_id the list goes on to look."

// endUserOperation lists by name, and its cursors are names.
func (a *api) endUserOperation() *operation {
	op := lists(Route{http.MethodGet, "/api/v1/end-users", rota.ReadAccount, http.StatusOK, "list_end_users"}, a.listEndUsers).
		says("Accounts", "List the end users", "Those for whom the account has an agent, by name, with counts of what they have.")
	op.params = nil
	op.cursor = func(name string) error { return auth.CheckEndUser("after", name) }
	return op.with("limit", "order_by_name", "after_name", "before_name")
}

var (
	phases = []string{
		string(rota.PhaseQueued), string(rota.PhaseRunning), string(rota.PhaseWaiting), string(rota.PhaseCompleted),
		string(rota.PhaseFailed), string(rota.PhaseCancelled), string(rota.PhaseIncomplete),
	}
	triggers    = []string{string(rota.TriggerSchedule), string(rota.TriggerManual), string(rota.TriggerBackfill)}
	runTriggers = append([]string{string(rota.TriggerAPI)}, triggers...)
)

func (a *api) summary(ctx context.Context, c call) (rota.Summary, error) {
	q := c.URL.Query()
	from, to, err := between(q)
	if err != nil {
		return rota.Summary{}, err
	}
	bucket, err := numberParam(q, "bucket", 3600, 604_800, 3600)
	if err != nil {
		return rota.Summary{}, err
	}
	user, err := endUserParam(q)
	if err != nil {
		return rota.Summary{}, err
	}
	return a.Control.Summary(ctx, c.who, user, from, to, time.Duration(bucket)*time.Second)
}

func (a *api) listAllRuns(ctx context.Context, c call, p rota.Page) (rota.List[rota.Run], error) {
	q := c.URL.Query()
	f, err := runFilter(q)
	if err != nil {
		return rota.List[rota.Run]{}, err
	}
	user, err := endUserParam(q)
	if err != nil {
		return rota.List[rota.Run]{}, err
	}
	l, err := a.Control.AllRuns(ctx, c.who, user, f, p)
	return a.wholeRuns(ctx, c, l, err)
}

var approvalStatuses = []string{string(rota.ApprovalPending), string(rota.ApprovalApproved), string(rota.ApprovalDenied), string(rota.ApprovalExpired)}

func (a *api) getApproval(ctx context.Context, c call) (rota.Approval, error) {
	return a.Control.Approval(ctx, c.who, c.PathValue("approval_id"))
}

func (a *api) listApprovals(ctx context.Context, c call, p rota.Page) (rota.List[rota.Approval], error) {
	q := c.URL.Query()
	status, err := wordParam(q, "status", approvalStatuses)
	if err != nil {
		return rota.List[rota.Approval]{}, err
	}
	user, err := endUserParam(q)
	if err != nil {
		return rota.List[rota.Approval]{}, err
	}
	f := rota.ApprovalFilter{
		AgentID: rota.AgentID(q.Get("agent_id")), ScheduleID: rota.ScheduleID(q.Get("schedule_id")), RunID: rota.RunID(q.Get("run_id")), Status: rota.ApprovalStatus(status),
	}
	return a.Control.Approvals(ctx, c.who, user, f, p)
}

func runFilter(q url.Values) (rota.RunFilter, error) {
	f := rota.RunFilter{AgentID: rota.AgentID(q.Get("agent_id")), ScheduleID: rota.ScheduleID(q.Get("schedule_id")), ErrorCode: q.Get("error_code")}
	phase, err := wordParam(q, "phase", phases)
	if err != nil {
		return f, err
	}
	trigger, err := wordParam(q, "trigger", runTriggers)
	if err != nil {
		return f, err
	}
	f.Phase, f.Trigger = rota.Phase(phase), rota.Trigger(trigger)
	if f.From, f.To, err = between(q); err != nil {
		return f, err
	}
	if f.Metadata, err = metadataParam(q); err != nil {
		return f, err
	}
	if f.Q, err = textParam(q, "q", maxSearch); err != nil {
		return f, err
	}
	f.Unseen, f.AsOf, err = unseen(q)
	return f, err
}

func (a *api) listAllOccurrences(ctx context.Context, c call, p rota.Page) (rota.List[rota.Occurrence], error) {
	q := c.URL.Query()
	f, err := occurrenceFilter(q)
	if err != nil {
		return rota.List[rota.Occurrence]{}, err
	}
	trigger, err := wordParam(q, "trigger", triggers)
	if err != nil {
		return rota.List[rota.Occurrence]{}, err
	}
	user, err := endUserParam(q)
	if err != nil {
		return rota.List[rota.Occurrence]{}, err
	}
	phase, err := wordParam(q, "phase", phases)
	if err != nil {
		return rota.List[rota.Occurrence]{}, err
	}
	if f.Q, err = textParam(q, "q", maxSearch); err != nil {
		return rota.List[rota.Occurrence]{}, err
	}
	if f.Reason, err = textParam(q, "reason", 64); err != nil {
		return rota.List[rota.Occurrence]{}, err
	}
	if f.Unseen, f.AsOf, err = unseen(q); err != nil {
		return rota.List[rota.Occurrence]{}, err
	}
	f.AgentID, f.ScheduleID, f.Trigger = rota.AgentID(q.Get("agent_id")), rota.ScheduleID(q.Get("schedule_id")), rota.Trigger(trigger)
	f.Phase, f.ErrorCode = rota.Phase(phase), q.Get("error_code")
	p.Bytes = 0 // they are small
	return a.Control.AllOccurrences(ctx, c.who, user, f, p)
}

// endUserParam reads whose things a list is about. An empty value is a mistake that
// would show other things than those that were meant.
func endUserParam(q url.Values) (string, error) {
	user := q.Get("end_user")
	if q.Has("end_user") && user == "" {
		return "", rota.InvalidField("end_user", "must be the name of an end user or *, or be left out")
	}
	return user, nil
}

func (a *api) listEndUsers(ctx context.Context, c call, p rota.Page) (rota.List[rota.EndUser], error) {
	p.Ascending = c.URL.Query().Get("order") != "desc"
	p.Bytes = 0 // they are small
	return a.Control.EndUsers(ctx, c.who, p)
}

func (a *api) getRetention(ctx context.Context, c call) (rota.Retention, error) {
	return a.Control.Retention(ctx, c.who)
}

func (a *api) putRetention(ctx context.Context, c call, in rota.RetentionPut) (rota.Retention, error) {
	return a.Control.PutRetention(ctx, c.who, in, c.write)
}

const endUserPath = "/api/v1/end-users/{end_user_id}"

func (a *api) exportOperation() *operation {
	op := answers(Route{http.MethodGet, endUserPath + "/export", rota.ReadAccount, http.StatusOK, "export_end_user"}, a.exportEndUser).
		says("Accounts", "Export what an end user has", "A JSON object on each line, as the API answers them: agents with their versions and runs, function tools, schedules with their occurrences, responses with their input, conversations with their items, and keys without secrets. The first line has object end_user.export, the last end_user.export.end: without it, the export is not whole.")
	op.output, op.lines = nil, true
	return op
}

func (a *api) deleteEndUser(ctx context.Context, c call) (rota.Erasure, error) {
	return a.Control.DeleteEndUser(ctx, c.who, c.PathValue("end_user_id"))
}

func (a *api) exportEndUser(ctx context.Context, c call) (lines, error) {
	room := func(ctx context.Context, bytes int) error {
		c.memory.Release()
		return hold(ctx, c.memory, partCost*int64(control.ExportPage+bytes))
	}
	if err := room(ctx, 0); err != nil {
		return nil, err
	}
	return func(ctx context.Context, emit func(any) error) error {
		return a.Control.ExportEndUser(ctx, c.who, c.PathValue("end_user_id"), room, func(v any) error {
			if c, ok := v.(rota.ConversationRecord); ok {
				v = shownConversation(c)
			}
			return emit(v)
		})
	}, nil
}
