package sqlstore

import (
	"context"
	"fmt"
	"time"

	"github.com/rota-run/rota"
)

// Lists across agents and schedules begin at whatever leads to the fewest rows:
// a schedule, an agent, what few runs have in common, an end user's agents, or
// the account. Only the account has indexes in the order of time, because they
// grow at their end, which is cheap for what fires.

// elsewhere is a condition on the account of rows for which the planner must not
// take the index of the account: another one leads to fewer.
const elsewhere = `COALESCE(%s.account, '') = ?`

// owned lets the rows of owners pass. indexed says that they are found by account.
func (l *listing[T]) owned(table string, o rota.Owners, indexed bool) {
	if indexed {
		l.where(` AND `+table+`.account = ?`, o.Account)
	} else {
		l.where(` AND `+fmt.Sprintf(elsewhere, table), o.Account)
	}
	if !o.All {
		l.where(` AND `+table+`.end_user = ?`, o.EndUser)
	}
}

// AllRuns returns a page of the runs of owners, whatever their agent.
func (q Queries) AllRuns(ctx context.Context, o rota.Owners, f rota.RunFilter, p rota.Page) (rota.List[rota.Run], error) {
	l := runListing(o, f)
	const near = time.Second // the time in an identifier may be later than created_at
	if !f.From.IsZero() {
		l.where(` AND r.id >= ? AND r.created_at >= ?`, "arun_"+idAt(f.From.Add(-near)), f.From.UnixMilli())
	}
	if !f.To.IsZero() {
		l.where(` AND r.id < ? AND r.created_at <= ?`, "arun_"+idAt(f.To.Add(near)), f.To.UnixMilli())
	}
	if n := q.narrowRuns(f); n.asked {
		l.look("runs r", "r.id", maxLongLook)
		l.where(n.text, n.args...)
	}
	return l.page(ctx, q.db, p)
}

// runListing is the list of AllRuns without bounds in time, and without the conditions that no
// index answers.
func runListing(o rota.Owners, f rota.RunFilter) listing[rota.Run] {
	l := listing[rota.Run]{
		query: `SELECT ` + runColumns + runTables + ` WHERE true`,
		key:   "r.id",
		scan:  scanRun,
		id:    func(r rota.Run) string { return string(r.ID) },
	}
	indexed := false
	switch {
	case f.Guest:
		l.where(` AND r.guest AND (CAST(? AS TEXT) = '' OR r.agent_id = ?)`, f.AgentID, f.AgentID)
		indexed = true
	case f.AgentID != "":
		l.where(` AND r.agent_id = ?`, f.AgentID)
	case f.ScheduleID != "":
		l.where(` AND r.agent_id = (SELECT s.agent_id FROM schedules s WHERE s.id = ?)`, f.ScheduleID)
	case !o.All && o.EndUser != "":
		l.where(` AND r.id IN (SELECT x.id FROM agents a CROSS JOIN runs x WHERE x.agent_id = a.id AND a.account = ? AND a.end_user = ?
			UNION ALL SELECT y.id FROM runs y WHERE y.account = ? AND y.end_user = ? AND y.guest)`, o.Account, o.EndUser, o.Account, o.EndUser)
	default:
		indexed = true
	}
	l.owned("r", o, indexed)
	if f.ScheduleID != "" {
		l.where(` AND r.schedule_id = ?`, f.ScheduleID)
	}
	l.inPhase(f.Phase)
	l.triggered("r", f.Trigger)
	if f.ErrorCode != "" {
		l.where(` AND r.error_code = ?`, f.ErrorCode)
	}
	return l
}

// narrowRuns returns the conditions of a filter that no index answers.
func (q Queries) narrowRuns(f rota.RunFilter) narrowing {
	var n narrowing
	n.is("r.phase", only(f.Phase, rota.PhaseCompleted))
	n.is("r.trigger", only(f.Trigger, rota.TriggerSchedule))
	q.has(&n, "r.metadata", f.Metadata)
	q.contains(&n, f.Q, "r.input", "COALESCE(r.error, '')")
	n.holds(f.Unseen, unseenRun)
	n.until("r.completed_at", f.AsOf)
	return n
}

// only is a value if it is the one that most rows have.
func only[T ~string](value, most T) string {
	if value == most {
		return string(value)
	}
	return ""
}

// inPhase lets runs in a phase pass. The first terms let the planner use the rows
// that are open, or the partial index runs_unusual.
func (l *listing[T]) inPhase(phase rota.Phase) {
	switch phase {
	case "", rota.PhaseCompleted: // see narrowRuns
	case rota.PhaseQueued, rota.PhaseRunning, rota.PhaseWaiting:
		l.where(` AND r.id IN (SELECT w.run_id FROM open_runs w WHERE w.phase = ?)`, phase)
	default:
		l.where(` AND r.phase <> 'queued' AND r.phase <> 'completed' AND r.phase = ?`, phase)
	}
}

// triggered lets rows with a trigger pass. Few are not those of a schedule's times.
func (l *listing[T]) triggered(table string, t rota.Trigger) {
	switch t {
	case "", rota.TriggerSchedule: // see narrowRuns and narrowOccurrences
	default:
		l.where(` AND `+table+`.trigger <> 'schedule' AND `+table+`.trigger = ?`, t)
	}
}

// AllOccurrences returns a page of what became of the nominal times of owners'
// schedules, in the order of time. The bounds of the filter are those of the time
// at which a row begins: see [Queries.SpansAcross].
func (q Queries) AllOccurrences(ctx context.Context, o rota.Owners, f rota.OccurrenceFilter, p rota.Page) (rota.List[rota.Occurrence], error) {
	l := occurrenceListing(o, f)
	if !f.From.IsZero() {
		l.where(` AND o.id >= ? AND o.scheduled_for >= ?`, "occ_"+idAt(f.From), f.From.UnixMilli())
	}
	if !f.To.IsZero() {
		l.where(` AND o.id < ? AND o.scheduled_for <= ?`, "occ_"+idAt(f.To.Add(time.Millisecond)), f.To.UnixMilli())
	}
	q.narrowOccurrences(&l, f)
	return l.page(ctx, q.db, p)
}

// narrowOccurrences adds the conditions of a filter that no index answers.
func (q Queries) narrowOccurrences(l *listing[rota.Occurrence], f rota.OccurrenceFilter) {
	var n narrowing
	n.is("o.outcome", only(f.Outcome, rota.Fired))
	n.is("o.trigger", only(f.Trigger, rota.TriggerSchedule))
	n.is("COALESCE(w.phase, r.phase)", string(f.Phase))
	n.is("r.error_code", f.ErrorCode)
	n.is(q.member("o.reason", "code"), f.Reason)
	n.holds(f.Unseen, unseenOccurrence)
	n.until("o.recorded_at", f.AsOf)
	q.contains(&n, f.Q, "COALESCE(o.reason, '')", "COALESCE((SELECT s.name FROM schedules s WHERE s.id = o.schedule_id), '')")
	if n.asked {
		l.look("occurrences o", "o.id", maxLongLook)
		l.where(n.text, n.args...)
	}
}

// maxSpans bounds how many spans reach into a span of time for one list.
const maxSpans = 1000

// SpansAcross returns the spans that begin before the filter's From and reach it,
// at most a thousand.
func (q Queries) SpansAcross(ctx context.Context, o rota.Owners, f rota.OccurrenceFilter) ([]rota.Occurrence, error) {
	l := occurrenceListing(o, f)
	l.where(` AND o.scheduled_until >= ? AND o.scheduled_for < ?`, f.From.UnixMilli(), f.From.UnixMilli())
	q.narrowOccurrences(&l, f)
	return all(ctx, q.db, l.scan, l.query+l.terms+` LIMIT ?`, append(l.args, maxSpans)...)
}

// occurrenceListing is the list of AllOccurrences without bounds in time, and without the
// conditions that no index answers.
func occurrenceListing(o rota.Owners, f rota.OccurrenceFilter) listing[rota.Occurrence] {
	l := listing[rota.Occurrence]{
		query: `SELECT ` + occurrenceColumns + occurrenceRunColumns + ` FROM occurrences o` + lastRun + ` WHERE true`,
		key:   "o.id",
		scan:  scanOccurrence,
		id:    func(o rota.Occurrence) string { return string(o.ID) },
	}
	indexed := false
	switch {
	case f.ID != "":
		l.where(` AND o.id = ?`, f.ID)
		indexed = true
	case f.ScheduleID != "":
		l.where(` AND o.schedule_id = ?`, f.ScheduleID)
		l.key, l.place = "o.scheduled_for", func(id string) any { return nominal(rota.OccurrenceID(id)) }
	case f.AgentID != "":
		l.where(` AND o.schedule_id IN (SELECT s.id FROM schedules s WHERE s.agent_id = ?)`, f.AgentID)
	case !o.All && o.EndUser != "":
		l.where(` AND o.schedule_id IN (SELECT s.id FROM schedules s WHERE s.account = ? AND s.end_user = ?)`, o.Account, o.EndUser)
	default:
		indexed = true
	}
	l.owned("o", o, indexed)
	if f.AgentID != "" {
		l.where(` AND o.agent_id = ?`, f.AgentID)
	}
	if f.Outcome != rota.Fired {
		l.ended(f.Outcome)
	}
	l.triggered("o", f.Trigger)
	return l
}

// ended lets occurrences with an outcome pass. The first term lets the planner use
// the partial indexes of what did not fire.
func (l *listing[T]) ended(outcome rota.Outcome) {
	switch outcome {
	case "":
	case rota.Fired:
		l.where(` AND o.outcome = ?`, outcome)
	default:
		l.where(` AND o.outcome <> 'fired' AND o.outcome = ?`, outcome)
	}
}

// idAt returns the first digits of the identifiers that are made at an instant: no
// identifier of an earlier one is greater, and none of a later one is less.
func idAt(at time.Time) string { return fmt.Sprintf("%012x", max(at.UnixMilli(), 0)) }
