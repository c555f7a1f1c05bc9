package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/rota-run/rota"
)

// A sender sends requests and tells answers from refusals.
type sender struct {
	base      *url.URL
	baseErr   error
	http      *http.Client
	header    http.Header // of every request
	maxAnswer int
}

// call sends body, which may be nil, to the path and returns the answer.
func call[T any](ctx context.Context, s *sender, method string, path []string, body any, opts []CallOption) (T, error) {
	var answer T
	o := newCallOptions(opts)
	raw, err := s.exchange(ctx, method, path, body, o)
	if err != nil {
		return answer, err
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return answer, &rota.Error{Code: rota.Internal, Msg: "the answer does not come from a Rota server", Err: err}
	}
	if o.answer != nil {
		*o.answer = raw
	}
	return answer, nil
}

// list gets one page of the list at the path.
func list[T any](ctx context.Context, s *sender, path []string, p rota.Page, opts []CallOption) (rota.List[T], error) {
	return call[rota.List[T]](ctx, s, http.MethodGet, path, nil, with(opts, page(p)))
}

func (s *sender) exchange(ctx context.Context, method string, path []string, body any, o callOptions) ([]byte, error) {
	raw, err := encode(body, o.body)
	if err != nil {
		return nil, err
	}
	req, err := s.request(ctx, method, path, raw, o)
	if err != nil {
		return nil, err
	}
	resp, err := s.do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return s.read(req, resp.Body)
}

func encode(body any, raw json.RawMessage) ([]byte, error) {
	if raw != nil || body == nil {
		return raw, nil
	}
	b, err := json.Marshal(body)
	if err != nil {
		return nil, &rota.Error{Code: rota.Invalid, Msg: "the body cannot be written as JSON", Err: err}
	}
	return b, nil
}

func (s *sender) request(ctx context.Context, method string, path []string, body []byte, o callOptions) (*http.Request, error) {
	target, err := s.url(path, o.query)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, &rota.Error{Code: rota.Invalid, Msg: "the request cannot be written", Err: err}
	}
	maps.Copy(req.Header, s.header)
	maps.Copy(req.Header, o.header)
	req.Header.Set("Accept", cmp.Or(o.header.Get("Accept"), "application/json"))
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, checkHeader(req.Header)
}

// checkHeader returns Invalid for what net/http would refuse to send, which
// must not look like a server that cannot be reached.
func checkHeader(h http.Header) error {
	for name, values := range h {
		if strings.ContainsFunc(strings.Join(values, ""), unicode.IsControl) {
			return rota.InvalidField(name, "must not hold control characters")
		}
	}
	return nil
}

// url returns the address of a path. A segment that would lead to another
// path is refused: deleting the agent "" must not reach the list of agents.
func (s *sender) url(path []string, query url.Values) (string, error) {
	if s.baseErr != nil {
		return "", s.baseErr
	}
	var b strings.Builder
	b.WriteString(s.base.String() + "/api/v1")
	for _, p := range path {
		if p == "" || p == "." || p == ".." {
			return "", rota.Errorf(rota.Invalid, "%q is not an id", p)
		}
		b.WriteString("/" + url.PathEscape(p))
	}
	if len(query) > 0 {
		b.WriteString("?" + query.Encode())
	}
	return b.String(), nil
}

// do returns the response if the server agreed. Its body must be closed.
func (s *sender) do(req *http.Request) (*http.Response, error) {
	resp, err := s.http.Do(req)
	if err != nil {
		return nil, unreachable(req, err)
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, refused(resp)
}

func (s *sender) read(req *http.Request, body io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(body, int64(s.maxAnswer)+1))
	switch {
	case err != nil:
		return nil, unreachable(req, err)
	case len(b) > s.maxAnswer:
		return nil, rota.Errorf(rota.TooLarge, "the answer is longer than %d bytes; ask for fewer things at once", s.maxAnswer)
	}
	return b, nil
}

// unreachable returns the error of a request that got no whole answer.
func unreachable(req *http.Request, err error) error {
	if ended := context.Cause(req.Context()); ended != nil {
		return fmt.Errorf("waiting for %s: %w", req.URL.Host, ended)
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return &rota.Error{Code: rota.Unavailable, Msg: "cannot reach the server at " + req.URL.Host, Err: err}
}
