package sqlstore

import (
	"context"
	"strings"

	"github.com/rota-run/rota"
)

const (
	// rowBytes is what a row counts beside its text: its numbers and its indexes.
	rowBytes = 500

	// countAtOnce is how many rows of a kind that has many are counted in one query.
	countAtOnce = 20_000
)

// bytesOf returns the sum of the lengths of columns, in bytes.
func bytesOf(columns ...string) string {
	var b strings.Builder
	for _, c := range columns {
		b.WriteString("COALESCE(octet_length(" + c + "), 0) + ")
	}
	return b.String() + "?"
}

// storedKinds are the queries of what is counted, in their order. Those from
// kindOccurrences on have a part for each call: what they count is named by what follows
// a place.
func storedKinds() []string {
	return []string{
		`SELECT a.end_user, CAST(SUM(` + bytesOf("a.name", "a.description", "a.instructions", "a.tools", "a.tool_choice", "a.text", "a.reasoning", "a.metadata") + `) AS BIGINT), ''
			FROM agents a WHERE a.account = ? GROUP BY a.end_user`,
		`SELECT a.end_user, CAST(SUM(` + bytesOf("v.configuration") + `) AS BIGINT), ''
			FROM agents a JOIN agent_versions v ON v.agent_id = a.id WHERE a.account = ? GROUP BY a.end_user`,
		`SELECT f.end_user, CAST(SUM(` + bytesOf("f.definition") + `) AS BIGINT), ''
			FROM function_tools f WHERE f.account = ? GROUP BY f.end_user`,
		`SELECT s.end_user, CAST(SUM(` + bytesOf("s.configuration") + `) AS BIGINT), ''
			FROM mcp_servers s WHERE s.account = ? GROUP BY s.end_user`,
		`SELECT c.end_user, CAST(SUM(` + bytesOf("c.name", "c.header_names", "c.sealed") + `) AS BIGINT), ''
			FROM mcp_credentials c WHERE c.account = ? GROUP BY c.end_user`,
		`SELECT m.end_user, CAST(SUM(` + bytesOf("m.configuration") + `) AS BIGINT), ''
			FROM memory_stores m WHERE m.account = ? GROUP BY m.end_user`,
		`SELECT n.end_user, CAST(SUM(` + bytesOf("n.path", "n.content", "n.metadata") + `) AS BIGINT), ''
			FROM memory_entries n WHERE n.account = ? GROUP BY n.end_user`,
		`SELECT s.end_user, CAST(SUM(` + bytesOf("s.name", "s.description", "s.input", "s.conversation", "s.context_management", "s.metadata") + `) AS BIGINT), ''
			FROM schedules s WHERE s.account = ? GROUP BY s.end_user`,
		`SELECT s.end_user, CAST(SUM(` + bytesOf("v.configuration") + `) AS BIGINT), ''
			FROM schedules s JOIN schedule_versions v ON v.schedule_id = s.id WHERE s.account = ? GROUP BY s.end_user`,
		part(`SELECT o.end_user, o.outcome || '/' || o.id AS place, ` + bytesOf("o.reason") + ` AS bytes FROM occurrences o
			WHERE o.account = ? AND o.outcome <> 'fired' AND (o.outcome, o.id) > (?, ?) ORDER BY o.outcome, o.id LIMIT ?`),
		part(`SELECT r.end_user, r.id AS place, ` + bytesOf("r.input", "r.conversation", "r.context_management", "r.metadata", "r.function_tools", "r.response", "r.usage", "r.error", "r.history", "r.request") + ` AS bytes FROM runs r
			WHERE r.account = ? AND r.id > ? ORDER BY r.id LIMIT ?`),
		part(`SELECT r.end_user, r.id AS place, ` + itemBytes("r.id") + ` + (SELECT COALESCE(SUM(octet_length(x.data)), 0) FROM response_steps x WHERE x.response_id = r.id) + ` +
			bytesOf("r.request", "r.object", "r.shape", "r.usage", "r.error") + ` AS bytes FROM responses r WHERE r.account = ? AND r.id > ? ORDER BY r.id LIMIT ?`),
		part(`SELECT c.end_user, c.id AS place, ` + itemBytes("c.id") + ` + ` + bytesOf("c.metadata") + ` AS bytes FROM conversations c
			WHERE c.account = ? AND c.id > ? ORDER BY c.id LIMIT ?`),
	}
}

const kindOccurrences = 9

// itemBytes returns the sum of the lengths of the items in a log: each is in one.
func itemBytes(log string) string {
	return `(SELECT COALESCE(SUM(octet_length(i.item)), 0) FROM items i WHERE i.log = ` + log + `)`
}

// part sums what a query finds, by end user.
func part(query string) string {
	return `SELECT p.end_user, CAST(SUM(p.bytes) AS BIGINT), MAX(p.place) FROM (` + query + `) p GROUP BY p.end_user`
}

// StoredBytes counts what an account has stored: a part of it, from a place on. It
// returns the place of the next part, or the zero value after the last.
func (q Queries) StoredBytes(ctx context.Context, account string, from rota.StoredPlace) ([]rota.StoredBytes, rota.StoredPlace, error) {
	kinds := storedKinds()
	args := []any{rowBytes, account}
	switch {
	case from.Kind == kindOccurrences:
		outcome, id, _ := strings.Cut(from.After, "/")
		args = append(args, outcome, id, countAtOnce)
	case from.Kind > kindOccurrences:
		args = append(args, from.After, countAtOnce)
	}
	next := rota.StoredPlace{Kind: from.Kind}
	rows, err := all(ctx, q.db, func(row Scanner) (rota.StoredBytes, error) {
		var b rota.StoredBytes
		var place string
		err := row.Scan(&b.EndUser, &b.Bytes, &place)
		next.After = max(next.After, place)
		return b, err
	}, kinds[from.Kind], args...)
	if next.After == "" {
		next.Kind++
	}
	if next.Kind == len(kinds) {
		next = rota.StoredPlace{}
	}
	return rows, next, err
}
