package responses

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"unicode/utf8"

	"github.com/rota-run/rota/internal/rawjson"
)

// A shape of a stream is what was written, in order, without the words: which item,
// which text, how many bytes. With the response that came of it, it is the stream.

// The steps of a shape. Each is followed by the index of its item, but for stepQueue
// and stepAdd, and then by what its comment says, all as unsigned varints.
const (
	stepQueue    = iota
	stepAdd      // an item
	stepOpen     // a part: its text
	stepSay      // a piece: its text, its bytes, its logprobs
	stepPart     // a part without a text, as a whole
	stepNote     // an annotation
	stepClose    // the open part
	stepProgress // an event: its type and its members, each with its length before it
	stepEnd      // the item: the index of its status in itemStatuses
)

var itemStatuses = []string{Completed, Incomplete, Failed}

// note appends a step.
func (w *Writer) note(step byte, numbers ...int) {
	w.shape = append(w.shape, step)
	for _, n := range numbers {
		w.shape = binary.AppendUvarint(w.shape, uint64(n))
	}
}

// Shape returns how the stream is cut, as far as it is written, for [Replay]: some
// bytes for each event, and none of the words. It is good until the next call of a
// method of the writer.
func (w *Writer) Shape() []byte { return w.shape }

var errShape = errors.New("the shape is not that of the response")

// A replayer writes a response again.
type replayer struct {
	w     *Writer
	items []json.RawMessage
	shape []byte
	open  []*replayed
}

// replayed is an item as far as it was written again.
type replayed struct {
	*ItemWriter
	whole json.RawMessage
	part  json.RawMessage // that is open
	text  string          // of what is being said, as far as it was not yet
	told  map[Text]bool   // texts of the item itself that were begun
	notes int             // annotations of the open part
	probs int             // logprobs of the open part
}

// play writes all that the shape says.
func (r *replayer) play() error {
	for len(r.shape) > 0 {
		step := r.shape[0]
		r.shape = r.shape[1:]
		if err := r.step(step); err != nil {
			return err
		}
	}
	if len(r.open) != len(r.items) {
		return errShape
	}
	return r.w.Err()
}

// number takes the next number of the shape.
func (r *replayer) number() (int, error) {
	n, size := binary.Uvarint(r.shape)
	if size <= 0 || n > 1<<31 {
		return 0, errShape
	}
	r.shape = r.shape[size:]
	return int(n), nil
}

// bytes takes the next bytes of the shape, with their length before them.
func (r *replayer) bytes() ([]byte, error) {
	n, err := r.number()
	if err != nil || n > len(r.shape) {
		return nil, errShape
	}
	b := r.shape[:n]
	r.shape = r.shape[n:]
	return b, nil
}

func (r *replayer) step(step byte) error {
	switch step {
	case stepQueue:
		r.w.Queue()
		r.w.Begin()
		return nil
	case stepAdd:
		return r.add()
	}
	n, err := r.number()
	if err != nil || n >= len(r.open) || r.open[n].Ended() {
		return errShape
	}
	return r.stepOf(r.open[n], step)
}

// stepOf writes a step of an item.
func (r *replayer) stepOf(i *replayed, step byte) error {
	switch step {
	case stepPart:
		return i.plain()
	case stepNote:
		return i.note()
	case stepClose:
		i.close()
		return nil
	case stepProgress:
		return r.progress(i)
	}
	n, err := r.number()
	switch {
	case err != nil:
		return err
	case step == stepEnd && n < len(itemStatuses):
		i.finish(i.whole)
		i.End(itemStatuses[n])
		return nil
	case step == stepOpen && n < len(textKinds):
		return i.begin(Text(n))
	case step == stepSay && n < len(textKinds):
		return r.say(i, Text(n))
	default:
		return errShape
	}
}

// add announces the next item.
func (r *replayer) add() error {
	if len(r.open) == len(r.items) {
		return errShape
	}
	if !r.w.Begun() {
		r.w.Begin()
	}
	item := r.items[len(r.open)]
	r.open = append(r.open, &replayed{ItemWriter: r.w.Add(item), whole: item, told: map[Text]bool{}})
	return nil
}

// next returns the part that comes next in a list of the item.
func (i *replayed) next(list string) (json.RawMessage, error) {
	parts := rawjson.List(rawjson.Get(i.whole, list))
	at := len(i.ItemWriter.parts[list])
	if i.ItemWriter.part != nil && textKinds[i.ItemWriter.part.text].list == list {
		at++ // it ends when the next one is opened
	}
	if at >= len(parts) {
		return nil, errShape
	}
	return parts[at], nil
}

// begin opens a part.
func (i *replayed) begin(t Text) error {
	k := textKinds[t]
	p, err := i.next(k.list)
	if err != nil || k.item != i.kind || k.list == "" || rawjson.Text(rawjson.Get(p, "type")) != k.part {
		return errShape
	}
	i.part, i.text, i.notes, i.probs = p, rawjson.Text(rawjson.Get(p, k.member)), 0, 0
	i.open(t, rawjson.ReadObject(p))
	return nil
}

// say writes a piece.
func (r *replayer) say(i *replayed, t Text) error {
	k := textKinds[t]
	n, err := r.number()
	if err != nil {
		return err
	}
	probs, err := r.number()
	if err != nil {
		return err
	}
	if k.list == "" && !i.told[t] {
		i.told[t], i.text = true, rawjson.Text(rawjson.Get(i.whole, k.member))
	}
	var all []json.RawMessage
	if t == OutputText {
		all = rawjson.List(rawjson.Get(i.part, "logprobs"))
	}
	if k.item != i.kind || n > len(i.text) || i.probs+probs > len(all) || k.list != "" && (i.ItemWriter.part == nil || i.ItemWriter.part.text != t) {
		return errShape
	}
	piece := i.text[:n]
	if !utf8.ValidString(piece) {
		return errShape
	}
	i.text = i.text[n:]
	i.Say(t, piece, all[i.probs:i.probs+probs]...)
	i.probs += probs
	return nil
}

// close ends the open part. Its logprobs may have come with its end alone.
func (i *replayed) close() {
	if p := i.ItemWriter.part; p != nil && p.text == OutputText {
		p.logprobs = rawjson.List(rawjson.Get(i.part, "logprobs"))
	}
	i.endPart()
}

// plain writes a part without a text.
func (i *replayed) plain() error {
	p, err := i.next("content")
	if err != nil {
		return err
	}
	if _, said := textOf(i.kind, "content", rawjson.Text(rawjson.Get(p, "type"))); said {
		return errShape // its text comes in pieces
	}
	i.wholePart("content", p)
	return nil
}

// note writes an annotation.
func (i *replayed) note() error {
	all := rawjson.List(rawjson.Get(i.part, "annotations"))
	if i.notes >= len(all) {
		return errShape
	}
	i.Annotate(all[i.notes])
	i.notes++
	return nil
}

func (r *replayer) progress(i *replayed) error {
	kind, err := r.bytes()
	if err != nil {
		return err
	}
	event, err := r.bytes()
	if err != nil || !rawjson.IsObject(event) {
		return errShape
	}
	i.Progress(string(kind), event)
	return nil
}
