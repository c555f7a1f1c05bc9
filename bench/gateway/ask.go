package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// A question is what a target is asked.
type question struct {
	model string
	input string // JSON
	store bool
	more  string // further members, each after a comma
}

func (q question) body() string {
	return fmt.Sprintf(`{"model":%q,"stream":true,"store":%t,"input":%s%s}`, q.model, q.store, q.input, q.more)
}

// word is an input of 1 KB, in JSON.
var word = `"` + strings.Repeat("word ", 200) + `"`

// open asks and returns the answer's body, which is a stream of events.
func (t *target) open(ctx context.Context, q question) (io.ReadCloser, error) {
	return t.post(ctx, "/responses", q.body())
}

func (t *target) post(ctx context.Context, path, body string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+key)
	res, err := t.http.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode > 299 {
		defer res.Body.Close()
		said, _ := io.ReadAll(io.LimitReader(res.Body, 500))
		return nil, fmt.Errorf("%s: %s: %s", t.name, res.Status, said)
	}
	return res.Body, nil
}

// ask asks and calls on for each delta, with what it says, as it comes. It returns when
// the stream has ended.
func (t *target) ask(ctx context.Context, q question, on func(delta []byte)) error {
	body, err := t.open(ctx, q)
	if err != nil {
		return err
	}
	defer body.Close()
	lines, whole, last := bufio.NewReaderSize(body, 64<<10), false, ""
	for {
		line, err := lines.ReadSlice('\n')
		switch {
		case err == io.EOF && whole:
			return nil
		case err == bufio.ErrBufferFull: // a long event: no delta
			continue
		case err != nil:
			return fmt.Errorf("%s: the stream ended too early: %w; its last event was %.500s", t.name, err, last)
		}
		data, ok := bytes.CutPrefix(line, []byte("data: "))
		if !ok {
			continue
		}
		if _, rest, ok := bytes.Cut(data, []byte(`"delta":"`)); ok {
			delta, _, _ := bytes.Cut(rest, []byte(`"`))
			on(delta)
		} else {
			last = string(data)
		}
		whole = whole || bytes.HasPrefix(data, []byte(`{"type":"response.completed"`))
	}
}

// once asks, and returns how long it took until the first word had come, and until the
// stream had ended.
func (t *target) once(ctx context.Context, q question) (token, end time.Duration, err error) {
	began := time.Now()
	err = t.ask(ctx, q, func([]byte) {
		if token == 0 {
			token = time.Since(began)
		}
	})
	return token, time.Since(began), err
}
