package gateway

import (
	"bytes"
	"io"
	"strings"
)

// An eventReader reads the events of a stream. The data of an event, which may be
// large, comes in a slice of its own, which whoever gets it may keep.
//
// An event that the end of the body cuts off is an answer worth having if it lacks
// only the blank line that ends it: it comes, marked, before the error.
type eventReader struct {
	from io.Reader
	room func(bytes int) error // is asked before an event grows to so many bytes; nil is no bound

	buf     []byte
	pending []byte // of buf, not looked at yet
	err     error  // how the body ended

	begun  bool   // the stream has had a line that is not empty, or a byte order mark
	cr     bool   // the last byte was a carriage return
	line   []byte // the line so far; of a line of data no more than its beginning
	inData bool   // the line is of data, and what follows is its value
	open   bool   // the event has a line

	kind  string
	full  [][]byte // the data of the event, each line with a line end behind, in blocks
	data  []byte   // the block that grows
	size  int      // of the event, its framing included
	first bool     // what comes next is the first of a value, before which a space is no part of it
}

// A rawEvent is an event as its framing has it.
type rawEvent struct {
	kind string
	data []byte
	cut  bool // the body ended inside of it
}

const (
	readBytes  = 32 << 10
	fewBytes   = 4 << 10 // are read of a stream at once until it has more
	blockBytes = 1 << 20
	maxName    = 1 << 10 // bytes of a line that is not of data; the rest is dropped
)

func newEventReader(from io.Reader) *eventReader {
	return &eventReader{from: from, buf: make([]byte, fewBytes)}
}

// next returns the next event that has data or a name. The error is how the body
// ended, io.EOF if it ended well.
func (r *eventReader) next() (rawEvent, error) {
	for {
		if len(r.pending) == 0 && r.err != nil {
			return r.rest()
		}
		if len(r.pending) == 0 {
			r.read()
			continue
		}
		ended, err := r.take()
		if err != nil {
			return rawEvent{}, err
		}
		if ended {
			if e := r.event(); e.kind != "" || len(e.data) > 0 {
				return e, nil
			}
		}
	}
}

// read reads what is there. Most streams come in small pieces, and many are open at once.
func (r *eventReader) read() {
	var n int
	n, r.err = r.from.Read(r.buf)
	r.pending = r.buf[:n]
	if n == len(r.buf) && n < readBytes {
		r.buf = make([]byte, readBytes) // of the next piece
	}
}

// rest returns what there is of an event that the end of the body cut off.
func (r *eventReader) rest() (rawEvent, error) {
	if !r.open && len(r.line) == 0 && !r.inData {
		return rawEvent{}, r.err
	}
	r.endLine()
	e := r.event()
	e.cut = true
	return e, nil
}

// take takes the line that is pending, or what there is of it, and reports whether
// it ended an event.
func (r *eventReader) take() (ended bool, err error) {
	if r.cr && r.pending[0] == '\n' {
		r.pending, r.cr = r.pending[1:], false
		return false, nil
	}
	r.cr = false
	i := bytes.IndexByte(r.pending, '\n')
	if i < 0 {
		i = len(r.pending)
	}
	if j := bytes.IndexByte(r.pending[:i], '\r'); j >= 0 {
		i = j
	}
	piece := r.pending[:i]
	if err := r.add(piece); err != nil || i == len(r.pending) {
		r.pending = nil
		return false, err
	}
	r.cr = r.pending[i] == '\r'
	r.pending = r.pending[i+1:]
	if len(r.line) == 0 && !r.inData {
		ended, r.open = r.open, false
		return ended, nil
	}
	r.endLine()
	return false, nil
}

// add adds a piece of a line.
func (r *eventReader) add(piece []byte) error {
	if r.size += len(piece); r.size > maxEvent {
		return errTooLarge
	}
	if r.inData {
		return r.say(piece)
	}
	r.line = append(r.line, piece[:min(len(piece), maxName)]...)
	left := piece[min(len(piece), maxName):]
	if rest, marked := bytes.CutPrefix(r.line, []byte(byteOrderMark)); marked && !r.begun {
		r.line, r.begun = rest, true
	}
	value, ok := bytes.CutPrefix(r.line, []byte("data:"))
	if !ok {
		r.line = r.line[:min(len(r.line), maxName)]
		return nil
	}
	r.inData, r.first = true, true
	if err := r.say(value); err != nil {
		return err
	}
	r.line = r.line[:0]
	return r.say(left)
}

// say adds to the data of the event.
func (r *eventReader) say(piece []byte) error {
	if len(piece) == 0 {
		return nil
	}
	if r.first && piece[0] == ' ' {
		piece = piece[1:]
	}
	r.first = false
	if r.room != nil {
		if err := r.room(r.size); err != nil {
			return err
		}
	}
	if len(r.data) > blockBytes {
		r.full, r.data = append(r.full, r.data), nil
	}
	r.data = append(r.data, piece...)
	return nil
}

// endLine takes what a line says that has ended.
func (r *eventReader) endLine() {
	r.begun, r.open = true, true
	name, value, _ := strings.Cut(string(r.line), ":")
	switch {
	case r.inData, name == "data":
		r.data = append(r.data, '\n')
	case name == "event":
		r.kind = strings.TrimPrefix(value, " ")
	}
	r.line, r.inData = r.line[:0], false
}

// event returns the event that has ended, and begins the next.
func (r *eventReader) event() rawEvent {
	if len(r.full) > 0 {
		r.data = bytes.Join(append(r.full, r.data), nil)
	}
	e := rawEvent{kind: r.kind, data: bytes.TrimSuffix(r.data, []byte("\n"))}
	r.kind, r.full, r.data, r.size, r.open = "", nil, nil, 0, false
	return e
}
