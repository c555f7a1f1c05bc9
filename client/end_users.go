package client

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/rota-run/rota"
)

// EndUsers are the end users of the client's account.
type EndUsers struct{ s *sender }

// List returns one page of the end users, by name; p.Ascending must be true, or the
// order is reversed. It needs the scope read:account.
func (e EndUsers) List(ctx context.Context, p rota.Page, opts ...CallOption) (rota.List[rota.EndUser], error) {
	order := "desc"
	if p.Ascending {
		order = "asc"
	}
	return list[rota.EndUser](ctx, e.s, []string{"end-users"}, p, with(opts, query("order", order)))
}

// Delete deletes an end user with everything that is theirs, for good, and returns how
// much that was. It may take long; the server goes on with it if the context ends. It
// needs the scope write:account.
func (e EndUsers) Delete(ctx context.Context, user string, opts ...CallOption) (rota.Erasure, error) {
	return call[rota.Erasure](ctx, e.s, http.MethodDelete, []string{"end-users", user}, nil, opts)
}

// Export writes everything that an end user has to w, a JSON object on each line. If it
// returns an error, what has been written is not whole. It needs the scope read:account.
func (e EndUsers) Export(ctx context.Context, user string, w io.Writer, opts ...CallOption) error {
	o := newCallOptions(opts)
	o.header.Set("Accept", "application/jsonl")
	req, err := e.s.request(ctx, http.MethodGet, []string{"end-users", user, "export"}, nil, o)
	if err != nil {
		return err
	}
	resp, err := e.s.do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	out := &failing{w: w}
	if _, err = io.Copy(out, resp.Body); err != nil && out.err == nil {
		err = unreachable(req, err)
	}
	return err
}

// A failing Writer remembers whether it was it that failed.
type failing struct {
	w   io.Writer
	err error
}

// Write implements [io.Writer].
func (f *failing) Write(b []byte) (int, error) {
	n, err := f.w.Write(b)
	f.err = errors.Join(f.err, err)
	return n, err
}
