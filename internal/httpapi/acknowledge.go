package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/rota-run/rota"
)

func (a *api) acknowledgeOperations() []*operation {
	return []*operation{
		answers(Route{http.MethodPost, "/api/v1/occurrences/{occurrence_id}/acknowledge", rota.WriteAgents, http.StatusOK, "acknowledge_occurrence"}, a.acknowledgeOccurrence).
			says("Occurrences", "Acknowledge an occurrence", "Says that somebody has seen that it was missed or blocked, or how its run ended: it needs nobody any more. Who and when is on record. One that is acknowledged stays as it is; one that needs nobody answers 409.").
			with("idempotency_key"),
		accepts(Route{http.MethodPost, "/api/v1/occurrences/acknowledge", rota.WriteAgents, http.StatusOK, "acknowledge_occurrences"}, a.acknowledgeOccurrences).
			says("Occurrences", "Acknowledge many occurrences", "Every one that was missed or blocked and that the filter matches; without a body, all of the caller's. The words are those of the list of occurrences. With the scope write:account, end_user names one end user, or with * everybody. With dry_run they are only counted.").
			like(`{"reason": "worker_lost", "as_of": "2026-12-01T09:00:00.000Z"}`).with("idempotency_key").maybe(),
		answers(Route{http.MethodPost, "/api/v1/runs/{run_id}/acknowledge", rota.WriteAgents, http.StatusOK, "acknowledge_run"}, a.acknowledgeRun).
			says("Runs", "Acknowledge a run", "Says that somebody has seen that it failed or is incomplete: it needs nobody any more. Who and when is on record. One that is acknowledged stays as it is; one that needs nobody answers 409.").
			with("idempotency_key"),
		accepts(Route{http.MethodPost, "/api/v1/runs/acknowledge", rota.WriteAgents, http.StatusOK, "acknowledge_runs"}, a.acknowledgeRuns).
			says("Runs", "Acknowledge many runs", "Every one that failed or is incomplete and that the filter matches; without a body, all of the caller's. The words are those of the list of runs. With the scope write:account, end_user names one end user, or with * everybody. With dry_run they are only counted.").
			like(`{"error_code": "timeout", "as_of": "2026-12-01T09:00:00.000Z"}`).with("idempotency_key").maybe(),
	}
}

func (a *api) acknowledgeOccurrence(ctx context.Context, c call) (rota.Occurrence, error) {
	return a.Control.AcknowledgeOccurrence(ctx, c.who, rota.OccurrenceID(c.PathValue("occurrence_id")), c.write)
}

func (a *api) acknowledgeOccurrences(ctx context.Context, c call, in rota.AcknowledgeOccurrences) (rota.Acknowledgements, error) {
	return a.Control.AcknowledgeOccurrences(ctx, c.who, in, c.write)
}

func (a *api) acknowledgeRun(ctx context.Context, c call) (rota.Run, error) {
	return a.oneRun(ctx, c, func() (rota.Run, error) { return a.Control.AcknowledgeRun(ctx, c.who, c.run(), c.write) })
}

func (a *api) acknowledgeRuns(ctx context.Context, c call, in rota.AcknowledgeRuns) (rota.Acknowledgements, error) {
	return a.Control.AcknowledgeRuns(ctx, c.who, in, c.write)
}

// unseen reads the parameters about what needs somebody.
func unseen(q url.Values) (only bool, asOf time.Time, err error) {
	if only, err = boolParam(q, "unseen"); err != nil {
		return only, asOf, err
	}
	asOf, err = instantParam(q, "as_of")
	return only, asOf, err
}
