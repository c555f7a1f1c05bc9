package sqlstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rota-run/rota"
)

// selectWork reads what scanWork scans.
var selectWork = `SELECT ` + workColumns + `, r.account, r.end_user, o.provider, o.ready_at, o.failures,
	COALESCE(t.status, ''), t.policy, r.fire, COALESCE(s.name, ''), v.configuration, r.function_tools, a.deleted_at, a.end_user, a.visibility, o.steps
	FROM open_runs o JOIN runs r ON r.id = o.run_id JOIN agents a ON a.id = r.agent_id
	JOIN agent_versions v ON v.agent_id = r.agent_id AND v.version = r.agent_version
	LEFT JOIN timers t ON t.schedule_id = o.schedule_id LEFT JOIN schedules s ON s.id = o.schedule_id`

// ClaimAll starts every run that is ready, whatever its provider, the longest
// waiting first, if there are at most limit and fit says that all of them may
// start. Otherwise it starts none, and returns false.
func (q Queries) ClaimAll(ctx context.Context, now time.Time, limit int, fit func([]rota.Work) bool, may rota.MayStart) ([]rota.Work, bool, error) {
	work, err := all(ctx, q.db, scanWork, selectWork+`
		WHERE o.phase <> 'running' AND o.ready_at <= ?
		ORDER BY o.ready_at, o.run_id LIMIT ?`+q.lockAny("o, r"), now.UnixMilli(), limit+1)
	if err != nil || len(work) > limit || !fit(work) {
		return nil, false, err
	}
	return work, true, q.start(ctx, work, now, may)
}

// ClaimRuns starts runs that wait under a provider, in rounds: in each round one
// run of each owner, the longest waiting.
func (q Queries) ClaimRuns(ctx context.Context, now time.Time, c rota.Claim) ([]rota.Work, error) {
	if c.Limit <= 0 {
		return nil, nil
	}
	owners, err := q.waitingOwners(ctx, now, c)
	if err != nil {
		return nil, err
	}
	t := turns{Claim: c}
	for len(owners) > 0 && len(t.work) < c.Limit {
		left := c.Limit - len(t.work)
		each, turn := max(1, left/len(owners)), owners[:min(left, len(owners))]
		waiting, err := q.oldest(ctx, now, c.Provider, turn, each)
		if err != nil {
			return nil, err
		}
		before := len(t.work)
		owners = append(owners[len(turn):], t.take(waiting, turn, each)...)
		if err := q.start(ctx, t.work[before:], now, c.MayStart); err != nil {
			return nil, err
		}
	}
	return t.work, nil
}

// ownersLook bounds how many owners one claim looks at. Those that it leaves come
// first when the next claim goes on behind the last owner that had a turn.
const ownersLook = 1000

// waitingOwners returns the owners that have runs ready under the provider, in the
// order of their turns.
func (q Queries) waitingOwners(ctx context.Context, now time.Time, c rota.Claim) ([]rota.Owner, error) {
	return q.inTurn(ctx, c.After, c.May, `open_runs o WHERE o.phase <> 'running' AND`, `o.ready_at`, ` AND o.provider = ?`, c.Provider, now.UnixMilli())
}

// inTurn returns the owners of what is ready in a queue, in the order of their turns: the
// first is the one behind after. It looks for the next owner in the index as often as
// there are owners in the queue, however much these have there. If may is not nil, it
// says who may have a turn.
//
// The queue is a table, named o, with the beginning of a condition; ready its column of
// when a row is ready, and also a further condition on rows that may be. Its arguments
// are given, and now.
func (q Queries) inTurn(ctx context.Context, after rota.Owner, may func(rota.Owner) bool, queue, ready, also string, args ...any) ([]rota.Owner, error) {
	last := ownerText(after)
	found, err := all(ctx, q.db, scanRanked, `WITH RECURSIVE ring (owner, lap, place) AS (
		SELECT CAST(? AS TEXT)`+q.ifShared(` COLLATE "C"`)+`, 0, 0
		UNION ALL
		SELECT COALESCE((SELECT MIN(o.owner) FROM `+queue+` o.owner > r.owner), ''),
			CASE r.owner WHEN '' THEN 1 ELSE r.lap END, r.place + 1
		FROM ring r WHERE r.place < ? AND (r.lap = 0 OR r.owner <> '' AND r.owner <= ?)
	) SELECT r.place, r.owner FROM ring r WHERE r.place > 0 AND r.owner <> '' AND (r.lap = 0 OR r.owner <= ?)
		AND (SELECT MIN(`+ready+`) FROM `+queue+` o.owner = r.owner`+also+`) <= ?`,
		append([]any{last, ownersLook, last, last}, args...)...)
	slices.SortFunc(found, func(a, b ranked) int { return a.place - b.place })
	owners := make([]rota.Owner, 0, len(found))
	for _, r := range found {
		if may == nil || may(r.owner) {
			owners = append(owners, r.owner)
		}
	}
	return owners, err
}

// A ranked owner has a place in a round.
type ranked struct {
	place int
	owner rota.Owner
}

func scanRanked(row Scanner) (ranked, error) {
	var r ranked
	err := row.Scan(&r.place, ownerColumn{&r.owner})
	return r, err
}

// oldest returns the longest waiting runs of each owner under a provider.
func (q Queries) oldest(ctx context.Context, now time.Time, provider string, owners []rota.Owner, each int) (map[rota.Owner][]rota.Work, error) {
	work, err := all(ctx, q.db, scanWork, selectWork+` WHERE o.run_id IN `+q.ofEach("open_runs", "run_id", `(SELECT y.run_id FROM open_runs y
		WHERE y.owner = given.value AND y.provider = ? AND y.phase <> 'running' AND y.ready_at <= ? ORDER BY y.ready_at, y.run_id LIMIT ?`+q.lockAny("y")+`)`)+`
		AND o.phase <> 'running'`+q.lockAny("o, r"), ownerTexts(owners), provider, now.UnixMilli(), each)
	slices.SortFunc(work, func(a, b rota.Work) int {
		return cmp.Or(a.ReadyAt.Compare(b.ReadyAt), strings.Compare(string(a.Run.ID), string(b.Run.ID)))
	})
	waiting := make(map[rota.Owner][]rota.Work)
	for _, w := range work {
		waiting[w.Owner] = append(waiting[w.Owner], w)
	}
	return waiting, err
}

// ofEach returns a subquery for the ids that another one finds in a table for each
// element of a JSON array, the first argument, which it knows as given.value.
func (q Queries) ofEach(table, id, ofOne string) string {
	if q.shared {
		return `(SELECT x.` + id + ` FROM ` + q.list("given") + ` CROSS JOIN LATERAL ` + ofOne + ` x)`
	}
	return `(SELECT x.` + id + ` FROM ` + q.list("given") + ` JOIN ` + table + ` x ON x.` + id + ` IN ` + ofOne + `)`
}

// list returns a relation with a row for each element of a JSON array, an
// argument. Its column is named value.
func (q Queries) list(name string) string {
	if q.shared {
		return `json_array_elements_text(CAST(? AS json)) ` + name + ` (value)`
	}
	return `json_each(?) ` + name
}

// turns are those that a claim has given.
type turns struct {
	rota.Claim
	work []rota.Work
}

// take takes runs in rounds, and returns the owners that may have more: as many of
// theirs were waiting as were asked for, and all were taken.
func (t *turns) take(waiting map[rota.Owner][]rota.Work, owners []rota.Owner, each int) (more []rota.Owner) {
	for round := range each {
		more = nil
		for _, o := range owners {
			if round == len(waiting[o]) || t.May != nil && !t.May(o) {
				continue
			}
			t.work, more = append(t.work, waiting[o][round]), append(more, o)
			if t.Took != nil {
				t.Took(o)
			}
		}
		owners = more
	}
	return more
}

// ownerText returns an owner as open_runs has it. No account has a slash.
func ownerText(o rota.Owner) string { return o.Account + "/" + o.EndUser }

// ownerTexts returns them as a JSON array.
func ownerTexts(owners []rota.Owner) string {
	texts := make([]string, len(owners))
	for i, o := range owners {
		texts[i] = ownerText(o)
	}
	return js(texts)
}

// An ownerColumn scans that.
type ownerColumn struct{ dst *rota.Owner }

func (o ownerColumn) Scan(v any) error {
	text, ok := v.(string)
	if !ok {
		return fmt.Errorf("an owner is stored as %T", v)
	}
	o.dst.Account, o.dst.EndUser, _ = strings.Cut(text, "/")
	return nil
}

// start lets runs begin that may, and whose conversations are free. Those that may not
// are blocked, and finished in the same transaction.
func (q Queries) start(ctx context.Context, work []rota.Work, now time.Time, may rota.MayStart) error {
	var begun, nextSync [][]any
	for i := range work {
		if may != nil {
			work[i].Blocked = may(work[i])
		}
		if work[i].Blocked != nil {
			continue
		}
		if err := q.join(ctx, &work[i], now); err != nil {
			return err
		}
		if work[i].InLine {
			continue
		}
		r := &work[i].Run
		if r.Attempt > 0 {
			nextSync = append(nextSync, []any{js(r.Attempts), r.ID}) // a crash may have cut the last one off
		}
		r.Attempt++
		r.Phase, r.Status, work[i].StartedAt = rota.PhaseRunning, rota.RunSubmitting, now
		r.Error, r.ReadyAt, r.Sleep = nil, nil, nil
		if r.StartedAt == nil {
			r.StartedAt = rota.InstantOrNil(now)
		}
		if r.LatenessMS == nil && r.ScheduledFor != nil {
			late := now.Sub(r.ScheduledFor.Time).Milliseconds()
			r.LatenessMS = &late
		}
		q.pending.noteRun(work[i].Owner, r.AgentID, r.ScheduleID, r.ID)
		begun = append(begun, []any{now.UnixMilli(), now.UnixMilli(), r.Attempt, work[i].Model(), r.ID})
	}
	return q.db.Write(ctx,
		Step{`UPDATE open_runs SET history = ?` + fromEach + `WHERE run_id = ?`, nextSync},
		Step{`UPDATE open_runs SET phase = 'running', started_at = ?, first_start = COALESCE(first_start, ?),
			attempts = ?, model = ?, sleep = NULL` + fromEach + `WHERE run_id = ?`, begun})
}

func scanWork(row Scanner) (rota.Work, error) {
	w := rota.Work{Policy: rota.DefaultPolicy(), Fire: rota.FireContext{Timezone: "UTC"}}
	run, runDone := runDest(&w.Run)
	var ready, deleted msTime // the run, the agent
	var visibility rota.Visibility
	dest := append(run, &w.Owner.Account, &w.Owner.EndUser, &w.Provider, &ready, &w.Failures, &w.Schedule, policyText{&w.Policy},
		jsonText{&w.Fire}, &w.Fire.ScheduleName, jsonText{&w.Agent}, jsonText{&w.Functions}, &deleted, &w.AgentOwner.EndUser, &visibility, &w.Steps)
	err := row.Scan(dest...)
	runDone()
	w.ReadyAt = ready.Time
	w.Fire.ScheduledFor, w.Fire.EndUser = w.Run.CreatedAt, w.Owner.EndUser
	if w.Run.ScheduledFor != nil {
		w.Fire.ScheduledFor = *w.Run.ScheduledFor
	}
	if w.Run.GatewayResponseID != nil {
		w.ResponseID = *w.Run.GatewayResponseID
	}
	if n := len(w.Run.Attempts); w.Run.Phase == rota.PhaseRunning && n > 0 {
		w.StartedAt, w.Run.Attempts = w.Run.Attempts[n-1].StartedAt.Time, w.Run.Attempts[:n-1]
	}
	w.AgentDeleted, w.AgentOwner.Account = !deleted.IsZero(), w.Owner.Account
	w.AgentUnshared = w.AgentOwner != w.Owner && visibility != rota.Workspace
	return w.Light(), err
}
