package sqlstore

import (
	"context"
	"database/sql"

	"github.com/rota-run/rota"
)

// acknowledgement is who has acknowledged a row, as it is stored: all NULL if nobody has.
type acknowledgement struct {
	at msTime
	by sql.NullString
}

func (a acknowledgement) orNil() *rota.Acknowledgement {
	if a.at.IsZero() {
		return nil
	}
	return &rota.Acknowledgement{At: a.at.instant(), By: a.by.String}
}

// What needs somebody, if nobody has acknowledged it.
const (
	unseenOccurrence = `o.outcome IN ('missed', 'blocked') AND o.acknowledged_at IS NULL`
	unseenRun        = `r.phase IN ('failed', 'incomplete') AND r.acknowledged_at IS NULL`
)

// Acknowledge acknowledges those of some occurrences that were missed or blocked and that
// nobody has acknowledged, and returns how many.
func (q Queries) Acknowledge(ctx context.Context, o rota.Owners, ids []rota.OccurrenceID, a rota.Acknowledgement) (int, error) {
	q.pending.noteOwners(o)
	n, err := q.exec(ctx, `UPDATE occurrences AS o SET acknowledged_at = ?, acknowledged_by = ? WHERE o.account = ?
		AND o.id IN (SELECT given.value FROM `+q.list("given")+`) AND (? OR o.end_user = ?) AND `+unseenOccurrence,
		a.At.UnixMilli(), a.By, o.Account, js(ids), o.All, o.EndUser)
	return int(n), err
}

// AcknowledgeRuns acknowledges those of some runs that failed or are incomplete and that
// nobody has acknowledged, and returns how many.
func (q Queries) AcknowledgeRuns(ctx context.Context, o rota.Owners, ids []rota.RunID, a rota.Acknowledgement) (int, error) {
	q.pending.noteOwners(o)
	n, err := q.exec(ctx, `UPDATE runs AS r SET acknowledged_at = ?, acknowledged_by = ? WHERE r.account = ?
		AND r.id IN (SELECT given.value FROM `+q.list("given")+`) AND (? OR r.end_user = ?) AND `+unseenRun,
		a.At.UnixMilli(), a.By, o.Account, js(ids), o.All, o.EndUser)
	return int(n), err
}
