package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/rota-run/rota"
)

// A run that has not ended keeps its moving parts in open_runs.
const runColumns = `r.id, r.agent_id, r.agent_version, r.schedule_id, r.scheduled_for, r.trigger, r.input, r.conversation,
	r.previous_response_id, r.context_management, r.metadata, r.created_at, COALESCE(o.phase, r.phase), COALESCE(o.started_at, r.started_at),
	COALESCE(o.attempts, r.attempts), COALESCE(o.first_start - r.scheduled_for, r.lateness_ms),
	COALESCE(o.response_id, r.response_id), r.response, r.usage, r.error, r.completed_at`

const runTables = ` FROM runs r LEFT JOIN open_runs o ON o.run_id = r.id `

func runDest(r *rota.Run) ([]any, func()) {
	var schedule, response sql.NullString
	var scheduledFor, created, started, completed msTime
	r.Object = rota.ObjectRun
	return []any{
		&r.ID, &r.AgentID, &r.AgentVersion, &schedule, &scheduledFor, &r.Trigger,
		rawText{&r.Input.RawMessage},
		rawText{&r.Conversation.RawMessage},
		&r.PreviousResponseID,
		rawText{&r.ContextManagement.RawMessage},
		jsonText{&r.Metadata},
		&created, &r.Phase, &started,
		&r.Attempts, &r.LatenessMS, &response,
		rawText{&r.GatewayResponse.RawMessage},
		rawText{&r.Usage.RawMessage},
		jsonText{&r.Error},
		&completed,
	}, func() {
		r.ScheduleID, r.GatewayResponseID = ptr[rota.ScheduleID](schedule), ptr[string](response)
		r.ScheduledFor, r.CreatedAt = scheduledFor.orNil(), created.instant()
		r.StartedAt, r.CompletedAt = started.orNil(), completed.orNil()
		r.Status = r.Phase.Status()
	}
}

func scanRun(row Scanner) (rota.Run, error) {
	var r rota.Run
	dest, done := runDest(&r)
	err := row.Scan(dest...)
	done()
	return r, err
}

// Run returns a run. That of a deleted agent can still be read.
func (q Queries) Run(ctx context.Context, o rota.Owner, a rota.AgentID, id rota.RunID) (rota.Run, error) {
	return one(ctx, q.db, "run", scanRun, `SELECT `+runColumns+runTables+`
		WHERE r.id = ? AND r.agent_id = ? AND r.account = ? AND r.end_user = ?`, id, a, o.Account, o.EndUser)
}

// RunByID returns a run, whatever its agent.
func (q Queries) RunByID(ctx context.Context, o rota.Owner, id rota.RunID) (rota.Run, error) {
	return one(ctx, q.db, "run", scanRun, `SELECT `+runColumns+runTables+`
		WHERE r.id = ? AND r.account = ? AND r.end_user = ?`, id, o.Account, o.EndUser)
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
	if err := q.write(ctx, `INSERT INTO runs (id, account, end_user, agent_id, agent_version, trigger, input, conversation,
		previous_response_id, context_management, metadata, created_at, phase, attempts) VALUES (?, ?, ?, ?, (SELECT a.version FROM agents a WHERE a.id = ?), ?, ?, ?, ?, ?, ?, ?, 'queued', 0)`,
		r.ID, o.Account, o.EndUser, r.AgentID, r.AgentID, r.Trigger, rawOrNil(r.Input.RawMessage), rawOrNil(r.Conversation.RawMessage),
		r.PreviousResponseID, rawOrNil(r.ContextManagement.RawMessage), js(r.Metadata), r.CreatedAt.UnixMilli()); err != nil {
		return err
	}
	return q.write(ctx, enqueue, queueRow(r.ID, nil, provider, r.CreatedAt.UnixMilli())...)
}

// enqueue lets a run wait for a worker, as a queueRow.
const enqueue = `INSERT INTO open_runs (run_id, schedule_id, provider, phase, ready_at, attempts, failures)
	SELECT ?, ?, ?, 'queued', ?, 0, 0` + fromEach

func queueRow(id rota.RunID, schedule *rota.ScheduleID, provider string, readyMS int64) []any {
	return []any{id, orNull(schedule), provider, readyMS}
}

// endRun writes how a run ended into its row, with what open_runs knew of it.
func (q Queries) endRun(ctx context.Context, id rota.RunID, o openRun, r rota.Result) error {
	var failure any
	if r.Error != nil {
		failure = js(r.Error)
	}
	if r.ResponseID == "" {
		r.ResponseID = o.responseID.String
	}
	return q.write(ctx, `UPDATE runs SET phase = ?, started_at = ?, attempts = ?, lateness_ms = ? - scheduled_for,
		response_id = ?, response = ?, usage = ?, error = ?, completed_at = ? WHERE id = ?`,
		r.Phase, ms(o.startedAt.Time), o.attempts, ms(o.firstStart.Time), orNull(&r.ResponseID),
		textOrNil(r.Response.RawMessage), textOrNil(r.Usage.RawMessage), failure, r.CompletedAt.UnixMilli(), id)
}

// textOrNil is rawOrNil for JSON in which null means absent too.
func textOrNil(r json.RawMessage) any {
	if string(r) == "null" {
		return nil
	}
	return rawOrNil(r)
}
