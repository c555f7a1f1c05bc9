package console

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
)

const cookieName = "rota_session"

// showSignIn answers with the page that asks for a key, or signs in who has followed a
// link.
func (c *console) showSignIn(w http.ResponseWriter, r *http.Request) {
	if link := r.URL.Query().Get("link"); link != "" && r.Method == http.MethodGet {
		c.begin(w, r, func() (string, error) { return c.Sessions.Follow(r.Context(), link, c.Now()) })
		return
	}
	c.show(w, visit{Request: r, now: c.Now()}, http.StatusOK, view{Template: "sign-in", Still: true, Title: "Sign in", Data: r.URL.Query().Get("to")})
}

func (c *console) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	key := strings.TrimSpace(r.PostFormValue("key"))
	c.begin(w, r, func() (string, error) { return c.Sessions.Begin(r.Context(), key, c.Now()) })
}

// begin begins a session, whose secret the browser keeps.
func (c *console) begin(w http.ResponseWriter, r *http.Request, begin func() (secret string, err error)) {
	secret, err := begin()
	if err != nil {
		c.refuse(w, r, err)
		return
	}
	http.SetCookie(w, cookie(r, secret, int(auth.SessionLife.Seconds())))
	http.Redirect(w, r, target(r.PostForm.Get("to")), http.StatusSeeOther)
}

// refuse asks for another key.
func (c *console) refuse(w http.ResponseWriter, r *http.Request, err error) {
	v := visit{Request: r, now: c.Now()}
	if !errors.Is(err, rota.Unauthenticated) {
		c.problem(w, v, err)
		return
	}
	c.show(w, v, http.StatusUnauthorized, view{Template: "sign-in", Still: true, Title: "Sign in", Data: r.PostForm.Get("to"), Problem: rota.Public(err)})
}

func (c *console) signOut(w http.ResponseWriter, r *http.Request) {
	if held, err := r.Cookie(cookieName); err == nil {
		if err := c.Sessions.End(r.Context(), held.Value); err != nil {
			c.problem(w, visit{Request: r, now: c.Now()}, err)
			return
		}
	}
	http.SetCookie(w, cookie(r, "", -1))
	http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
}

func cookie(r *http.Request, value string, seconds int) *http.Cookie {
	return &http.Cookie{
		Name: cookieName, Value: value, Path: "/", MaxAge: seconds, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https",
	}
}

// target returns a path of this server that was asked for before signing in, or the
// first page.
func target(to string) string {
	at, err := url.Parse(to)
	if err != nil || at.IsAbs() || at.Host != "" || !strings.HasPrefix(at.Path, "/") || strings.HasPrefix(at.Path, "//") || strings.Contains(to, `\`) {
		return "/"
	}
	return at.RequestURI()
}
