package sqlstore

import (
	"context"
	"encoding/json"

	"github.com/rota-run/rota"
)

const storedResponseColumns = `r.id, r.account, r.end_user, r.status, r.background, r.model, r.provider, r.previous_response_id, r.conversation_id,
	r.created_at, r.ended_at, r.request, r.object, r.shape, r.not_sent, r.usage, r.error,
	(SELECT '[' || string_agg(i.item, ',' ORDER BY i.position) || ']' FROM items i WHERE i.response_id = r.id AND i.output),
	(SELECT w.sleep FROM open_responses w WHERE w.response_id = r.id)`

func scanResponse(row Scanner) (rota.ResponseRecord, error) {
	var (
		r              rota.ResponseRecord
		created, ended msTime
	)
	err := row.Scan(&r.ID, &r.Owner.Account, &r.Owner.EndUser, &r.Status, &r.Background, &r.Model, &r.Provider, &r.Previous, &r.Conversation,
		&created, &ended, rawText{&r.Request}, rawText{&r.Object}, &r.Shape, jsonText{&r.NotSent}, rawText{&r.Usage.RawMessage}, jsonText{&r.Error},
		rawText{&r.Output}, jsonText{&r.Sleep})
	r.CreatedAt, r.EndedAt = created.instant(), ended.orNil()
	if r.Output == nil {
		r.Output = json.RawMessage("[]")
	}
	return r, err
}

// StoredResponse returns a response with its output. In a transaction it stays as it is until
// that ends.
func (q Queries) StoredResponse(ctx context.Context, o rota.Owner, id rota.ResponseID) (rota.ResponseRecord, error) {
	return one(ctx, q.db, "response", scanResponse, `SELECT `+storedResponseColumns+` FROM responses r
		WHERE r.id = ? AND r.account = ? AND r.end_user = ?`+q.lock("r"), id, o.Account, o.EndUser)
}

// ResponseStatus returns the state of a response.
func (q Queries) ResponseStatus(ctx context.Context, o rota.Owner, id rota.ResponseID) (rota.ResponseStatus, error) {
	s, err := one(ctx, q.db, "response", scanText, `SELECT r.status FROM responses r
		WHERE r.id = ? AND r.account = ? AND r.end_user = ?`, id, o.Account, o.EndUser)
	return rota.ResponseStatus(s), err
}

// Responses returns a page of the responses, with their outputs.
func (q Queries) Responses(ctx context.Context, o rota.Owner, p rota.Page) (rota.List[rota.ResponseRecord], error) {
	return listing[rota.ResponseRecord]{
		query: `SELECT ` + storedResponseColumns + ` FROM responses r WHERE r.account = ? AND r.end_user = ?`,
		key:   "r.id",
		args:  []any{o.Account, o.EndUser},
		scan:  scanResponse,
		id:    func(r rota.ResponseRecord) string { return string(r.ID) },
	}.page(ctx, q.db, p)
}

// ResponseInput returns a page of the items that went into a response. It does not look
// whose it is.
func (q Queries) ResponseInput(ctx context.Context, id rota.ResponseID, p rota.Page) (rota.List[rota.ItemRecord], error) {
	return q.items(ctx, `i.response_id = ? AND NOT i.output`, id, p)
}

// AddResponse adds a response that is under way, or waits for a process if the lease has
// no worker, with its input. It takes hold of its conversation.
func (q Queries) AddResponse(ctx context.Context, r rota.ResponseRecord, input []rota.ItemRecord, l rota.Lease) error {
	if r.Conversation != nil {
		if err := q.HoldConversation(ctx, r.Owner, *r.Conversation, string(r.ID)); err != nil {
			return err
		}
	}
	if err := q.write(ctx, `INSERT INTO responses (id, account, end_user, status, background, model, provider, previous_response_id,
		conversation_id, created_at, request, object) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.ID, r.Owner.Account, r.Owner.EndUser, r.Status, r.Background, r.Model, r.Provider, r.Previous, r.Conversation,
		r.CreatedAt.UnixMilli(), string(r.Request), string(r.Object)); err != nil {
		return err
	}
	if err := q.addItems(ctx, string(r.ID), 0, input); err != nil {
		return err
	}
	return q.write(ctx, `INSERT INTO open_responses (response_id, owner, background, worker, lease_until) VALUES (?, ?, ?, ?, ?)`,
		r.ID, ownerText(r.Owner), r.Background, orNull(&l.Worker), leaseMS(l))
}

func leaseMS(l rota.Lease) int64 {
	if l.Worker == "" {
		return 0
	}
	return l.Until.UnixMilli()
}

// AddSteps puts steps of a response on record.
func (q Queries) AddSteps(ctx context.Context, id rota.ResponseID, steps ...rota.ResponseStep) error {
	rows := make([][]any, len(steps))
	for i, s := range steps {
		rows[i] = []any{id, s.Number, s.Kind, s.At.UnixMilli(), js(s)}
	}
	return q.db.Write(ctx, Step{`INSERT INTO response_steps (response_id, number, kind, at, data) SELECT ?, ?, ?, ?, ?` + fromEach, rows})
}

// ResponseSteps returns the steps of a response, in order.
func (q Queries) ResponseSteps(ctx context.Context, id rota.ResponseID) ([]rota.ResponseStep, error) {
	return all(ctx, q.db, scanStep, `SELECT s.data, s.number, s.kind, s.at FROM response_steps s WHERE s.response_id = ? ORDER BY s.number`, id)
}

// EndResponse ends a response that has not ended, and lets go of its conversation, which
// gets its items if another response may go on from there; a run may wait for that. It reports false, and does
// nothing, if the response has ended or another worker has it.
func (q Queries) EndResponse(ctx context.Context, e rota.ResponseEnd) (bool, error) {
	query, args := `DELETE FROM open_responses WHERE response_id = ?`, []any{e.ID}
	if e.Worker != "" {
		query, args = query+` AND worker = ?`, append(args, e.Worker)
	}
	if n, err := q.exec(ctx, query, args...); err != nil || n == 0 {
		return false, err
	}
	var failure, notSent any
	if e.Error != nil {
		failure = js(e.Error)
	}
	if len(e.NotSent) > 0 {
		notSent = js(e.NotSent)
	}
	if err := q.write(ctx, `UPDATE responses SET status = ?, ended_at = ?, object = COALESCE(?, object), shape = ?, provider = COALESCE(?, provider),
		not_sent = ?, error = ?, usage = ?, input_tokens = ?, cached_tokens = ?, output_tokens = ?, reasoning_tokens = ?, total_tokens = ? WHERE id = ?`,
		append(append([]any{e.Status, e.At.UnixMilli(), rawOrNil(e.Object), e.Shape, orNull(&e.Provider), notSent, failure, textOrNil(e.Usage.RawMessage)},
			usageRow(e.Tokens)...), e.ID)...); err != nil {
		return false, err
	}
	if err := q.addItems(ctx, string(e.ID), int64(e.Inputs), e.Output); err != nil {
		return false, err
	}
	if err := q.AddSteps(ctx, e.ID, e.Steps...); err != nil {
		return false, err
	}
	if err := q.addApprovals(ctx, e.Approvals); err != nil {
		return false, err
	}
	return true, q.leaveConversation(ctx, e)
}

// leaveConversation lets go of the conversation of a response that has ended.
func (q Queries) leaveConversation(ctx context.Context, e rota.ResponseEnd) error {
	held, err := all(ctx, q.db, scanID[rota.ConversationID], `SELECT r.conversation_id FROM responses r WHERE r.id = ? AND r.conversation_id IS NOT NULL`, e.ID)
	if err != nil || len(held) == 0 {
		return err
	}
	log := ""
	if e.Status.Continues() {
		log = string(e.ID)
	}
	_, err = q.leave(ctx, held[0], string(e.ID), log, e.At)
	return err
}

// SaveResponseObject writes back the object of a response.
func (q Queries) SaveResponseObject(ctx context.Context, id rota.ResponseID, object json.RawMessage) error {
	return q.write(ctx, `UPDATE responses SET object = ? WHERE id = ?`, string(object), id)
}

// DeleteResponse deletes a response that has ended. Items that are in a conversation stay
// there, unless that is deleted.
func (q Queries) DeleteResponse(ctx context.Context, o rota.Owner, id rota.ResponseID) error {
	n, err := q.exec(ctx, `DELETE FROM responses WHERE id = ? AND account = ? AND end_user = ?`, id, o.Account, o.EndUser)
	if err := must("response", n, err); err != nil {
		return err
	}
	if err := q.write(ctx, `DELETE FROM response_steps WHERE response_id = ?`, id); err != nil {
		return err
	}
	if err := q.write(ctx, `DELETE FROM approvals WHERE response_id = ?`, id); err != nil {
		return err
	}
	return q.write(ctx, `DELETE FROM items WHERE response_id = ? AND (log = ?
		OR EXISTS (SELECT 1 FROM conversations c WHERE c.id = items.log AND c.deleted_at IS NOT NULL))`, id, id)
}

// ResponseWork returns a response that is to be worked on, whosever it is, and its input.
func (q Queries) ResponseWork(ctx context.Context, id rota.ResponseID) (rota.ResponseRecord, []rota.ItemRecord, error) {
	r, err := one(ctx, q.db, "response", scanResponse, `SELECT `+storedResponseColumns+` FROM responses r WHERE r.id = ?`, id)
	if err != nil {
		return r, nil, err
	}
	input, err := all(ctx, q.db, scanItem, `SELECT `+itemColumns+` FROM items i WHERE i.response_id = ? AND NOT i.output ORDER BY i.position`, id)
	return r, input, err
}

func scanID[ID ~string](row Scanner) (ID, error) {
	s, err := scanText(row)
	return ID(s), err
}

// BeginResponse says that a response is worked on.
func (q Queries) BeginResponse(ctx context.Context, id rota.ResponseID, provider string) error {
	return q.write(ctx, `UPDATE responses SET status = 'in_progress', provider = ? WHERE id = ? AND ended_at IS NULL`, provider, id)
}
