package httpapi

import (
	"context"
	"crypto/sha256"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/rota-run/rota/internal/auth"
)

const (
	// repeatWindow is how long after its caller has hung up a request can be
	// recognised when it is sent again.
	repeatWindow = time.Minute

	// hangUpWait is how long a request waits to see whether the caller of an equal
	// one that is still open hangs up. A proxy may pass that on late.
	hangUpWait = time.Second

	// maxRepeatBytes bounds the bodies of the requests that can be recognised. The
	// answers are about as large.
	maxRepeatBytes = 4 << 20
)

// repeats recognises requests that a client sends again, without an
// Idempotency-Key, because it gave up waiting for the answer. The work that the
// first request began goes on when its caller hangs up, and its answer goes to
// the request that repeats it.
//
//	open ──answer written──► forgotten
//	 │ ▲
//	 │ └─an equal request takes over
//	 ▼ hang-up                │
//	abandoned ────────────────┘
//	 └──► forgotten after repeatWindow, or when the work fails
//
// A caller that still waits is another caller: an equal request gets work of its
// own. An answer that was lost after it was written cannot be recognised.
type repeats struct {
	mu    sync.Mutex
	known map[fingerprint]*equals
	bytes int // of the bodies of what is known
}

type fingerprint [sha256.Size]byte

// equals are the requests of one fingerprint that are open or abandoned.
type equals struct {
	requests []*request
	changed  chan struct{} // closed and replaced when one of them changes
}

// A request is work that may outlive its caller.
type request struct {
	print     fingerprint
	size      int
	done      chan struct{} // closed when answer and err are set
	answer    any
	err       error
	abandoned *time.Timer // nil while a caller waits; forgets the request when it fires
}

func newRepeats() *repeats { return &repeats{known: make(map[fingerprint]*equals)} }

// fingerprintOf returns what equal requests of one caller have in common.
func fingerprintOf(who auth.Caller, request []byte) fingerprint {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q\n", who.Key, who.Owner.Account, who.Owner.EndUser)
	h.Write(request)
	return fingerprint(h.Sum(nil))
}

// do carries out work, or waits for that of an equal request whose caller has
// gone. It blocks until there is an answer, or returns errHungUp when ctx ends.
// written must be called when the answer has been written.
func (p *repeats) do(ctx context.Context, print fingerprint, size int, work func(context.Context) (any, error)) (answer any, written func(), err error) {
	for {
		q := p.adopt(ctx, print)
		adopted := q != nil
		if !adopted {
			q = p.begin(ctx, print, size, work)
		}
		if q == nil {
			answer, err = work(ctx)
			return answer, func() {}, err
		}
		select {
		case <-q.done:
		case <-ctx.Done():
			p.abandon(q)
			return nil, nil, errHungUp
		}
		if q.err == nil {
			return q.answer, func() { p.written(ctx, q) }, nil
		}
		p.forget(q)
		if !adopted {
			return nil, func() {}, q.err
		}
		// What failed changed nothing, so the repeat is tried for itself.
	}
}

// adopt returns an equal request that is abandoned, and makes ctx its caller's. If
// one is open, it waits for a hang-up. It returns nil if there is none to adopt.
func (p *repeats) adopt(ctx context.Context, print fingerprint) *request {
	timer := time.NewTimer(hangUpWait)
	defer timer.Stop()
	for {
		q, changed := p.take(print)
		if q != nil || changed == nil {
			return q
		}
		select {
		case <-changed:
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// take returns an abandoned request, or else what tells of a change of the open
// ones; nil if there are none.
func (p *repeats) take(print fingerprint) (*request, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.known[print]
	if e == nil {
		return nil, nil
	}
	for _, q := range e.requests {
		if q.abandoned != nil && q.abandoned.Stop() {
			q.abandoned = nil
			return q, nil
		}
	}
	return nil, e.changed
}

// begin lets work go on in a goroutine of its own. It returns nil if no more
// requests can be remembered.
func (p *repeats) begin(ctx context.Context, print fingerprint, size int, work func(context.Context) (any, error)) *request {
	q := &request{print: print, size: size, done: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bytes+size > maxRepeatBytes {
		return nil
	}
	p.bytes += size
	e := p.known[print]
	if e == nil {
		e = &equals{changed: make(chan struct{})}
		p.known[print] = e
	}
	e.requests = append(e.requests, q)
	go func() {
		defer close(q.done)
		defer func() {
			if r := recover(); r != nil {
				q.err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
			}
		}()
		q.answer, q.err = work(context.WithoutCancel(ctx))
	}()
	return q
}

// written notes that the answer has been written, if its caller was still there.
func (p *repeats) written(ctx context.Context, q *request) {
	if ctx.Err() != nil {
		p.abandon(q)
		return
	}
	p.forget(q)
}

// abandon notes that the caller has hung up.
func (p *repeats) abandon(q *request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q.abandoned = time.AfterFunc(repeatWindow, func() { p.forget(q) })
	p.tell(q.print)
}

// forget removes a request. Equal ones are work of their own from now on.
func (p *repeats) forget(q *request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.known[q.print]
	if e == nil {
		return
	}
	for i, other := range e.requests {
		if other != q {
			continue
		}
		e.requests = append(e.requests[:i:i], e.requests[i+1:]...)
		p.bytes -= q.size
		break
	}
	p.tell(q.print)
	if len(e.requests) == 0 {
		delete(p.known, q.print)
	}
}

// tell wakes those who wait for a change.
func (p *repeats) tell(print fingerprint) {
	e := p.known[print]
	close(e.changed)
	e.changed = make(chan struct{})
}
