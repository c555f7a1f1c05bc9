package httpapi

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/rota-run/rota"
)

// partBytes is how many bytes of rows are in memory at once for a list, if there are
// more than that; one row in any case.
const partBytes = 1 << 20

// A longList is a page that is too large to be in memory as a whole. It is read as it
// is written, each part in a transaction of its own, so that a client that reads
// slowly is in nobody's way.
type longList interface {
	// write writes the page as JSON.
	write(w io.Writer) error
}

// parts is a longList whose first part has been read.
type parts[T any] struct {
	first rota.List[T]
	next  func(after string, taken int) (rota.List[T], error)
}

// firstPart returns a page, or a longList if it is large.
func firstPart[T any](ctx context.Context, c call, p rota.Page, fn func(context.Context, call, rota.Page) (rota.List[T], error)) (any, error) {
	p.Bytes = partBytes
	first, err := charge(ctx, c, p, fn)
	if err != nil || !first.Cut {
		return first, err
	}
	more := first.HasMore
	return &parts[T]{first: first, next: func(after string, taken int) (rota.List[T], error) {
		rest := p
		rest.After, rest.Offset, rest.Limit, rest.Count = after, 0, p.Limit-taken, false
		c.memory.Release() // the part before is written
		l, err := charge(ctx, c, rest, fn)
		if p.Before != "" {
			l.HasMore = more // what follows ends at Before
		}
		return l, err
	}}, nil
}

// charge reads a part, for which it takes memory.
func charge[T any](ctx context.Context, c call, p rota.Page, fn func(context.Context, call, rota.Page) (rota.List[T], error)) (rota.List[T], error) {
	if err := hold(ctx, c.memory, partCost*partBytes); err != nil {
		return rota.List[T]{}, err
	}
	l, err := fn(ctx, c, p)
	if err != nil {
		return l, err
	}
	return l, hold(ctx, c.memory, partCost*int64(l.Size))
}

// write implements longList.
func (p *parts[T]) write(w io.Writer) error {
	if _, err := io.WriteString(w, `{"object":"list","data":[`); err != nil {
		return errors.Join(errClient, err)
	}
	l, taken, last := p.first, 0, p.first.LastID
	for {
		for _, row := range l.Data {
			if err := writeRow(w, row, taken > 0); err != nil {
				return err
			}
			taken++
		}
		if l.LastID != nil {
			last = l.LastID
		}
		if !l.Cut {
			break
		}
		l.Data, p.first.Data = nil, nil // not held while the next part is read
		var err error
		if l, err = p.next(*last, taken); err != nil {
			return err
		}
	}
	return p.end(w, last, l.HasMore)
}

// end writes what follows the rows, as [rota.List] has it.
func (p *parts[T]) end(w io.Writer, last *string, more bool) error {
	b, err := encode(rota.List[T]{Object: "list", Data: []T{}, FirstID: p.first.FirstID, LastID: last, HasMore: more, Count: p.first.Count, CountIsMinimum: p.first.CountIsMinimum})
	if err != nil {
		return err
	}
	_, b, _ = bytes.Cut(b, []byte(`"data":[`))
	if _, err := w.Write(b); err != nil {
		return errors.Join(errClient, err)
	}
	return nil
}

// writeRow encodes a row into the answer.
func writeRow(w io.Writer, row any, follows bool) error {
	if follows {
		if _, err := io.WriteString(w, ","); err != nil {
			return errors.Join(errClient, err)
		}
	}
	if r, ok := row.(rota.Run); ok && len(r.GatewayResponse.RawMessage) > copiedBytes {
		return writeLargeRun(w, r)
	}
	return encodeRow(w, row)
}

func encodeRow(w io.Writer, row any) error {
	e := json.NewEncoder(rowWriter{w})
	e.SetEscapeHTML(false)
	return e.Encode(row)
}

// copiedBytes is how large an answer of a run may be that is encoded with its run. The
// encoder makes several copies of what it encodes.
const copiedBytes = 64 << 10

// writeLargeRun writes a run with its answer as it was read, without a copy. The answer
// takes the place of a word that nobody can guess.
func writeLargeRun(w io.Writer, r rota.Run) error {
	word, raw := rota.AnyOf(rand.Text()), r.GatewayResponse.RawMessage
	r.GatewayResponse = word
	var b bytes.Buffer
	if err := encodeRow(&b, r); err != nil {
		return err
	}
	before, after, _ := bytes.Cut(b.Bytes(), word.RawMessage)
	for _, part := range [][]byte{before, raw, after} {
		if _, err := w.Write(part); err != nil {
			return errors.Join(errClient, err)
		}
	}
	return nil
}

// A rowWriter leaves out the end of the line that follows a row.
type rowWriter struct{ io.Writer }

// Write implements [io.Writer].
func (r rowWriter) Write(p []byte) (int, error) {
	if _, err := r.Writer.Write(bytes.TrimSuffix(p, []byte("\n"))); err != nil {
		return 0, errors.Join(errClient, err)
	}
	return len(p), nil
}

// sendList writes a list. One that does not reach its end is cut off, so that nobody
// takes it for whole.
func (a *api) sendList(w http.ResponseWriter, r *http.Request, l longList) {
	h := w.Header()
	h.Set("Content-Type", mediaJSON)
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	err := l.write(paced(w))
	if err == nil {
		return
	}
	if r.Context().Err() == nil && !errors.Is(err, errClient) {
		a.logError(w, r, slog.LevelError, err)
	}
	panic(http.ErrAbortHandler)
}

// pieceBytes is what a client must read within writeTimeout.
const pieceBytes = 64 << 10

// A pacer gives the client time for each piece of what is written, and no more.
type pacer struct {
	w  io.Writer
	rc *http.ResponseController
}

func paced(w http.ResponseWriter) pacer { return pacer{w, http.NewResponseController(w)} }

// Write implements [io.Writer].
func (p pacer) Write(b []byte) (n int, err error) {
	for len(b) > 0 && err == nil {
		err = p.rc.SetWriteDeadline(time.Now().Add(writeTimeout))
		if err != nil && !errors.Is(err, http.ErrNotSupported) { // recorders of tests have no connection
			return n, err
		}
		var m int
		m, err = p.w.Write(b[:min(len(b), pieceBytes)])
		n, b = n+m, b[m:]
	}
	return n, err
}
