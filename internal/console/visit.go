package console

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/control"
)

// A visit is a request of somebody who is signed in.
type visit struct {
	*http.Request
	who  auth.Caller
	now  time.Time
	mark int64 // of the changes before it
}

// A page reads what one page shows. The view's Template is that of the page.
type page func(visit) (view, error)

// An action does what a form asks for, and returns in one word what was done.
type action func(visit) (did string, err error)

// A view is what a template gets.
type view struct {
	Template string
	Title    string
	Here     string // the part of the console that it belongs to
	Still    bool   // it does not ask for itself again
	About    string // the id of the only thing that it shows; empty if it shows many
	Data     any

	Who     auth.Caller
	Now     time.Time
	Version string
	Did     string        // what the form before this page has done
	Query   url.Values    // of the page
	Path    string        // of the page
	Request string        // id of the request
	Mark    int64         // up to where the page shows what has changed
	Problem *rota.Error   // of a page that could not be shown
	Once    func() string // a new idempotency key
}

const maxForm = 64 << 10

// page answers with a page, or with why there is none.
func (c *console) page(read page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, ok := c.enter(w, r)
		if !ok {
			return
		}
		shown, err := read(v)
		if err != nil {
			c.problem(w, v, err)
			return
		}
		shown.Did = r.URL.Query().Get("did")
		c.show(w, v, http.StatusOK, shown)
	})
}

// action does what a form asks for, and leads back to the page that had it.
func (c *console) action(do action) http.Handler {
	return guarded(func(w http.ResponseWriter, r *http.Request) {
		v, ok := c.enter(w, r)
		if !ok {
			return
		}
		if _, err := readForm(w, r, maxForm); err != nil {
			c.problem(w, v, err)
			return
		}
		did, err := do(v)
		if err != nil {
			c.problem(w, v, err)
			return
		}
		http.Redirect(w, r, back(r, did), http.StatusSeeOther)
	})
}

// checkText returns [rota.Invalid] for a value that no database can hold as text.
func checkText(values url.Values) error {
	for name, all := range values {
		for _, v := range all {
			if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
				return rota.InvalidField(name, "must be UTF-8 without the character U+0000")
			}
		}
	}
	return nil
}

// Bounds of what forms have, in characters. That of a note is the API's.
const (
	maxNote = 500
	maxOnce = 100
)

// checkForm returns [rota.Invalid] for a form that has what the API would not take.
func checkForm(form url.Values) error {
	for name, most := range map[string]int{"note": maxNote, "once": maxOnce} {
		if utf8.RuneCountInString(form.Get(name)) > most {
			return rota.InvalidField(name, "must have at most %d characters", most)
		}
	}
	return checkText(form)
}

// back returns the page that a form was on, with what was done.
func back(r *http.Request, did string) string {
	return leads(target(r.PostForm.Get("back")), did)
}

// leads returns the address of a page that says what was done.
func leads(to, did string) string {
	at, err := url.Parse(to)
	if err != nil {
		return "/"
	}
	q := at.Query()
	q.Set("did", did)
	at.RawQuery = q.Encode()
	return at.String()
}

// enter returns the visit of somebody who is signed in, or leads to where one signs in.
func (c *console) enter(w http.ResponseWriter, r *http.Request) (visit, bool) {
	who, err := c.caller(r)
	if err == nil {
		err = cmp.Or(checkText(url.Values{"path": {r.URL.Path}}), checkText(r.URL.Query()))
	}
	v := visit{Request: r, who: who, now: c.Now(), mark: c.Control.Mark()}
	switch {
	case errors.Is(err, rota.Unauthenticated) && r.Method == http.MethodGet:
		http.Redirect(w, r, "/sign-in?"+url.Values{"to": {r.URL.RequestURI()}}.Encode(), http.StatusSeeOther)
	case err != nil:
		c.problem(w, v, err)
	default:
		v.who.RequestID = w.Header().Get("X-Request-ID")
		return v, true
	}
	return v, false
}

// caller returns who is signed in, for whom they act, and counts the request.
func (c *console) caller(r *http.Request) (auth.Caller, error) {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return auth.Caller{}, rota.Errorf(rota.Unauthenticated, "nobody is signed in")
	}
	who, err := c.Sessions.Caller(r.Context(), cookie.Value, c.Now())
	if err != nil {
		return auth.Caller{}, err
	}
	if err := c.Limits.Admit(r.Context(), who, c.Now()); err != nil {
		return auth.Caller{}, err
	}
	if user := r.URL.Query().Get("for"); user != "" {
		return who.ActFor("for", user)
	}
	return who, nil
}

// write returns what an action is told of its form: that it is to happen once, however
// often the form is sent.
func (v visit) write() control.Write {
	w := control.Write{Request: []byte(v.Method + " " + v.URL.Path + "\n" + v.PostForm.Encode())}
	if once := v.PostForm.Get("once"); once != "" {
		w.IdempotencyKey = "console " + once
	}
	return w
}

// show writes a page.
func (c *console) show(w http.ResponseWriter, v visit, status int, shown view) {
	shown.Who, shown.Now, shown.Version = v.who, v.now, c.System.Version
	shown.Query, shown.Path, shown.Request = v.URL.Query(), v.URL.Path, w.Header().Get("X-Request-ID")
	shown.Once, shown.Mark = rand.Text, v.mark
	var b bytes.Buffer
	if err := c.templates[shown.Template].ExecuteTemplate(&b, "page", shown); err != nil {
		c.Log.LogAttrs(v.Context(), slog.LevelError, "a page could not be written", slog.String("page", shown.Template), slog.Any("err", err))
		http.Error(w, "this page could not be written: see the log of the server", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// policy lets a page have what comes from this server, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types rota rota-preview"

// problem answers with the public part of why there is no page, and logs the rest.
func (c *console) problem(w http.ResponseWriter, v visit, err error) {
	e := rota.Public(err)
	if e.Code == rota.Internal {
		c.Log.LogAttrs(v.Context(), slog.LevelError, "a page failed", slog.String("path", v.URL.Path), slog.Any("err", err))
	}
	c.show(w, v, c.Status(e.Code), view{Template: "problem", Still: true, Title: "That did not work", Problem: e})
}
