package chaos

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
)

// report logs what happened, in one table.
func (k *counting) report(t *testing.T) {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	row := func(what string, n any) { fmt.Fprintf(w, "%s\t%v\n", what, n) }
	for _, kind := range slices.Sorted(maps.Keys(k.kills)) {
		row("kills: "+kind, k.kills[kind])
	}
	for _, outcome := range slices.Sorted(maps.Keys(k.outcomes)) {
		row("nominal times: "+string(outcome), k.outcomes[outcome])
	}
	row("runs through the API", len(k.runs))
	row("  cancelled", len(k.cancelled))
	row("schedules made meanwhile", len(k.churned))
	row("calls of the API that were refused as unavailable", k.refused)
	row("requests to the model", k.model.Total())
	for _, why := range slices.Sorted(maps.Keys(k.after)) {
		row("  repeated after "+why, k.after[why])
	}
	late := k.lateness()
	row("nominal time to start: median", fmt.Sprintf("%d ms", late[len(late)/2]))
	row("  of 99 %", fmt.Sprintf("%d ms", late[len(late)*99/100]))
	row("  longest", fmt.Sprintf("%d ms", late[len(late)-1]))
	w.Flush()
	t.Log("\n" + text.String())
}

// lateness returns how long after their nominal times runs have started, in
// order.
func (k *counting) lateness() []int64 {
	late := []int64{0}
	for _, runs := range k.bySched {
		for _, r := range runs {
			if r.LatenessMS != nil {
				late = append(late, *r.LatenessMS)
			}
		}
	}
	slices.Sort(late)
	return late
}
