package gateway

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rota-run/rota"
)

// A Request is one attempt to get a response.
type Request struct {
	Provider string // as Resolve returns it

	// Body is the JSON object of POST /responses without stream, background
	// and store, which are the gateway's to set: stream always, the others if
	// the provider asks for background responses.
	Body []byte

	// Owner is for whom it is asked: see [Provider.SafetyIdentifier].
	Owner rota.Owner

	IdempotencyKey string // the header; empty sends none

	// NoStore asks the provider not to keep the response, where there are no
	// background responses and the provider speaks the Responses API.
	NoStore bool

	// ResumeID is a response that an earlier attempt had begun. With a provider
	// of background responses the attempt attaches to it, and asks anew only if
	// the provider says that it cannot. Other providers are asked anew.
	ResumeID string

	// Hold is called before the attempt holds more bytes of an answer, and when it
	// has let go of some, with how many it holds in all, about. It may block until
	// there is memory for them; that does not count as silence of the provider. An
	// error ends the attempt. Nil is no bound.
	Hold func(ctx context.Context, bytes int) error
}

// An Event is one event of a stream.
type Event struct {
	Type string // the type that the JSON names; else the one that the framing names; else empty
	Data []byte // a JSON object, which may be kept but not changed
}

// Numbered returns the data with a sequence number. It is Data itself if it has that
// number already.
func (e Event) Numbered(seq int64) []byte {
	number := strconv.AppendInt(nil, seq, 10)
	if bytes.Equal(member(e.Data, "sequence_number"), number) {
		return e.Data
	}
	return withMember(e.Data, "sequence_number", number)
}

// Speaks reports whether the event brings text of the answer.
func (e Event) Speaks() bool {
	return e.Type == "response.output_text.delta" && !isEmpty(member(e.Data, "delta"))
}

// A Response is an answer that is whole, or that a limit cut short.
type Response struct {
	ID           string
	Status       string // "completed" or "incomplete"
	Body         []byte // the response object, as it was sent; with output that only earlier events told, if it lacks it
	Usage        []byte // its usage object, or nil
	Output       string // the text of the answer
	ToolActivity bool   // the output has items other than messages and reasoning

	// NotSent names the members of the request that were left out because the
	// provider does not take them. Where Stream fails, its Error has them.
	NotSent []string
}

// Stream makes one attempt and blocks until the response has ended, ctx has
// ended, or the attempt has failed. On the caller's goroutine it calls started
// once, as soon as the response has an id, and on for every event in order,
// the last one included. Neither may be nil.
//
// The error is an *Error, or ctx.Err() if ctx was cancelled. When the deadline
// of ctx passes it is an *Error with the code rota.RunErrTimeout that wraps
// context.DeadlineExceeded and is not Retryable.
func (g *Gateway) Stream(ctx context.Context, req Request, started func(id string), on func(Event)) (Response, error) {
	p := g.named(req.Provider)
	if req.Provider == StandIn {
		p = g.standIn
	}
	if p == nil {
		return Response{}, &Error{
			Code:    rota.RunErrMisconfigured,
			Message: fmt.Sprintf("no provider is named %q", req.Provider),
		}
	}
	secret, err := p.secret()
	if err != nil {
		return Response{}, err
	}
	within, end := context.WithCancelCause(ctx)
	defer end(nil)
	if p.Timeout > 0 {
		defer time.AfterFunc(p.Timeout, func() { end(errSlow) }).Stop()
	}
	w := newWatch(p.IdleTimeout, end)
	defer w.stop()
	a := &attempt{
		provider: p, secret: secret, caller: ctx, ctx: within, end: end, watch: w,
		started: started, on: on, holds: req.Hold,
	}
	r, err := a.run(req)
	if err != nil {
		return Response{}, a.complete(err)
	}
	r.NotSent = a.omitted
	return r, a.complete(nil)
}

// attempt is what one call of Stream knows.
type attempt struct {
	provider *provider
	secret   string
	caller   context.Context // as Stream got it
	ctx      context.Context // ends with caller's, and when the attempt must end
	end      context.CancelCauseFunc
	watch    *watch
	started  func(string)
	on       func(Event)
	holds    func(context.Context, int) error
	held     int      // as holds was told last
	id       string   // of the response; empty until it is known
	omitted  []string // members of the request that were not sent

	draft  draft
	said   failure     // what the stream told of an error
	failed bool        // the stream told of an error
	grace  *time.Timer // ends the attempt some time after that; nil before
	junk   bool        // the stream had data that is no event
	closed bool        // the stream said that it was over
	chat   *conversion // of a provider that answers with chat completions; else nil
	asked  []byte      // the request, as the Responses API has it
}

func (a *attempt) run(req Request) (Response, error) {
	if req.ResumeID != "" && a.provider.Background {
		r, gone, err := a.resume(req.ResumeID)
		if !gone {
			return r, err
		}
	}
	return a.ask(req)
}

// resume attaches to a response, or reports that the provider cannot.
func (a *attempt) resume(id string) (r Response, gone bool, err error) {
	get, err := a.provider.attach(a.ctx, a.secret, id)
	if err != nil {
		return Response{}, false, err
	}
	res, err := a.send(get)
	if err != nil {
		return Response{}, false, err
	}
	switch res.StatusCode {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed:
		return Response{}, true, res.Body.Close()
	}
	a.begin(id)
	r, err = a.receive(res, (*attempt).stored)
	var e *Error
	if res.StatusCode >= 300 && errors.As(err, &e) {
		e.Answered = false // the question was not put again
	}
	return r, false, err
}

// send sends the request and waits for the head of the answer.
func (a *attempt) send(req *http.Request) (*http.Response, error) {
	a.watch.start()
	res, err := a.provider.Transport.RoundTrip(req)
	a.watch.stop()
	if err == nil {
		return res, nil
	}
	return nil, a.explain(err, unreachable)
}

// receive reads an answer. An answer that is not a stream goes to whole.
func (a *attempt) receive(res *http.Response, whole func(*attempt, []byte) (Response, error)) (Response, error) {
	defer res.Body.Close()
	r, err := a.read(res, whole)
	var e *Error
	if errors.As(err, &e) && e.Retryable {
		now := time.Now()
		e.RetryAfter = cmp.Or(asksToWait(res.Header, now), e.RetryAfter)
		if e.RetryAfter == 0 && e.Code == rota.RunErrRateLimited {
			e.RetryAfter = untilReset(res.Header, now)
		}
	}
	return r, err
}

// read goes by what an answer looks like more than by what it is labelled.
func (a *attempt) read(res *http.Response, whole func(*attempt, []byte) (Response, error)) (Response, error) {
	b := newBody(res.Body, a.watch)
	if err := b.decode(res.Header.Get("Content-Encoding")); err != nil {
		return Response{}, a.explain(err, undecodable)
	}
	b.from = withoutSecret(b.from, a.secret)
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return Response{}, a.refused(res, b)
	}
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch head := b.sniff(); {
	case isStream(head):
		return a.stream(b)
	case len(head) > 0 && strings.IndexByte(`{["`, head[0]) >= 0 || media == "application/json":
		raw, err := a.readAll(b)
		if err != nil && (a.caller.Err() != nil || errors.Is(err, errTooLarge) || !isObject(bytes.TrimSpace(raw))) { // else it is whole
			return Response{}, a.explain(err, broken)
		}
		return whole(a, bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(raw), []byte(byteOrderMark))))
	case bytes.HasPrefix(head, []byte("<")) || media == "text/html":
		return Response{}, badResponse("the provider answered with an HTML page; does its base URL lead to its API?")
	case media == "text/event-stream" || media == "":
		return a.stream(b)
	default:
		raw, _ := io.ReadAll(io.LimitReader(b, maxRefusal)) // as much as there is
		if len(bytes.TrimSpace(raw)) == 0 && res.StatusCode != http.StatusNoContent {
			return Response{}, a.explain(io.EOF, broken)
		}
		return Response{}, failure{text: string(raw)}.or(badResponse("the provider answered with %s where a stream of events was asked for", media))
	}
}

// How exact it is what an attempt says that it holds. Most answers are short, and as many of
// them as there is memory for are to be under way at once.
const (
	holdStep      = 64 << 10
	shortHoldStep = 8 << 10 // of less than a holdStep
)

// hold says that the attempt holds bytes beside its draft.
func (a *attempt) hold(bytes int) error {
	n, step := bytes+a.size(), holdStep
	if n < holdStep {
		step = shortHoldStep
	}
	n = (n + step - 1) / step * step
	if a.holds == nil || n == a.held {
		return nil
	}
	a.held = n
	return a.holds(a.ctx, n)
}

// readAll returns what had come if it fails.
func (a *attempt) readAll(b *body) ([]byte, error) {
	var all bytes.Buffer
	for {
		if all.Len() > maxEvent {
			return nil, errTooLarge
		}
		if err := a.hold(all.Len() + readBytes); err != nil {
			return all.Bytes(), err
		}
		switch _, err := io.CopyN(&all, b, readBytes); {
		case errors.Is(err, io.EOF):
			return all.Bytes(), nil
		case err != nil:
			return all.Bytes(), err
		}
	}
}

// explain returns why the attempt had to end, or else what why makes of err.
func (a *attempt) explain(err error, why func(error) *Error) error {
	if i := interrupted(a.caller, a.ctx); i != nil {
		return i
	}
	return why(err)
}

// begin notes that the response has an id. One that cannot be stored is none.
func (a *attempt) begin(id string) {
	if a.id == "" && id != "" && strings.IndexByte(id, 0) < 0 {
		a.id = id
		a.started(id)
	}
}

// complete gives an Error what all of them have: what had come until then was
// paid for.
func (a *attempt) complete(err error) error {
	if a.grace != nil {
		a.grace.Stop()
	}
	var e *Error
	if errors.As(err, &e) {
		e.Message = quotable(e.Message, a.secret)
		e.ResponseID, e.Usage, e.NotSent = a.id, a.usage(), a.omitted
		if e.Response == nil {
			e.Response = a.rest(map[bool]string{true: "failed", false: "incomplete"}[e.Answered], e.Code)
		}
	}
	return err
}

func badResponse(format string, args ...any) *Error {
	return &Error{Code: rota.RunErrBadResponse, Message: fmt.Sprintf(format, args...)}
}
