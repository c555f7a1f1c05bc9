package clients

import (
	_ "embed"
	"slices"
	"strings"
	"testing"
)

// What does not work yet, a case a line. A case that is listed and works fails
// the test too, so that the list can only shrink.
//
//go:embed not-yet.txt
var notYet string

func listed(name string) bool {
	return slices.Contains(strings.Split(notYet, "\n"), name)
}

// judge compares what became of a case with the list.
func judge(t *testing.T, name string, failures []string) {
	t.Helper()
	switch {
	case len(failures) > 0 && !listed(name):
		t.Errorf("%s\n\t%s", name, strings.Join(failures, "\n\t"))
	case len(failures) == 0 && listed(name):
		t.Errorf("%s: it works; take it off not-yet.txt", name)
	case len(failures) > 0:
		t.Logf("not yet: %s\n\t%s", name, failures[0])
	}
}
