package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
)

// An editor is a page whose form makes or changes something.
type editor struct {
	template string
	here     string
	fields   []string
	required []string

	// begin returns what the page is about, and the form's values; with a version if
	// the form changes something.
	begin func(v visit) (subject any, values url.Values, err error)

	// save does what the form says, and returns where its result is seen.
	save func(v visit, f form) (at, did string, err error)

	// preview says what would come of the form. It may be nil.
	preview func(v visit, f form) (rota.Preview, error)
}

// editData is what the template of an editor gets.
type editData struct {
	Subject any
	Form    form
	New     bool
	Preview *rota.Preview
}

// maxEdit is how many bytes the form of an editor may have.
const maxEdit = 2 << 20

// edit shows an editor, and does what its form says.
func (c *console) edit(e editor) http.Handler {
	return guarded(func(w http.ResponseWriter, r *http.Request) {
		v, ok := c.enter(w, r)
		if !ok {
			return
		}
		subject, now, err := e.begin(v)
		if err != nil {
			c.problem(w, v, err)
			return
		}
		d := editData{Subject: subject, New: !now.Has("version"), Form: form{Values: now, Fields: e.fields, required: e.required}}
		if r.Method == http.MethodGet {
			if !d.New {
				d.Form = d.Form.begun(now)
			}
			c.showEditor(w, v, e, http.StatusOK, d)
			return
		}
		if d.Form.Values, err = readForm(w, r, maxEdit); err != nil {
			c.problem(w, v, err)
			return
		}
		c.submit(w, v, e, d, now)
	})
}

// submit does what a form says, or shows what would come of it. What cannot be done is
// said at its field.
func (c *console) submit(w http.ResponseWriter, v visit, e editor, d editData, now url.Values) {
	if e.preview != nil && d.Form.Has("preview") {
		c.showEditor(w, v, e, http.StatusOK, e.previewed(v, d))
		return
	}
	at, did, err := e.save(v, d.Form)
	if err == nil {
		http.Redirect(w, v.Request, leads(at, did), http.StatusSeeOther)
		return
	}
	p := rota.Public(err)
	if p.Code == rota.Internal || p.Code == rota.NotFound {
		c.problem(w, v, err)
		return
	}
	d = e.previewed(v, d)
	if p.Code == rota.Precondition {
		d.Form = d.Form.merge(now)
	}
	d.Form.Problem = p
	c.showEditor(w, v, e, c.Status(p.Code), d)
}

// previewed returns d with what would come of its form, or with why that cannot be said.
func (e editor) previewed(v visit, d editData) editData {
	if e.preview == nil {
		return d
	}
	p, err := e.preview(v, d.Form)
	if err != nil {
		d.Form.Problem = rota.Public(err)
		return d
	}
	d.Preview = &p
	return d
}

func (c *console) showEditor(w http.ResponseWriter, v visit, e editor, status int, d editData) {
	title := "Change"
	if d.New {
		title = "New"
	}
	c.show(w, v, status, view{Template: e.template, Title: title, Still: true, Here: e.here, Data: d})
}

// readForm returns what a form has, of so many bytes at most, with the line ends of JSON.
func readForm(w http.ResponseWriter, r *http.Request, most int64) (url.Values, error) {
	r.Body = http.MaxBytesReader(w, r.Body, most)
	if err := r.ParseForm(); err != nil {
		return nil, rota.Errorf(rota.Invalid, "the form could not be read: %v", err)
	}
	for _, values := range r.PostForm {
		for i := range values {
			values[i] = strings.ReplaceAll(values[i], "\r\n", "\n")
		}
	}
	return r.PostForm, checkForm(r.PostForm)
}

// versions returns what the changed thing's version must be.
func (f form) versions() ([]int64, error) {
	n, err := strconv.ParseInt(f.Get("version"), 10, 64)
	if err != nil {
		return nil, rota.InvalidField("version", "must be the version of what is changed")
	}
	return []int64{n}, nil
}

// edits returns a write that happens once, and only to the version that the form is about.
func (v visit) edits(f form) (w control.Write, err error) {
	w = v.write()
	w.IfMatch, err = f.versions()
	return w, err
}
