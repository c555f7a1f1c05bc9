package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"

	"github.com/rota-run/rota"
)

// responseColumns leave out an answer of more than 1 MiB, and say how many bytes it
// has: neither database reads a text to tell its length.
const responseColumns = `CASE WHEN octet_length(r.response) > 1048576 THEN octet_length(r.response) ELSE 0 END,
	CASE WHEN octet_length(r.response) > 1048576 THEN NULL ELSE r.response END`

// A run that has not ended keeps its moving parts in open_runs.
const runColumns = `r.id, r.agent_id, r.end_user, r.agent_version, r.schedule_id, r.schedule_version, r.scheduled_for, r.trigger, r.input, r.conversation,
	r.previous_response_id, r.context_management, r.no_deltas, r.guest, r.metadata, r.created_at, COALESCE(o.phase, r.phase),
	COALESCE(o.first_start, r.started_at), COALESCE(o.attempts, r.attempts),
	COALESCE(o.first_start - r.scheduled_for, r.lateness_ms), COALESCE(o.response_id, r.response_id), ` + responseColumns + `, r.usage,
	r.input_tokens, r.cached_tokens, r.output_tokens, r.reasoning_tokens, r.total_tokens,
	r.error, r.completed_at, COALESCE(o.model, r.model), o.started_at, COALESCE(o.history, r.history), o.ready_at, o.sleep,
	r.acknowledged_at, r.acknowledged_by`

// workColumns leave out what had come of an answer, which no attempt needs.
var workColumns = strings.Replace(runColumns, responseColumns, "0, NULL", 1)

const runTables = ` FROM runs r LEFT JOIN open_runs o ON o.run_id = r.id `

func runDest(r *rota.Run) ([]any, func()) {
	var schedule, response, model sql.NullString
	var scheduledFor, created, started, completed, attempt, ready msTime
	var used usage
	var seen acknowledgement
	r.Object = rota.ObjectRun
	return []any{
		&r.ID, &r.AgentID,
		userText{&r.EndUser},
		&r.AgentVersion, &schedule, &r.ScheduleVersion, &scheduledFor, &r.Trigger,
		rawText{&r.Input.RawMessage},
		rawText{&r.Conversation.RawMessage},
		&r.PreviousResponseID,
		rawText{&r.ContextManagement.RawMessage},
		&r.NoDeltas, &r.Guest,
		jsonText{&r.Metadata},
		&created, &r.Phase, &started,
		&r.Attempt, &r.LatenessMS, &response,
		&r.Deferred,
		rawText{&r.GatewayResponse.RawMessage},
		rawText{&r.Usage.RawMessage},
		&used.input, &used.cached, &used.output, &used.reasoning, &used.total,
		jsonText{&r.Error},
		&completed, &model, &attempt,
		jsonText{&r.Attempts},
		&ready,
		jsonText{&r.Sleep},
		&seen.at, &seen.by,
	}, func() {
		r.Acknowledged = seen.orNil()
		r.ScheduleID, r.GatewayResponseID = ptr[rota.ScheduleID](schedule), ptr[string](response)
		r.ScheduledFor, r.CreatedAt = scheduledFor.orNil(), created.instant()
		r.StartedAt, r.CompletedAt = started.orNil(), completed.orNil()
		r.Status, r.Tokens = r.Phase.Status(), used.tokens()
		if r.Phase == rota.PhaseWaiting {
			r.ReadyAt = ready.orNil()
		}
		if r.Sleep != nil {
			r.GatewayResponseID = new(string(rota.ResponseOf(r.ID)))
		}
		*r = r.WithLastAttempt(model.String, attempt.Time)
	}
}

// usage is what a run used, as it is stored: all NULL if nothing is known.
type usage struct{ input, cached, output, reasoning, total sql.NullInt64 }

func (u usage) tokens() *rota.Tokens {
	if !u.total.Valid {
		return nil
	}
	return &rota.Tokens{Input: u.input.Int64, Cached: u.cached.Int64, Output: u.output.Int64, Reasoning: u.reasoning.Int64, Total: u.total.Int64}
}

// usageRow returns the tokens in the order of their columns.
func usageRow(t *rota.Tokens) []any {
	if t == nil {
		return []any{nil, nil, nil, nil, nil}
	}
	return []any{t.Input, t.Cached, t.Output, t.Reasoning, t.Total}
}

func scanRun(row Scanner) (rota.Run, error) {
	var r rota.Run
	dest, done := runDest(&r)
	err := row.Scan(dest...)
	done()
	return r, err
}

// selectWholeRun reads a run with what lists leave out.
const selectWholeRun = `SELECT ` + runColumns + `, r.request,
	(SELECT v.configuration FROM agent_versions v WHERE v.agent_id = r.agent_id AND v.version = r.agent_version)` + runTables

func scanWholeRun(row Scanner) (rota.Run, error) {
	var r rota.Run
	var agent rota.AgentConfig
	dest, done := runDest(&r)
	err := row.Scan(append(dest, jsonText{&r.Request}, jsonText{&agent})...)
	done()
	if r.Request != nil {
		*r.Request = r.Request.Whole(agent, r.Input)
	}
	return r, err
}

// Run returns a run. That of a deleted agent can still be read.
func (q Queries) Run(ctx context.Context, o rota.Owner, a rota.AgentID, id rota.RunID) (rota.Run, error) {
	return one(ctx, q.db, "run", scanWholeRun, selectWholeRun+`
		WHERE r.id = ? AND r.agent_id = ? AND r.account = ? AND r.end_user = ?`, id, a, o.Account, o.EndUser)
}

// RunByID returns a run, whatever its agent.
func (q Queries) RunByID(ctx context.Context, o rota.Owner, id rota.RunID) (rota.Run, error) {
	return one(ctx, q.db, "run", scanWholeRun, selectWholeRun+`
		WHERE r.id = ? AND r.account = ? AND r.end_user = ?`, id, o.Account, o.EndUser)
}

// Response returns what a run holds of an answer, however large.
func (q Queries) Response(ctx context.Context, o rota.Owner, id rota.RunID) (rota.Any, error) {
	return one(ctx, q.db, "run", func(row Scanner) (a rota.Any, err error) {
		err = row.Scan(rawText{&a.RawMessage})
		return a, err
	},
		`SELECT r.response FROM runs r WHERE r.id = ? AND r.account = ? AND r.end_user = ?`, id, o.Account, o.EndUser)
}

// Runs returns a page of an agent's runs, also of one that is deleted.
func (q Queries) Runs(ctx context.Context, o rota.Owner, a rota.AgentID, p rota.Page) (rota.List[rota.Run], error) {
	return listing[rota.Run]{
		query: `SELECT ` + runColumns + runTables + ` WHERE r.agent_id = ? AND r.account = ? AND r.end_user = ?`,
		key:   "r.id",
		args:  []any{a, o.Account, o.EndUser},
		scan:  scanRun,
		id:    func(r rota.Run) string { return string(r.ID) },
	}.page(ctx, q.db, p)
}

// AddRun stores a run of the current version of its agent, and queues it under
// the provider.
func (q Queries) AddRun(ctx context.Context, o rota.Owner, r rota.Run, provider string) error {
	q.pending.noteRun(o, r.AgentID, nil, r.ID)
	if err := q.write(ctx, `INSERT INTO runs (id, account, end_user, agent_id, agent_version, function_tools, trigger, input, conversation,
		previous_response_id, context_management, no_deltas, guest, metadata, created_at, phase, attempts)
		VALUES (?, ?, ?, ?, (SELECT a.version FROM agents a WHERE a.id = ?),
		(SELECT (`+functionsOf+`a.version) FROM agents a WHERE a.id = ?), ?, ?, ?, ?, ?, ?, (SELECT a.end_user <> ? FROM agents a WHERE a.id = ?), ?, ?, 'queued', 0)`,
		r.ID, o.Account, o.EndUser, r.AgentID, r.AgentID, r.AgentID, r.Trigger, rawOrNil(r.Input.RawMessage), rawOrNil(r.Conversation.RawMessage),
		r.PreviousResponseID, textOrNil(r.ContextManagement.RawMessage), r.NoDeltas, o.EndUser, r.AgentID, js(r.Metadata), r.CreatedAt.UnixMilli()); err != nil {
		return err
	}
	if err := q.noteGuest(ctx, o, r.AgentID); err != nil {
		return err
	}
	return q.write(ctx, enqueue, queueRow(r.ID, nil, o, provider, r.CreatedAt.UnixMilli())...)
}

// enqueue lets a run wait for a worker, as a queueRow.
const enqueue = `INSERT INTO open_runs (run_id, schedule_id, owner, provider, phase, ready_at, attempts, failures)
	SELECT ?, ?, ?, ?, 'queued', ?, 0, 0` + fromEach

func queueRow(id rota.RunID, schedule *rota.ScheduleID, o rota.Owner, provider string, readyMS int64) []any {
	return []any{id, orNull(schedule), ownerText(o), provider, readyMS}
}

// endRun writes how a run ended into its row, with what open_runs knew of it. Of
// a single attempt that brought an answer, the rest of the row says all.
func (q Queries) endRun(ctx context.Context, id rota.RunID, o openRun, r rota.Result) error {
	if r.ResponseID == "" {
		r.ResponseID = o.responseID.String
	}
	answered := r.Phase == rota.PhaseCompleted || r.Phase == rota.PhaseIncomplete
	var failure, code, history, request any
	if attempts := o.ended(r); len(attempts) > 1 || len(attempts) == 1 && !answered {
		history = js(attempts)
	}
	if r.Error != nil {
		failure, code = js(r.Error), r.Error.Code
	}
	if r.Request != nil {
		request = js(r.Request)
	}
	return q.write(ctx, `UPDATE runs SET phase = ?, started_at = ?, attempts = ?, lateness_ms = ? - scheduled_for,
		response_id = ?, response = COALESCE(?, response), usage = ?, error = ?, error_code = ?, completed_at = ?, model = ?, history = ?, request = ?,
		input_tokens = ?, cached_tokens = ?, output_tokens = ?, reasoning_tokens = ?, total_tokens = ? WHERE id = ?`,
		append(append([]any{
			r.Phase, ms(o.firstStart.Time), o.attempts, ms(o.firstStart.Time), orNull(&r.ResponseID),
			textOrNil(r.Response.RawMessage), textOrNil(r.Usage.RawMessage), failure, code, r.CompletedAt.UnixMilli(),
			o.model, history, request,
		}, usageRow(r.Tokens)...), id)...)
}

// textOrNil is rawOrNil for JSON in which null means absent too.
func textOrNil(r json.RawMessage) any {
	if string(r) == "null" {
		return nil
	}
	return rawOrNil(r)
}
