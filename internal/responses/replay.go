package responses

import (
	"encoding/json"
	"errors"
	"strconv"

	"github.com/rota-run/rota/internal/rawjson"
)

// Replay writes the events of a response that has ended. With the shape that its
// [Writer] has left they are those that were written, under the same numbers and with
// the same pieces, so that who has read some of them can go on behind those; only what
// is told of an item or a part when it begins may be more. Without a shape each text is
// one piece, always the same. The last event has the response as it is.
//
// It fails if the object is not that of a response that has ended, or the shape is that
// of another: then what it has written until there is not the stream.
func Replay(object, shape []byte, emit func(Event)) error {
	if !rawjson.IsObject(object) {
		return errors.New("the response is not a JSON object")
	}
	o := rawjson.ReadObject(object)
	failure, details := o.Get("error"), o.Get("incomplete_details")
	at, _ := integer(o.Get("completed_at"))
	e := End{
		Status: rawjson.Text(o.Get("status")), Usage: o.Get("usage"), At: at,
		Code: rawjson.Text(rawjson.Get(failure, "code")), Text: rawjson.Text(rawjson.Get(failure, "message")),
		Reason: rawjson.Text(rawjson.Get(details, "reason")),
	}
	switch e.Status {
	case Completed, Failed, Incomplete, Cancelled:
	default:
		return errors.New("the response has not ended: it is " + e.Status)
	}
	made := 0
	w := NewWriter(beginning(o), func(prefix string) string {
		made++
		return prefix + strconv.Itoa(made)
	}, emit)
	items := rawjson.List(o.Get("output"))
	if shape != nil {
		r := &replayer{w: w, items: items, shape: shape}
		if err := r.play(); err != nil {
			return err
		}
		w.End(e)
		return w.Err()
	}
	w.Begin()
	for _, item := range items {
		w.Whole(item)
	}
	w.End(e)
	return w.Err()
}

// beginning returns the response as it was when it began.
func beginning(o rawjson.Object) rawjson.Object {
	o = FillObject(o, o, nil)
	o.Set("output", json.RawMessage("[]"))
	o.Set("usage", Usage(nil))
	for _, name := range []string{"completed_at", "error", "incomplete_details"} {
		o.Set(name, json.RawMessage("null"))
	}
	return o
}
