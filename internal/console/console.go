// Package console is the pages of Rota for people. They are written by the server from
// the operations of package control, which the API is made of as well: there is nothing
// on a page that a program could not ask for. They need no scripts.
//
// A browser is signed in with a key, once; a session stands for the key afterwards. What
// a page shows and does is what the key may.
package console

import (
	"embed"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/control"
)

// Config is what the pages need. All of it is required.
type Config struct {
	Control  *control.Control
	Sessions auth.Sessions
	Limits   *auth.Limiter
	System   rota.SystemInfo // but for the time
	Now      func() time.Time
	Status   func(rota.Code) int             // the HTTP status of a failure
	Decode   func(body []byte, in any) error // reads a body as the API does
	Events   EventWriter                     // writes events as the API does
	Log      *slog.Logger
}

//go:embed templates assets
var files embed.FS

type console struct {
	Config
	templates map[string]*template.Template // by the name of the page
	assets    map[string]asset
}

// Pages returns the handlers of all pages by their patterns.
func Pages(cfg Config) map[string]http.Handler {
	c := &console{Config: cfg, templates: parseTemplates(), assets: readAssets()}
	pages := map[string]http.Handler{
		"GET /sign-in":        http.HandlerFunc(c.showSignIn),
		"POST /sign-in":       guarded(c.signIn),
		"POST /sign-out":      guarded(c.signOut),
		"GET /assets/{name}":  http.HandlerFunc(c.asset),
		"GET /{$}":            c.page(c.today),
		"GET /schedules":      c.page(c.schedules),
		"GET /runs":           c.page(c.runs),
		"GET /runs/{run_id}":  c.page(c.run),
		"GET /agents":         c.page(c.agents),
		"GET /agents/{agent}": c.page(c.agent),
		"GET /approvals":      c.page(c.approvals),
		"GET /keys":           c.page(c.keys),
		"GET /system":         c.page(c.system),
		"GET /changes":        http.HandlerFunc(c.changes),

		"GET /end-users": c.page(c.endUsers),

		"GET /conversations":                        c.page(c.conversations),
		"GET /conversations/{conversation}":         c.page(c.conversation),
		"POST /conversations/{conversation}/delete": c.action(c.deleteConversation),

		"GET /agents/{agent}/schedules/{schedule}": c.page(c.schedule),
		"POST /acknowledge":                        c.action(c.acknowledge),
		"POST /runs/{run_id}/cancel":               c.action(c.cancel),
		"POST /runs/{run_id}/decide":               c.action(c.decide),
		"POST /agents/{agent}/delete":              c.action(c.deleteAgent),
	}
	for name, do := range map[string]action{"trigger": c.trigger, "pause": c.pause, "resume": c.resume, "skip": c.skip, "unskip": c.unskip, "delete": c.deleteSchedule} {
		pages["POST /agents/{agent}/schedules/{schedule}/"+name] = c.action(do)
	}
	for at, e := range map[string]editor{
		"/agents/new": c.agentEditor(), "/agents/{agent}/edit": c.agentEditor(),
		"/agents/{agent}/schedules/new": c.scheduleEditor(), "/agents/{agent}/schedules/{schedule}/edit": c.scheduleEditor(),
		"/agents/{agent}/schedules/{schedule}/backfill": c.backfillEditor(),
	} {
		pages["GET "+at], pages["POST "+at] = c.edit(e), c.edit(e)
	}
	return pages
}

// guarded refuses requests that a page of another origin makes.
func guarded(h http.HandlerFunc) http.Handler {
	return http.NewCrossOriginProtection().Handler(h)
}

// parseTemplates returns each page with what all pages share.
func parseTemplates() map[string]*template.Template {
	names, err := fs.Glob(files, "templates/page-*.html")
	if err != nil {
		panic(err) // the pattern is constant
	}
	pages := make(map[string]*template.Template, len(names))
	for _, name := range names {
		t := template.Must(template.New("").Funcs(words()).ParseFS(files, "templates/part-*.html", name))
		pages[name[len("templates/page-"):len(name)-len(".html")]] = t
	}
	return pages
}
