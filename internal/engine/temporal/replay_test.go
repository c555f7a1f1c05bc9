package temporal_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/engine/temporal"
)

var update = flag.Bool("update", false, "record the histories in testdata anew")

// TestHistoriesReplay: workflows that began under an older program go on under
// this one. The histories are recorded from a real server; those of a released
// program stay as they are, and get others beside them when workflows change.
func TestHistoriesReplay(t *testing.T) {
	if *update {
		record(t)
	}
	files, err := filepath.Glob("testdata/*.json")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 4)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			r := worker.NewWorkflowReplayer()
			r.RegisterWorkflowWithOptions(temporal.Fire, workflow.RegisterOptions{Name: "rota.Fire"})
			r.RegisterWorkflowWithOptions(temporal.Run, workflow.RegisterOptions{Name: "rota.Run"})
			require.NoError(t, r.ReplayWorkflowHistoryFromJSONFile(nil, file))
		})
	}
}

// record has workflows go every way that they can, and keeps their histories.
func record(t *testing.T) {
	w := newWorld(t)
	w.start(w.engine)
	r := w.run()
	w.awaitEnd(r.ID)
	w.save("run", string(r.ID)+"/1")

	w.save("fire", w.fired(w.schedule(every(1), rota.PolicyUpdate{}), func(h *history.History) bool { return !waits(h) }))
	w.save("fire-jitter", w.fired(w.schedule(every(20), rota.PolicyUpdate{JitterSeconds: rota.Some[int64](15)}), waits))

	w.will(func(context.Context, rota.Work) {
		w.will(nil)
		panic("a worker is lost")
	})
	r = w.run()
	w.awaitEnd(r.ID)
	w.save("run-lost", string(r.ID)+"/1")
}

// ofThisMachine are the fields of a history that say where it was made.
var ofThisMachine = regexp.MustCompile(`("(?:identity|workerId|stackTrace)":) +"(?:[^"\\]|\\.)*"`)

// waits reports whether a timer was started in a history.
func waits(h *history.History) bool {
	for _, e := range h.Events {
		if e.EventType == enums.EVENT_TYPE_TIMER_STARTED {
			return true
		}
	}
	return false
}

// fired returns the id of a workflow that has ended, that Temporal has started
// for the schedule, and whose history is as wanted..
func (w *world) fired(s rota.Schedule, wanted func(*history.History) bool) (id string) {
	w.await("a wake-up", func() bool {
		d := w.exported(s.ID)
		if d == nil {
			return false
		}
		for _, a := range d.Info.RecentActions {
			h := w.history(a.StartWorkflowResult.WorkflowID)
			if len(h.Events) > 0 && h.Events[len(h.Events)-1].EventType == enums.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED && wanted(h) {
				id = a.StartWorkflowResult.WorkflowID
				return true
			}
		}
		return false
	})
	return id
}

func (w *world) history(id string) *history.History {
	h := new(history.History)
	events := w.client.GetWorkflowHistory(w.Context(), id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		require.NoError(w, err)
		h.Events = append(h.Events, e)
	}
	return h
}

func (w *world) save(name, id string) {
	w.await("the workflow ends", func() bool {
		h := w.history(id)
		return len(h.Events) > 0 && h.Events[len(h.Events)-1].EventType == enums.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED
	})
	text, err := protojson.MarshalOptions{Multiline: true, Indent: " "}.Marshal(w.history(id))
	require.NoError(w, err)
	text = ofThisMachine.ReplaceAll(text, []byte(`$1 "-"`))
	require.NoError(w, os.MkdirAll("testdata", 0o755))
	require.NoError(w, os.WriteFile(filepath.Join("testdata", name+".json"), text, 0o644))
}
