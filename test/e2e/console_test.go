package e2e

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"syscall"
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
	require.Contains(t, asked, "class=\"note first-upper\"", "why there was nothing then")

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

// TestSignInLink: the link that a demo prints at each start signs in once, also at
// another process.
func TestSignInLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for range 2 {
		s := start(t, dir, "--demo")
		require.NoError(t, s.stop(syscall.SIGTERM))
		link := regexp.MustCompile(`/sign-in\?link=rl_\w+`).FindString(s.said.String())
		s = start(t, dir)
		b := newBrowser(t, s.url)
		b.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		head, err := b.http.Head(s.url + link)
		require.NoError(t, err)
		require.NoError(t, head.Body.Close())
		require.Empty(t, head.Cookies(), "a look is not a visit")
		b.http.CheckRedirect = nil
		require.Contains(t, b.open(link), "Sign out")
		require.Contains(t, b.open("/schedules"), "Every 10 seconds")

		other := newBrowser(t, s.url)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+link, nil)
		require.NoError(t, err)
		require.Contains(t, other.send(req, http.StatusUnauthorized), "has been followed already")
		at, err := url.Parse(s.url)
		require.NoError(t, err)
		other.http.Jar.SetCookies(at, []*http.Cookie{{Name: "rota_session", Value: strings.TrimPrefix(link, "/sign-in?link=")}})
		require.Contains(t, other.open("/schedules"), "Rota shows what a key may see", "it is no session")
		require.NoError(t, s.stop(syscall.SIGTERM))
	}
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
	b := newBrowser(t, s.url)
	page := b.signIn(key, "/")
	require.Contains(t, page, "1 thing needs you")
	require.Contains(t, page, "the model is out of order")
	require.Contains(t, page, ">Report</a>")

	seen := b.submit(page, "/acknowledge", nil, http.StatusOK)
	require.Contains(t, seen, "It is acknowledged")
	require.Contains(t, seen, "Everything ran that should have.")
	require.NotContains(t, seen, "needs you")
	runs, err := s.client().Runs.All(t.Context(), rota.RunFilter{Phase: rota.PhaseFailed}, rota.Page{})
	require.NoError(t, err)
	require.NotNil(t, runs.Data[0].Acknowledged)
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

// TestConsoleEdits: agents and schedules are made and changed by forms, which say what is
// wrong at its field, and lose nothing that anybody typed.
func TestConsoleEdits(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), "--model-url", gatewaytest.New(t).URL)
	b := newBrowser(t, s.url)
	b.signIn(key, "/agents")
	long := strings.Repeat("x", 121)
	bad := b.post("/agents/new", url.Values{"name": {long}, "model": {"m"}, "instructions": {"Be <b>brief</b>."}}, http.StatusBadRequest)
	require.Contains(t, bad, `id="name-told"`)
	require.Contains(t, bad, "120 characters")
	require.Contains(t, bad, "Be &lt;b&gt;brief&lt;/b&gt;.", "what was typed is still there")
	made := b.post("/agents/new", url.Values{"name": {"Clerk"}, "model": {"m"}, "instructions": {"Be brief.\r\nBe kind."}, "once": {"1"}}, http.StatusOK)
	require.Contains(t, made, "Created.")
	b.post("/agents/new", url.Values{"name": {"Clerk"}, "model": {"m"}, "instructions": {"Be brief.\r\nBe kind."}, "once": {"1"}}, http.StatusOK)
	agents, err := s.client().Agents.List(t.Context(), rota.Page{Limit: 10})
	require.NoError(t, err)
	require.Len(t, agents.Data, 1, "a form makes one agent, however often it is sent")
	agent := agents.Data[0]
	require.Equal(t, "Be brief.\nBe kind.", *agent.Instructions)

	at := "/agents/" + string(agent.ID) + "/schedules/"
	times := url.Values{"schedule.type": {"cron"}, "schedule.cron_expression": {"5 2 * * *"}, "schedule.timezone": {"Europe/Madrid"}, "input": {"Anything new?"}, "name": {"Nights"}}
	preview := url.Values{"preview": {"1"}, "schedule.type": {"once"}, "schedule.run_at": {"2030-06-01T09:00"}, "schedule.timezone": {"Europe/Madrid"}}
	require.Contains(t, b.post(at+"new", preview, http.StatusOK), "2030-06-01T07:00:00.000Z")
	schedules, err := s.client().Schedules.List(t.Context(), agent.ID, rota.Page{Limit: 10})
	require.NoError(t, err)
	require.Empty(t, schedules.Data, "a preview makes nothing")
	times.Set("policy.retry.max_attempts", "many")
	require.Contains(t, b.post(at+"new", times, http.StatusBadRequest), `id="policy.retry.max_attempts-told"`)
	times.Set("policy.retry.max_attempts", "2")
	require.Contains(t, b.post(at+"new", times, http.StatusOK), "02:05 Europe/Madrid")
	schedules, err = s.client().Schedules.List(t.Context(), agent.ID, rota.Page{Limit: 10})
	require.NoError(t, err)
	made1 := schedules.Data[0]
	require.Equal(t, 2, made1.Policy.Retry.MaxAttempts)
	require.Equal(t, rota.OverlapSkip, made1.Policy.Overlap, "what is empty has its default")

	at += string(made1.ID)
	form := b.open(at + "/edit")
	_, err = s.client().Schedules.Update(t.Context(), agent.ID, made1.ID, rota.ScheduleUpdate{
		Name: rota.Some("Evenings"), Input: rota.Some(rota.InputText("What was it?")),
	})
	require.NoError(t, err)
	met := b.submit(form, "/edit", typed(form, "input", "Mine", "description", "for the board"), http.StatusPreconditionFailed)
	require.Contains(t, met, `value="Evenings"`, "what only the other has changed is theirs")
	require.Regexp(t, `(?s)Anything new\?.*What was it\?.*Mine`, met, "what both have changed is shown")
	b.submit(met, "/edit", typed(met), http.StatusOK)
	after, err := s.client().Schedules.Get(t.Context(), agent.ID, made1.ID)
	require.NoError(t, err)
	require.Equal(t, []string{"Evenings", `"Mine"`, "for the board", "5 2 * * *"}, []string{*after.Name, string(after.Input.RawMessage), *after.Description, after.Spec.CronExpression})

	require.Contains(t, b.open(at[:strings.LastIndex(at, "/")]+"/new?like="+string(made1.ID)), "5 2 * * *", "another one like it")
	fill := at + "/backfill"
	back := url.Values{"from": {"2026-03-01T00:00"}, "to": {"2026-03-04T00:00"}, "preview": {"1"}}
	require.Contains(t, b.post(fill, back, http.StatusOK), "Run 3 times")
	back.Set("to", "soon")
	require.Contains(t, b.post(fill, back, http.StatusOK), `aria-invalid="true" aria-describedby="to-told"`)
	require.Contains(t, b.submit(b.open(at), "/delete", nil, http.StatusOK), "It was deleted")
}

// TestConsoleOffersWhatTheKeyMayDo: who may not write sees no form, and sends none.
func TestConsoleOffersWhatTheKeyMayDo(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	agent, err := s.client().Agents.Create(t.Context(), rota.AgentCreate{Name: "Clerk", Model: "echo"})
	require.NoError(t, err)
	reader, err := s.client().Keys.Create(t.Context(), rota.KeyCreate{Name: "reader", Scopes: rota.Some([]rota.Scope{rota.ReadAgents})})
	require.NoError(t, err)
	b := newBrowser(t, s.url)
	at := "/agents/" + string(agent.ID)
	for _, button := range []string{"New schedule", "Delete", "Change<"} {
		require.NotContains(t, b.signIn(reader.Secret, at), button)
		b.submit(b.open("/"), "/sign-out", nil, http.StatusOK)
	}
	b.signIn(reader.Secret, at)
	b.post("/agents/new", url.Values{"name": {"x"}, "model": {"echo"}}, http.StatusForbidden)
	b.post(at+"/delete", url.Values{}, http.StatusForbidden)
	for path, want := range map[string]int{"/end-users": http.StatusForbidden, at + "/schedules/new": http.StatusOK} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
		require.NoError(t, err)
		b.send(req, want)
	}
}

// typed returns what the visible fields of a page's form have, but for pairs of names
// and values that somebody types.
func typed(page string, pairs ...string) url.Values {
	values := url.Values{}
	for _, m := range regexp.MustCompile(`<input id="([^"]*)" name="[^"]*"[^>]* value="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		values.Set(m[1], html.UnescapeString(m[2]))
	}
	for _, m := range regexp.MustCompile(`(?s)<textarea id="([^"]*)"[^>]*>\n(.*?)</textarea>`).FindAllStringSubmatch(page, -1) {
		values.Set(m[1], html.UnescapeString(m[2]))
	}
	for _, m := range regexp.MustCompile(`(?s)<select id="([^"]*)".*?</select>`).FindAllStringSubmatch(page, -1) {
		if chosen := regexp.MustCompile(`value="([^"]*)" selected`).FindStringSubmatch(m[0]); chosen != nil {
			values.Set(m[1], chosen[1])
		}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return values
}

// TestConsoleShares: an agent is shared by its form, and marked.
func TestConsoleShares(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	agent, err := s.client().Agents.Create(t.Context(), rota.AgentCreate{Name: "Clerk", Model: "echo"})
	require.NoError(t, err)
	b := newBrowser(t, s.url)
	at := "/agents/" + string(agent.ID)
	b.signIn(key, "/agents")
	require.NotContains(t, b.open("/agents"), ">shared<")
	form := b.open(at + "/edit")
	require.Contains(t, b.submit(form, "/edit", typed(form, "visibility", "workspace"), http.StatusOK), "shared with the end users of the account")
	require.Contains(t, b.open("/agents"), ">shared<")
	got, err := s.client().Agents.Get(t.Context(), agent.ID)
	require.NoError(t, err)
	require.Equal(t, []any{rota.Workspace, int64(1)}, []any{got.Visibility, got.Version})
	require.Contains(t, b.open(at), at+"/edit")
	theirs := b.open(at + "?for=ana")
	require.Contains(t, theirs, at+"/schedules/new?for=ana", "an end user runs it")
	require.NotContains(t, theirs, at+"/edit", "and does not change it")
	require.NotContains(t, theirs, at+"/delete")
}
