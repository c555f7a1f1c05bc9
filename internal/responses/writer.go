package responses

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rota-run/rota/internal/rawjson"
)

// A Writer makes the events of one response. Whatever its methods are called with,
// and in whatever order, the events are a valid stream: a call that would make it
// invalid writes nothing and is remembered by [Writer.Err].
//
// Items may be written side by side. Each is announced at once, and said to be done
// when all before it are.
type Writer struct {
	object rawjson.Object
	newID  func(prefix string) string
	emit   func(Event)
	seq    int64
	state  writerState
	items  []*ItemWriter
	done   int // items whose end has been told
	ids    map[string]bool
	calls  map[string]*ItemWriter // by call_id
	output []json.RawMessage      // of the items that are done
	shape  []byte                 // see Shape
	err    error
}

type writerState int

const (
	unwritten writerState = iota
	created
	begun
	over
)

var (
	errOver     = errors.New("the response has ended")
	errNotBegun = errors.New("the response has not begun")
	errItemOver = errors.New("the item has ended")
)

// NewWriter returns a writer of the response whose object begins as [NewObject] or
// [FillObject] has made it. newID makes the ids that items lack, of a prefix such as
// "msg_"; it must not return the same twice. emit gets every event, in order, on the
// goroutine of the call.
func NewWriter(object rawjson.Object, newID func(prefix string) string, emit func(Event)) *Writer {
	return &Writer{object: object.Clone(), newID: newID, emit: emit, ids: map[string]bool{}, calls: map[string]*ItemWriter{}}
}

// Reserve says that items outside of the response have these ids: none of its own gets
// one of them. It comes before everything else.
func (w *Writer) Reserve(ids ...string) {
	for _, id := range ids {
		w.ids[id] = true
	}
}

// Err returns the first call that would have made the stream invalid, or nil.
func (w *Writer) Err() error { return w.err }

func (w *Writer) refuse(err error) {
	if w.err == nil {
		w.err = err
	}
}

// Queue says that the response waits. It comes first, or not at all.
func (w *Writer) Queue() {
	if w.state != unwritten {
		w.refuse(errors.New("a response is queued before it begins"))
		return
	}
	w.state = created
	w.note(stepQueue)
	w.object.Set("status", rawjson.String(Queued))
	w.whole(EventCreated)
	w.whole(EventQueued)
}

// Begin says that work on the response begins. It comes before all items.
func (w *Writer) Begin() {
	if w.Begun() {
		w.refuse(errors.New("the response has begun already"))
		return
	}
	w.object.Set("status", rawjson.String(InProgress))
	if w.state == unwritten {
		w.whole(EventCreated)
	}
	w.state = begun
	w.whole(EventInProgress)
}

// Begun reports whether Begin was called.
func (w *Writer) Begun() bool { return w.state >= begun }

// Over reports whether End was called.
func (w *Writer) Over() bool { return w.state == over }

// An End is how a response ended.
type End struct {
	Status string // Completed, Incomplete, Failed or Cancelled
	Reason string // of an incomplete one; "max_output_tokens" if empty
	Code   string // of a failure; "server_error" if empty
	Text   string // of a failure, for people
	Usage  []byte // the usage object; what it lacks is zero
	At     int64  // Unix seconds
}

// End ends the response, and before it the items that are still open: as completed
// where the response is, else as incomplete.
func (w *Writer) End(e End) {
	if w.state == over {
		w.refuse(errOver)
		return
	}
	if w.state != begun {
		w.Begin()
	}
	for _, i := range w.items {
		if !i.ended {
			i.End(map[bool]string{true: Completed, false: Incomplete}[e.Status == Completed])
		}
	}
	w.settle(e.Status)
	w.state = over
	w.close()
	w.object.Set("output", rawjson.EncodeList(w.output))
	w.object.Set("usage", Usage(e.Usage))
	w.whole(e.apply(&w.object))
}

// settle completes the items that cannot be incomplete: those before one that is
// not, and all of a response that is completed.
func (w *Writer) settle(status string) {
	whole := status == Completed
	for _, i := range slices.Backward(w.items) {
		if i.status != Incomplete {
			whole = true
		} else if whole {
			i.status = Completed
		}
	}
}

// apply notes the end in the response's object and returns the event that tells it.
func (e End) apply(o *rawjson.Object) (eventType string) {
	null := json.RawMessage("null")
	for _, name := range []string{"completed_at", "error", "incomplete_details"} {
		o.Set(name, null)
	}
	o.Set("status", rawjson.String(e.Status))
	switch e.Status {
	case Completed:
		o.Set("completed_at", rawjson.Int(e.At))
		return EventCompleted
	case Failed:
		o.Set("error", rawjson.Object{
			{Name: "code", Value: rawjson.String(or(e.Code, "server_error"))}, {Name: "message", Value: rawjson.String(or(e.Text, "the model failed"))},
		}.Encode())
		return EventFailed
	case Cancelled: // has no event of its own that clients know
		return EventIncomplete
	default:
		o.Set("status", rawjson.String(Incomplete))
		o.Set("incomplete_details", rawjson.Object{{Name: "reason", Value: rawjson.String(or(e.Reason, MaxOutputTokens))}}.Encode())
		return EventIncomplete
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// Object returns the response as the last event has told it.
func (w *Writer) Object() json.RawMessage { return w.object.Encode() }

// whole emits an event with the response as it is.
func (w *Writer) whole(eventType string) {
	w.send(eventType, append([]byte(`,"response":`), w.object.Encode()...))
}

// send emits an event. members follow its type and number, each after a comma.
func (w *Writer) send(eventType string, members []byte) {
	b := make([]byte, 0, len(eventType)+len(members)+48)
	b = append(append(b, `{"type":"`...), eventType...)
	b = append(b, `","sequence_number":`...)
	b = strconv.AppendInt(b, w.seq, 10)
	b = append(append(b, members...), '}')
	w.seq++
	w.emit(Event{Type: eventType, Data: b})
}

// Add announces an item, of which its type must be known; what else is known of it
// may be there. Its texts and parts are left out: [ItemWriter.Say] writes them. An
// id that is missing, or that another item has, is made. The item writer is never
// nil.
func (w *Writer) Add(item []byte) *ItemWriter {
	i := &ItemWriter{w: w, index: len(w.items), object: rawjson.ReadObject(item)}
	i.kind = rawjson.Text(i.object.Get("type"))
	k, known := itemKinds[i.kind]
	switch {
	case w.state == unwritten || w.state == created:
		w.refuse(errNotBegun)
	case w.state == over:
		w.refuse(errOver)
	case !known && !strings.Contains(i.kind, ":"):
		w.refuse(fmt.Errorf("there is no item of type %q", i.kind))
	default:
		i.begin(k)
		w.items = append(w.items, i)
		w.note(stepAdd)
		w.item("added", i, i.object.Encode())
		return i
	}
	i.ended = true
	return i
}

// Whole writes an item that is there as a whole, with its texts in one piece each.
// An item that has all that it needs, and an id of its own, keeps its bytes.
func (w *Writer) Whole(item []byte) {
	i := w.Add(item)
	i.say(item)
	i.finish(item)
	status := rawjson.Text(rawjson.Get(item, "status"))
	i.End(status)
}

func (w *Writer) item(what string, i *ItemWriter, item []byte) {
	b := append([]byte(`,"output_index":`), strconv.Itoa(i.index)...)
	b = append(append(b, `,"item":`...), item...)
	w.send("response.output_item."+what, b)
}

// close tells the ends of items that have ended, as far as all before them have. One
// that is incomplete must be the last, which only the end of the response shows.
func (w *Writer) close() {
	for ; w.done < len(w.items) && w.items[w.done].ended; w.done++ {
		i := w.items[w.done]
		if i.status == Incomplete && w.state != over {
			return
		}
		item := i.encode()
		w.item("done", i, item)
		w.output = append(w.output, item)
	}
}
