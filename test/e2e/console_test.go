package e2e

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
)

// A browser keeps cookies, follows links and sends forms. It runs no scripts.
type browser struct {
	t    *testing.T
	at   string
	http *http.Client
}

func newBrowser(t *testing.T, at string) *browser {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &browser{t: t, at: at, http: &http.Client{Jar: jar}}
}

// open returns a page.
func (b *browser) open(path string) string {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.at+path, nil)
	require.NoError(b.t, err)
	return b.send(req, http.StatusOK)
}

func (b *browser) send(req *http.Request, want int) string {
	b.t.Helper()
	req.Header.Set("Accept", "text/html")
	res, err := b.http.Do(req)
	require.NoError(b.t, err)
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	require.NoError(b.t, err)
	require.Equal(b.t, want, res.StatusCode, string(page))
	csp := res.Header.Get("Content-Security-Policy")
	require.NotContains(b.t, csp, "unsafe")
	require.Contains(b.t, csp, "default-src 'none'")
	require.Equal(b.t, "no-store", res.Header.Get("Cache-Control"))
	return string(page)
}

// submit sends the form of a page whose action ends so, with more fields, and returns
// the page that follows.
func (b *browser) submit(page, action string, more url.Values, want int) string {
	b.t.Helper()
	for _, form := range regexp.MustCompile(`(?s)<form[^>]*method="post"[^>]*action="([^"]*)".*?</form>`).FindAllStringSubmatch(page, -1) {
		path, _, _ := strings.Cut(html.UnescapeString(form[1]), "?")
		if !strings.HasSuffix(path, action) {
			continue
		}
		fields := url.Values{}
		for _, input := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`).FindAllStringSubmatch(form[0], -1) {
			fields.Set(input[1], html.UnescapeString(input[2]))
		}
		for name, values := range more {
			fields[name] = values
		}
		return b.post(html.UnescapeString(form[1]), fields, want)
	}
	require.Fail(b.t, "the page has no such form", "%s\n%s", action, page)
	return ""
}

func (b *browser) post(path string, fields url.Values, want int) string {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.at+path, strings.NewReader(fields.Encode()))
	require.NoError(b.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.send(req, want)
}

// signIn signs in with a key, on the way to a page.
func (b *browser) signIn(key, to string) string {
	b.t.Helper()
	return b.submit(b.open(to), "/sign-in", url.Values{"key": {key}}, http.StatusOK)
}

// TestConsole: somebody who signs in sees what ran and what did not, without a script.
func TestConsole(t *testing.T) {
	t.Parallel()
	model := gatewaytest.New(t)
	model.Default(gatewaytest.Text("Nothing <b>new</b>."))
	s := start(t, t.TempDir(), "--model-url", model.URL)
	agent, err := s.client().Agents.Create(t.Context(), rota.AgentCreate{Name: "Clerk", Model: "m"})
	require.NoError(t, err)
	made, err := s.client().Schedules.Create(t.Context(), agent.ID, rota.ScheduleCreate{
		Name: rota.Some("Mornings & <evenings>"), Spec: rota.Spec{Type: rota.Cron, CronExpression: "5 9 * * 1-5", Timezone: "Europe/Madrid"},
		Input: rota.InputText("Anything new?"),
	})
	require.NoError(t, err)
	at := "/agents/" + string(agent.ID) + "/schedules/" + string(made.ID)

	b := newBrowser(t, s.url)
	require.Contains(t, b.submit(b.open(at), "/sign-in", url.Values{"key": {"rk_not_a_key_of_this_server"}}, http.StatusUnauthorized), "is not valid")
	page := b.signIn(key, at)
	require.Contains(t, page, "Mornings &amp; &lt;evenings&gt;", "it leads where one wanted to go")
	require.Contains(t, page, "09:05 Europe/Madrid")
	require.Contains(t, b.open("/"), "Everything ran that should have.")

	done := b.submit(page, "/trigger", nil, http.StatusOK)
	require.Contains(t, done, "It runs now")
	b.submit(page, "/trigger", nil, http.StatusOK) // the same button again
	awaitNoOpenRuns(t, s)
	runs, err := s.client().Runs.List(t.Context(), agent.ID, rota.Page{Limit: 10})
	require.NoError(t, err)
	require.Len(t, runs.Data, 1, "a button is one run, however often it is pressed")
	require.Contains(t, b.open("/runs/"+string(runs.Data[0].ID)), "Nothing &lt;b&gt;new&lt;/b&gt;.")
	require.Contains(t, b.open(at), "ran</span>")

	paused := b.submit(page, "/pause", url.Values{"note": {"holidays"}}, http.StatusOK)
	require.Contains(t, paused, "“holidays”")
	require.Contains(t, b.submit(paused, "/resume", nil, http.StatusOK), "The schedule runs again.")
	require.Contains(t, b.submit(page, "/skip", nil, http.StatusOK), "Do not skip")
	b.submit(page, "/pause", url.Values{"note": {strings.Repeat("x", 501)}}, http.StatusBadRequest)
	b.submit(page, "/pause", url.Values{"note": {"a\x00b"}}, http.StatusBadRequest)
	b.submit(page, "/trigger", url.Values{"once": {strings.Repeat("x", 101)}}, http.StatusBadRequest)
	for _, path := range []string{"/schedules?q=%00", "/runs?after=%FF", "/runs/%00", at + "?outcome=%00"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
		require.NoError(t, err)
		b.send(req, http.StatusBadRequest)
	}
	asked := b.open(at + "?at=" + url.QueryEscape("2026-01-01T04:00"))
	require.Contains(t, asked, "class=\"note\"", "why there was nothing then")

	for path, want := range map[string]string{
		"/schedules": "Mornings", "/runs": "ran</span>", "/agents": "Clerk", "/keys": "(yours)", "/system": "built-in", "/agents/" + string(agent.ID): "Mornings",
	} {
		require.Contains(t, b.open(path), want, path)
	}
	require.Contains(t, b.open("/schedules?q=evenings&sort=next_run_at"), "Mornings")
	require.Contains(t, b.open("/schedules?q=nights"), "There is none that matches.")
	require.Contains(t, b.submit(b.open("/"), "/sign-out", nil, http.StatusOK), "Sign in")
	require.Contains(t, b.open("/runs"), "Sign in", "the session has ended")
}

// TestConsoleShowsWhatNeedsSomebody: a failure is on the first page, with its reason.
func TestConsoleShowsWhatNeedsSomebody(t *testing.T) {
	t.Parallel()
	model := gatewaytest.New(t)
	model.Default(gatewaytest.JSON(http.StatusBadRequest, `{"error":{"message":"the model is out of order","code":"broken"}}`))
	s := start(t, t.TempDir(), "--model-url", model.URL)
	agent, err := s.client().Agents.Create(t.Context(), rota.AgentCreate{Name: "Clerk", Model: "m"})
	require.NoError(t, err)
	made, err := s.client().Schedules.Create(t.Context(), agent.ID, rota.ScheduleCreate{
		Name: rota.Some("Report"), Spec: rota.Spec{Type: rota.Interval, IntervalSeconds: 86_400}, Input: rota.InputText("x"),
	})
	require.NoError(t, err)
	_, err = s.client().Schedules.Trigger(t.Context(), agent.ID, made.ID)
	require.NoError(t, err)
	awaitNoOpenRuns(t, s)
	page := newBrowser(t, s.url).signIn(key, "/")
	require.Contains(t, page, "1 thing needs you")
	require.Contains(t, page, "the model is out of order")
	require.Contains(t, page, ">Report</a>")
}

// TestConsoleKeepsPeopleApart: a page shows and does what the key may, and nobody else's
// page can use a session.
func TestConsoleKeepsPeopleApart(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	agent, err := s.client().Agents.Create(t.Context(), rota.AgentCreate{Name: "Secret agent", Model: "echo"})
	require.NoError(t, err)
	made, err := s.client().Schedules.Create(t.Context(), agent.ID, rota.ScheduleCreate{
		Name: rota.Some("Secret schedule"), Spec: rota.Spec{Type: rota.Interval, IntervalSeconds: 86_400}, Input: rota.InputText("x"),
	})
	require.NoError(t, err)
	at := "/agents/" + string(agent.ID) + "/schedules/" + string(made.ID)
	acme, err := s.client().Keys.Create(t.Context(), rota.KeyCreate{Name: "acme", EndUser: rota.Some("acme"), ExpiresAt: rota.Some(rota.InstantOf(time.Now().Add(time.Hour)))})
	require.NoError(t, err)

	b := newBrowser(t, s.url)
	for _, path := range []string{"/", "/schedules", "/runs", "/agents"} {
		require.NotContains(t, b.signIn(acme.Secret, path), "Secret", path)
		b.submit(b.open("/"), "/sign-out", nil, http.StatusOK)
	}
	b.signIn(acme.Secret, "/")
	for _, path := range []string{at, "/agents/" + string(agent.ID)} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
		require.NoError(t, err)
		require.NotContains(t, b.send(req, http.StatusNotFound), "Secret", path)
	}
	b.post(at+"/trigger", url.Values{}, http.StatusNotFound)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/schedules?end_user=%2A", nil)
	require.NoError(t, err)
	require.NotContains(t, b.send(req, http.StatusForbidden), "Secret schedule")

	mine := newBrowser(t, s.url)
	mine.signIn(key, "/")
	forged, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+at+"/pause", strings.NewReader(""))
	require.NoError(t, err)
	forged.Header.Set("Sec-Fetch-Site", "cross-site")
	res, err := mine.http.Do(forged)
	require.NoError(t, err)
	res.Body.Close()
	require.Equal(t, http.StatusForbidden, res.StatusCode)

	_, err = s.client().Keys.Revoke(t.Context(), acme.ID)
	require.NoError(t, err)
	require.Contains(t, b.open("/"), "Sign in", "the session has ended with its key")

	leads := mine.post("/sign-in", url.Values{"key": {key}, "to": {"//evil.example/"}}, http.StatusOK)
	require.Contains(t, leads, "Everything ran", "it leads to no other server")
}

// TestNoConsole: it can be left out.
func TestNoConsole(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), "--console", "off")
	res, err := http.Get(s.url + "/schedules")
	require.NoError(t, err)
	res.Body.Close()
	require.Equal(t, http.StatusNotFound, res.StatusCode)
}
