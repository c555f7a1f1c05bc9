package gateway

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

var errEncoding = errors.New("the provider compressed its answer as")

const (
	maxEvent  = 16 << 20 // bytes of one event, its framing included, and of what is kept of an answer
	maxStream = 64 << 20 // bytes that are read of an answer
	maxPeek   = 512

	drainReads = 4
	drainBytes = 512
	drainTime  = 100 * time.Millisecond
)

// A watch ends an attempt when the provider is silent for longer than limit.
type watch struct {
	limit time.Duration
	timer *time.Timer
}

func newWatch(limit time.Duration, end context.CancelCauseFunc) *watch {
	w := &watch{limit: limit}
	if limit > 0 {
		w.timer = time.AfterFunc(limit, func() { end(errSilent) })
	}
	return w
}

func (w *watch) start() {
	if w.timer != nil {
		w.timer.Reset(w.limit)
	}
}

// stop keeps the time that the caller needs for an event out of the silence.
func (w *watch) stop() {
	if w.timer != nil {
		w.timer.Stop()
	}
}

// body is an answer's body. It watches for silence while it waits for bytes,
// and ends with errTooLarge after maxStream bytes.
type body struct {
	from  io.Reader
	watch *watch
	left  int    // bytes that may still come
	head  []byte // was peeked at and is read first
}

func newBody(from io.Reader, w *watch) *body { return &body{from: from, watch: w, left: maxStream} }

func (b *body) Read(p []byte) (int, error) {
	if len(b.head) > 0 {
		n := copy(p, b.head)
		b.head = b.head[n:]
		return n, nil
	}
	if b.left <= 0 {
		return 0, errTooLarge
	}
	b.watch.start() // again in watched, which a decoder may call more than once
	n, err := b.from.Read(p[:min(len(p), b.left)])
	b.watch.stop()
	b.left -= n
	return n, err
}

// maxLayers is how often an answer may be compressed over.
const maxLayers = 3

// decode makes the body that of a compressed answer. None is asked for. What is
// compressed is known by how it begins, whatever the label says; deflate without the
// frame of zlib is known by its label alone.
func (b *body) decode(encoding string) error {
	b.from = &watched{b.from, b.watch}
	layers := strings.Split(strings.ToLower(encoding), ",")
	for range maxLayers {
		label := ""
		if n := len(layers) - 1; n >= 0 {
			label, layers = strings.TrimSpace(layers[n]), layers[:n]
		}
		raw := bufio.NewReaderSize(b.from, maxPeek)
		b.from = raw
		begin, _ := raw.Peek(2) // what fails here fails again when it is read
		var err error
		switch {
		case bytes.Equal(begin, []byte{0x1f, 0x8b}):
			b.from, err = gzip.NewReader(raw)
		case len(begin) == 2 && begin[0] == 0x78 && (int(begin[0])<<8|int(begin[1]))%31 == 0:
			b.from, err = zlib.NewReader(raw)
		case len(begin) == 0, isText(begin), readable(label):
			return nil
		case label == "deflate":
			b.from = flate.NewReader(raw)
		default:
			return fmt.Errorf("%w %q", errEncoding, label)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readable reports whether what is not compressed under this label is taken as it is: a
// proxy may have unpacked it.
func readable(label string) bool {
	return label == "" || label == "identity" || label == "zlib" || strings.Contains(label, "gzip")
}

// isText reports whether an answer that begins so is not compressed, though it is
// labelled so: a proxy has unpacked it.
func isText(begin []byte) bool {
	for _, f := range append([]string{"{", "[{", "\n", "\r\n"}, fields[:]...) {
		if strings.HasPrefix(f, string(begin)) || bytes.HasPrefix(begin, []byte(f)) {
			return true
		}
	}
	return false
}

type watched struct {
	from  io.Reader
	watch *watch
}

func (w *watched) Read(p []byte) (int, error) {
	w.watch.start()
	defer w.watch.stop()
	return w.from.Read(p)
}

const byteOrderMark = "\uFEFF"

// sniff returns the beginning of the body without the white space before it, and
// leaves it to be read: enough to tell an event stream by. It gives up, with less,
// after maxPeek bytes or when the body ends.
func (b *body) sniff() []byte {
	buf := make([]byte, 0, maxPeek)
	for len(buf) < maxPeek {
		n, err := b.Read(buf[len(buf):maxPeek])
		buf = buf[:len(buf)+n]
		if err != nil || known(buf) {
			break
		}
	}
	b.head = buf
	return start(buf)
}

// start returns b without white space and a byte order mark before it.
func start(b []byte) []byte {
	return bytes.TrimLeft(bytes.TrimPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte(byteOrderMark)), " \t\r\n")
}

var fields = [...]string{"data:", "event:", "id:", "retry:", ":"}

const maxField = 6 // characters of the longest

// isStream reports whether b, without white space before it, begins an event stream.
func isStream(b []byte) bool {
	for _, f := range fields {
		if bytes.HasPrefix(b, []byte(f)) {
			return true
		}
	}
	return false
}

// known reports whether more of a body would not say more of what it is.
func known(b []byte) bool {
	b = bytes.TrimLeft(b, " \t\r\n")
	if len(b) < len(byteOrderMark) && bytes.HasPrefix([]byte(byteOrderMark), b) {
		return false
	}
	b = start(b)
	for _, f := range fields {
		if len(b) < len(f) && strings.HasPrefix(f, string(b)) {
			return false
		}
	}
	return true
}

// drain reads what little follows the last event, so that the connection can
// serve the next request. A server that keeps the stream open costs at most
// drainTime.
func (b *body) drain(end context.CancelCauseFunc) {
	timer := time.AfterFunc(drainTime, func() { end(errSilent) })
	defer timer.Stop()
	var rest [drainBytes]byte
	for range drainReads {
		if _, err := b.from.Read(rest[:]); err != nil {
			return
		}
	}
}
