package e2e

import (
	"database/sql"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
	"github.com/rota-run/rota/internal/store/sqlite"
)

const mostClicks = 3

// TestWhyInThreeClicks: whatever an occurrence or a run ended with, its code and its words
// are at most three clicks from the first page.
func TestWhyInThreeClicks(t *testing.T) {
	t.Parallel()
	reasons, failures := codes(t)
	model := gatewaytest.New(t)
	model.Default(gatewaytest.Text("Nothing new."))
	dir := t.TempDir()
	s := start(t, dir, "--model-url", model.URL)
	agent, err := s.client().Agents.Create(t.Context(), rota.AgentCreate{Name: "Clerk", Model: "m"})
	require.NoError(t, err)
	runs := func(what string, n int) (ids []rota.RunID) {
		made, err := s.client().Schedules.Create(t.Context(), agent.ID, rota.ScheduleCreate{
			Name: rota.Some(what), Spec: rota.Spec{Type: rota.Cron, CronExpression: "5 9 1 1 *"}, Input: rota.InputText("Anything new?"),
			Policy: rota.PolicyUpdate{Overlap: rota.Some(rota.OverlapAllowAll)},
		})
		require.NoError(t, err)
		for range n {
			o, err := s.client().Schedules.Trigger(t.Context(), agent.ID, made.ID)
			require.NoError(t, err)
			ids = append(ids, *o.RunID)
		}
		return ids
	}
	unfired, failed := runs("Did not run", len(reasons)), runs("Failed", len(failures))
	awaitNoOpenRuns(t, s)
	require.NoError(t, s.stop(syscall.SIGTERM))

	db, err := sql.Open("sqlite", filepath.Join(dir, sqlite.FileName))
	require.NoError(t, err)
	defer db.Close()
	why := func(code string) string { return fmt.Sprintf(`{"code":%q,"message":%q}`, code, wordsOf(code)) }
	for i, r := range reasons {
		_, err := db.ExecContext(t.Context(), `UPDATE occurrences SET outcome = ?, reason = ?, run_id = NULL WHERE run_id = ?`, r.outcome, why(r.code), unfired[i])
		require.NoError(t, err)
	}
	for i, code := range failures {
		_, err := db.ExecContext(t.Context(), `UPDATE runs SET phase = 'failed', error = ?, error_code = ?, response = NULL WHERE id = ?`, why(code), code, failed[i])
		require.NoError(t, err)
	}
	require.NoError(t, db.Close())

	s = start(t, dir, "--model-url", model.URL)
	b := newBrowser(t, s.url)
	b.signIn(key, "/")
	pages := b.within(mostClicks)
	for _, r := range reasons {
		require.Contains(t, pages, wordsOf(r.code))
		require.Contains(t, pages, "<code>"+r.code+"</code>")
	}
	for _, code := range failures {
		require.Contains(t, pages, wordsOf(code))
		require.Contains(t, pages, "<code>"+code+"</code>")
	}
}

func wordsOf(code string) string { return "the words of " + code + "." }

// pagesOnly is what the addresses of pages begin with.
var pagesOnly = regexp.MustCompile(`^/(schedules|runs|agents|end-users|keys|system)\b`)

// within returns all pages that are at most so many clicks from the first.
func (b *browser) within(clicks int) string {
	b.t.Helper()
	var all strings.Builder
	seen, at := map[string]bool{"/": true}, []string{"/"}
	for range clicks + 1 {
		var next []string
		for _, path := range at {
			page := b.open(path)
			all.WriteString(page)
			for _, link := range regexp.MustCompile(`<a [^>]*href="([^"]*)"`).FindAllStringSubmatch(page, -1) {
				to := html.UnescapeString(link[1])
				if strings.HasPrefix(to, "?") {
					base, _, _ := strings.Cut(path, "?")
					to = base + to
				}
				if pagesOnly.MatchString(to) && !seen[to] {
					seen[to], next = true, append(next, to)
				}
			}
		}
		at = next
	}
	return all.String()
}

type reasonCode struct{ code, outcome string }

// codes returns the codes of reasons and errors that docs/contract.md has.
func codes(t *testing.T) (reasons []reasonCode, failures []string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "contract.md"))
	require.NoError(t, err)
	_, table, found := strings.Cut(string(b), "| `reason.code` | with | meaning |\n|---|---|---|\n")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n\n")
	quoted := regexp.MustCompile("`([a-z_]+)`")
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		for _, code := range quoted.FindAllStringSubmatch(cells[1], -1) {
			reasons = append(reasons, reasonCode{code[1], quoted.FindStringSubmatch(cells[2])[1]})
		}
	}
	failures = []string{
		rota.RunErrWorkerLost, rota.RunErrTimeout, rota.RunErrIdle, rota.RunErrStreamEnded, rota.RunErrBadResponse, rota.RunErrConnection, rota.RunErrRateLimited,
		rota.RunErrProvider, rota.RunErrRejected, rota.RunErrEmptyOutput, rota.RunErrTooLarge, rota.RunErrMisconfigured,
	}
	for _, code := range failures {
		require.Contains(t, string(b), "`"+code+"`")
	}
	require.Greater(t, len(reasons), 10)
	require.True(t, slices.Contains(reasons, reasonCode{"too_late", "missed"}))
	return reasons, failures
}
