package clients

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

var only = flag.String("client", "", "run the operations of this version alone, and leave the table as it is")

// A line is what the Python side prints: the title of a group, or what became of
// a case.
type line struct {
	Group, Title     string
	Op, Case         string
	Offered          bool
	Mode             string
	Server           int
	Outcome, Detail  string
	Seconds          float64
	version, storage string
}

// name is how a case is listed.
func (l line) name() string {
	if l.Op == "" {
		return l.Case
	}
	return l.Op + ": " + l.Case
}

// TestOperations runs every operation that each version of the client has,
// plainly and awaited, on each database, and compares the table in
// docs/compatibility.md with what came out.
func TestOperations(t *testing.T) {
	needPython(t)
	t.Parallel()
	lines := results(t)
	failures, seen := make(map[string][]string), []string{}
	for _, l := range lines {
		if l.Outcome == "" {
			continue
		}
		if _, ok := failures[l.name()]; !ok {
			failures[l.name()] = nil
			seen = append(seen, l.name())
		}
		if l.Outcome == "failed" {
			failures[l.name()] = append(failures[l.name()], fmt.Sprintf("%s, %s, %s: %s", l.version, l.Mode, l.storage, l.Detail))
		}
	}
	for _, name := range seen {
		judge(t, name, failures[name])
	}
	logSlowest(t, lines)
	if *only == "" {
		goldenTable(t, table(lines))
	}
}

// logSlowest names the cases that took longest.
func logSlowest(t *testing.T, lines []line) {
	slow := slices.Clone(lines)
	slices.SortFunc(slow, func(a, b line) int { return cmp.Compare(b.Seconds, a.Seconds) })
	for _, l := range slow[:min(5, len(slow))] {
		t.Logf("%.1fs: %s, %s, %s, %s", l.Seconds, l.name(), l.version, l.Mode, l.storage)
	}
}

// results runs the cases of all versions on all databases, a few versions at a time.
func results(t *testing.T) (all []line) {
	t.Helper()
	var group sync.WaitGroup
	var mu sync.Mutex
	turns := make(chan struct{}, 4)
	var errs []error
	var urls []string
	for _, d := range databases() {
		urls = append(urls, d.start(t).url)
	}
	for _, v := range versions {
		if *only != "" && v.client != *only {
			continue
		}
		group.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			lines, err := v.judge(urls)
			mu.Lock()
			defer mu.Unlock()
			all, errs = append(all, lines...), append(errs, err)
		})
	}
	group.Wait()
	require.NoError(t, errors.Join(errs...))
	slices.SortStableFunc(all, func(a, b line) int { return strings.Compare(a.Group, b.Group) })
	return all
}

// judge runs all cases with a version of the client on the servers.
func (v version) judge(urls []string) (all []line, err error) {
	path, err := v.install()
	if err != nil {
		return nil, err
	}
	var out, complaints bytes.Buffer
	args := []string{"-B", "judge", key, audience, "v" + strings.ReplaceAll(v.client, ".", "-")}
	cmd := exec.Command(path, append(args, urls...)...)
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("client %s: %w\n%s", v.client, err, &complaints)
	}
	for d := json.NewDecoder(&out); ; {
		l := line{version: v.client}
		if err := d.Decode(&l); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("client %s: %w", v.client, err)
		}
		l.storage = databases()[l.Server].name
		all = append(all, l)
	}
}
