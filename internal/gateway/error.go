package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/rota-run/rota"
)

// An Error is an attempt that failed. Message is written for the person whose
// run it is; Err is written for the operator. Neither has the provider's key
// in it.
type Error struct {
	Code       string        // one of rota.RunErr…
	Message    string        // one line, with at most 500 characters of the provider's own text
	Retryable  bool          // asking again may help
	RetryAfter time.Duration // what the provider asked for; zero if it did not

	// Answered says that the provider decided on this request and failed. It
	// would give the same answer to the same idempotency key, so a new attempt
	// needs a new one. It is false where the provider may still be at work, or
	// may never have seen the request: there the key guards against a second
	// response.
	Answered bool

	// Response is the response object of a response that failed. If the provider
	// sent none, it is made of the events that came, with the status failed or
	// incomplete; nil if they brought no output.
	Response   []byte
	Usage      []byte   // its usage object, or nil
	ResponseID string   // of the response that had begun; else empty
	NotSent    []string // as in Response
	Err        error    // cause; may be nil

	told failure // by the provider
}

// Error returns code, message and cause, for logs.
func (e *Error) Error() string {
	s := e.Code + ": " + e.Message
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Why an attempt's context ended, when its caller did not end it.
var (
	errSilent   = errors.New("the provider was silent for too long")
	errSlow     = errors.New("the attempt took too long")
	errTooLarge = errors.New("the answer is too large")
)

// interrupted explains an attempt that the clock or the caller ended, or
// returns nil if that is not why it ended.
func interrupted(caller, attempt context.Context) error {
	cause := context.Cause(attempt)
	switch {
	case errors.Is(caller.Err(), context.DeadlineExceeded):
		return &Error{Code: rota.RunErrTimeout, Message: "the run took too long", Err: caller.Err()}
	case caller.Err() != nil:
		return caller.Err()
	case errors.Is(cause, errSilent):
		return &Error{Code: rota.RunErrIdle, Message: "the model went silent", Retryable: true, Err: cause}
	case errors.Is(cause, errSlow):
		return &Error{Code: rota.RunErrTimeout, Message: "the attempt took too long", Retryable: true, Err: cause}
	default:
		return nil
	}
}

// unreachable explains a request that got no answer.
func unreachable(err error) *Error {
	var (
		certificate *tls.CertificateVerificationError
		notTLS      tls.RecordHeaderError
		name        *net.DNSError
		timeout     net.Error
	)
	broken := func(m string) *Error { return &Error{Code: rota.RunErrMisconfigured, Message: m, Err: err} }
	failed := func(m string) *Error {
		return &Error{Code: rota.RunErrConnection, Message: m, Retryable: true, Err: err}
	}
	switch {
	case errors.As(err, &certificate):
		return broken("the provider's certificate is not valid here")
	case errors.As(err, &notTLS):
		return broken("the provider does not speak TLS; does its base URL begin with http://?")
	case errors.As(err, &name):
		return failed("the provider's host name was not found")
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return failed("Rota has too many files open to connect to the provider")
	case errors.Is(err, syscall.ECONNREFUSED):
		return failed("the provider refused the connection")
	case errors.As(err, &timeout) && timeout.Timeout():
		return failed("the connection to the provider took too long")
	default:
		return failed("the connection to the provider broke before it answered")
	}
}

// broken explains an answer that was not read to the end of its response.
func broken(err error) *Error {
	e := &Error{Code: rota.RunErrStreamEnded, Retryable: true, Err: err}
	switch {
	case errors.Is(err, errTooLarge):
		e.Code, e.Retryable = rota.RunErrTooLarge, false
		e.Message = "the answer is larger than Rota takes"
	case errors.Is(err, io.EOF):
		e.Message = "the stream ended before the response did"
	default:
		e.Message = "the connection broke before the response ended"
	}
	return e
}

// undecodable explains a compressed answer that cannot be read.
func undecodable(err error) *Error {
	if errors.Is(err, errEncoding) {
		return &Error{Code: rota.RunErrBadResponse, Message: err.Error() + ", which was not asked for", Err: err}
	}
	return broken(err)
}

const maxText = 500 // characters of a provider's text that a message quotes

// quotable returns a provider's text as one line that is safe to show.
func quotable(s, secret string) string {
	if secret != "" {
		s = strings.ReplaceAll(s, secret, hidden)
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	return cut(strings.TrimSpace(s), maxText)
}

func cut(s string, characters int) string {
	for i := range s {
		if characters == 0 {
			return s[:i]
		}
		characters--
	}
	return s
}

// after returns s as the end of a sentence that explains something.
func after(s string) string {
	if s == "" {
		return ""
	}
	return ": " + s
}
