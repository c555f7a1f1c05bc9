package httpapi

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
)

// mediaLines is a JSON object on each line.
const mediaLines = "application/jsonl"

// lines is the answer of an operation that gives objects one after the other to emit,
// which writes each as a line. It returns emit's error.
type lines func(ctx context.Context, emit func(any) error) error

// sendLines writes lines until they end, the client goes or reads too slowly, or the
// request would not be let in any more. If they do not reach their end they are cut off,
// so that nobody takes them for whole.
func (a *api) sendLines(w http.ResponseWriter, r *http.Request, l lines, admitted func() error) {
	g := gate{admitted: admitted, now: a.Now, asked: a.Now()}
	begun, out := false, io.Writer(paced(w))
	err := l(r.Context(), func(v any) error {
		if !begun {
			begun = true
			w.Header().Set("Content-Type", mediaLines)
			w.Header().Set("Cache-Control", "no-store")
			w.WriteHeader(http.StatusOK)
		}
		if r.Method == http.MethodHead {
			return errHeadOnly
		}
		return writeLine(out, &g, v)
	})
	switch {
	case err == nil, errors.Is(err, errHeadOnly):
		return
	case !begun:
		a.fail(w, r, err)
		return
	case r.Context().Err() == nil && !errors.Is(err, errClient) && !errors.Is(err, errNotAdmitted):
		a.logError(w, r, slog.LevelError, err)
	}
	panic(http.ErrAbortHandler)
}

// errHeadOnly ends lines of which nobody wants to read any.
var errHeadOnly = errors.New("a HEAD request")

func writeLine(w io.Writer, g *gate, v any) error {
	if err := g.pass(); err != nil {
		return err
	}
	b, err := encode(v) // ends its line
	if err != nil {
		return err
	}
	if _, err := w.Write(b); err != nil {
		return errors.Join(errClient, err)
	}
	return nil
}
