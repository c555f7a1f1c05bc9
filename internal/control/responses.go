package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/answer"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/events"
	"github.com/rota-run/rota/internal/rawjson"
	"github.com/rota-run/rota/internal/responses"
)

// A Responder works on responses.
type Responder interface {
	// Answer works on a response until it has ended, which is on record then if the
	// response is kept. emit gets its events in order. refused is how the model has
	// refused the request before it had said anything; then nothing was emitted.
	Answer(ctx context.Context, w rota.ResponseWork, emit func(events.Event)) (object json.RawMessage, refused error)

	// Cancel ends the work on a response in this process, and reports whether there
	// was any. It blocks until the end is on record, or ctx ends.
	Cancel(ctx context.Context, id rota.ResponseID) bool

	// Lease returns what this process takes a response with.
	Lease() rota.Lease

	// Changed says that responses may wait for a process.
	Changed()

	// Room is how memory is taken for what is read beside a request, and how all of it
	// is given back. take blocks until there is as much, or ctx ends.
	Room() (take func(ctx context.Context, bytes int64) error, release func())

	// Pause blocks for as long as nobody need look again at a response that is worked
	// on elsewhere, or until ctx ends.
	Pause(ctx context.Context) error
}

// A room is memory that is taken for what is read beside a request.
type room struct {
	responder Responder
	take      func(ctx context.Context, bytes int64) error // nil until some is taken
	giveBack  func()                                       // nil as long, and when it is for somebody else to do
}

func (c *Control) room() *room { return &room{responder: c.Responder} }

// release gives all of it back.
func (r *room) release() {
	if r.giveBack != nil {
		r.giveBack()
	}
}

// handOver returns a room that has the memory, which r has no more.
func (r *room) handOver() *room {
	to := *r
	r.giveBack = nil
	return &to
}

const (
	turnCost = 8               // what earlier turns take of memory, as a multiple of their bytes
	roomWait = 2 * time.Second // how long they wait for memory
)

// hold takes memory for items, or refuses the request.
func (r *room) hold(ctx context.Context, items int) error {
	if r.take == nil {
		r.take, r.giveBack = r.responder.Room()
	}
	within, cancel := context.WithTimeout(ctx, roomWait)
	defer cancel()
	err := r.take(within, turnCost*int64(items))
	if err != nil && ctx.Err() == nil {
		return &rota.Error{Code: rota.Unavailable, Msg: "the server has no memory to spare for this request; try again later", RetryAfter: roomWait}
	}
	return err
}

// An Answer is a response, or the events of one.
type Answer struct {
	Object json.RawMessage
	Events EventReader // nil if there is an object
}

// CreateResponse has a model answer. body is that of POST /responses. It blocks until the
// response has ended, or, of a stream, until it has begun. Scope write:responses, and
// write:conversations for a response in a conversation.
//
// The response of a caller that goes away is cancelled, but for one in the background.
func (c *Control) CreateResponse(ctx context.Context, who auth.Caller, body []byte, w Write) (Answer, error) {
	return c.createResponse(ctx, who, body, w, nil)
}

// createResponse does what CreateResponse does, over a session if there is one.
func (c *Control) createResponse(ctx context.Context, who auth.Caller, body []byte, w Write, s *Session) (Answer, error) {
	if err := c.enter(ctx, who, rota.WriteResponses, "create_response"); err != nil {
		return Answer{}, err
	}
	r, err := c.readResponse(ctx, who, body, w)
	if err != nil {
		return Answer{}, err
	}
	room := c.room()
	defer room.release()
	if err := c.gather(ctx, who, &r, s, room); err != nil {
		return Answer{}, err
	}
	full, err := c.limitReached(ctx, who.Owner)
	if err != nil {
		return Answer{}, err
	}
	work, err := c.beginResponse(ctx, who, r, w, full, s)
	switch {
	case err != nil:
		return Answer{}, err
	case w.Replayed != nil && *w.Replayed:
		return c.again(ctx, who, work.ID, r.Stream)
	case r.Background:
		c.Responder.Changed()
		if r.Stream {
			return c.follow(ctx, who, work.ID, -1)
		}
		return Answer{Object: work.Object}, nil
	case !r.Stream:
		object, err := c.Responder.Answer(ctx, work, func(events.Event) {})
		return Answer{Object: object}, err
	}
	taken := room.handOver()
	e, err := c.stream(ctx, work, func(object json.RawMessage) {
		s.note(ctx, work, object)
		taken.release()
	})
	return Answer{Events: e}, err
}

// gather takes memory for what came before a request, and puts in place the items that it
// refers to.
func (c *Control) gather(ctx context.Context, who auth.Caller, r *answer.Request, s *Session, room *room) error {
	err := s.check(*r)
	if err == nil && !s.has(r.Previous) {
		err = c.holdTurns(ctx, who, r.Conversation, r.Previous, room)
	}
	if err == nil {
		r.Input, err = c.dereferenced(ctx, who, "input", r.Input, room)
	}
	return err
}

// holdTurns takes memory for what came before a request.
func (c *Control) holdTurns(ctx context.Context, who auth.Caller, v rota.ConversationID, previous rota.ResponseID, room *room) error {
	if v == "" && previous == "" {
		return nil
	}
	size, err := c.Store.TurnBytes(ctx, who.Owner, v, previous)
	if err != nil {
		return err
	}
	return room.hold(ctx, size)
}

// dereferenced returns items with those in place of references that the caller has.
func (c *Control) dereferenced(ctx context.Context, who auth.Caller, member string, items []responses.Item, room *room) ([]responses.Item, error) {
	return answer.Dereferenced(member, items, func(id string) (rota.ItemRecord, error) {
		i, err := c.Store.Item(ctx, who.Owner, id)
		if err == nil {
			err = room.hold(ctx, len(i.Raw))
		}
		return i, err
	})
}

// refer puts the function tools into a request that it refers to. Scope read:agents, if
// there are any.
func (c *Control) refer(ctx context.Context, who auth.Caller, r *answer.Request) error {
	tools := r.Rest.Get("tools")
	if rawjson.Kind(tools) != '[' {
		return nil
	}
	referred, err := answer.Refer(tools, func(id rota.FunctionToolID) (rota.FunctionDefinition, error) {
		if err := who.Require(rota.ReadAgents); err != nil {
			return rota.FunctionDefinition{}, err
		}
		f, err := c.Store.FunctionTool(ctx, who.Owner, id)
		return f.Definition, err
	})
	if err != nil {
		return err
	}
	list := rawjson.List(referred)
	if answer.NameStored(list) {
		if err := who.Require(rota.ReadAgents); err != nil {
			return err
		}
		if list, err = withStored(ctx, c.Store, who.Owner, list); err != nil {
			return err
		}
		referred = rawjson.EncodeList(list)
	}
	r.Rest.Set("tools", referred)
	if err := mayRemember(who, list); err != nil {
		return err
	}
	if err := checkMemory(ctx, c.Store, who.Owner, list); err != nil {
		return err
	}
	_, err = answer.ReadServers(list)
	return err
}

func (c *Control) readResponse(ctx context.Context, who auth.Caller, body []byte, w Write) (answer.Request, error) {
	r, err := answer.Read(body)
	if err != nil {
		return r, err
	}
	if err := c.refer(ctx, who, &r); err != nil {
		return r, err
	}
	if r.Conversation != "" {
		if err := who.Require(rota.WriteConversations); err != nil {
			return r, err
		}
	}
	if w.IdempotencyKey != "" && !r.Store {
		return r, rota.InvalidField("Idempotency-Key", "cannot be used with store: false: no answer is kept to be given again")
	}
	return r, c.served(r)
}

// publicOf returns what a caller may be told of why a model has no provider.
func publicOf(err error) string {
	var e *rota.Error
	if errors.As(err, &e) {
		return e.Msg
	}
	return err.Error()
}

// beginResponse puts a response on record, if it is kept, and returns the work. With an
// idempotency key that was used before, only the id is there. full is the limit that keeps
// its owner from having one more.
func (c *Control) beginResponse(ctx context.Context, who auth.Caller, r answer.Request, w Write, full *rota.LimitUse, s *Session) (rota.ResponseWork, error) {
	prepare := func(ctx context.Context, tx ResponseReader, now time.Time) (rota.ResponseWork, error) {
		if full != nil {
			return rota.ResponseWork{}, full.Err()
		}
		work := c.newWork(who, r, now)
		var err error
		if work.Turns, err = s.turnsBefore(ctx, tx, who.Owner, r); err != nil {
			return work, err
		}
		if r.Conversation != "" {
			work.Input = answer.Records(answer.Apart(work.Turns, r.Input), &work.ID, now)
		}
		return work, fits("input", work.Turns, r.Input)
	}
	if !r.Store {
		return prepare(ctx, c.Store.ResponseReader, c.Now().UTC())
	}
	var work rota.ResponseWork
	id, err := write(ctx, c, who, w.growing(), func(ctx context.Context, tx Tx, now time.Time) (rota.ResponseID, error) {
		var err error
		if work, err = prepare(ctx, tx.ResponseReader, now); err != nil {
			return "", err
		}
		if err := decideInput(ctx, tx, who, r, work.ID, now); err != nil {
			return "", err
		}
		lease := c.Responder.Lease()
		if r.Background {
			lease = rota.Lease{}
		}
		return work.ID, tx.AddResponse(ctx, work.ResponseRecord, work.Input, lease)
	})
	work.ID = id
	return work, err
}

func (c *Control) newWork(who auth.Caller, r answer.Request, now time.Time) rota.ResponseWork {
	id := rota.NewResponseID(now)
	status := rota.ResponseInProgress
	if r.Background {
		status = rota.ResponseQueued
	}
	provider, _, _ := c.Models.Resolve(r.Model)
	w := rota.ResponseWork{Kept: r.Store, Input: answer.Records(r.Input, &id, now)}
	w.ResponseRecord = rota.ResponseRecord{
		ID: id, Owner: who.Owner, Status: status, Background: r.Background, Model: r.Model, Provider: provider,
		CreatedAt: rota.InstantOf(now), Request: r.Rest.Encode(), Object: answer.Object(id, r, status, now).Encode(),
	}
	if r.Previous != "" {
		w.Previous = &r.Previous
	}
	if r.Conversation != "" {
		w.Conversation = &r.Conversation
	}
	return w
}

// turnsBefore returns what came before a request.
func turnsBefore(ctx context.Context, tx ResponseReader, o rota.Owner, r answer.Request) ([]rota.Turn, error) {
	switch {
	case r.Conversation != "":
		if _, err := tx.Conversation(ctx, o, r.Conversation); err != nil {
			return nil, err
		}
		return tx.ConversationTurns(ctx, r.Conversation)
	case r.Previous != "":
		return tx.ChainTurns(ctx, o, r.Previous)
	default:
		return nil, nil
	}
}

// again answers a request that was made before, under its idempotency key.
func (c *Control) again(ctx context.Context, who auth.Caller, id rota.ResponseID, stream bool) (Answer, error) {
	if stream {
		return c.follow(ctx, who, id, -1)
	}
	for {
		r, err := c.Store.StoredResponse(ctx, who.Owner, id)
		if err != nil || r.Status.Ended() || r.Background {
			return Answer{Object: Whole(r)}, err
		}
		if err := c.Responder.Pause(ctx); err != nil {
			return Answer{}, err
		}
	}
}

// Whole returns the object of a response with its output.
func Whole(r rota.ResponseRecord) json.RawMessage {
	o := rawjson.ReadObject(r.Object)
	o.Set("status", rawjson.String(string(r.Status)))
	o.Set("output", r.Output)
	if r.Sleep != nil {
		o.Set("sleep", rota.AnyOf(r.Sleep).RawMessage)
	}
	return o.Encode()
}

// Response returns a response. Scope read:responses.
func (c *Control) Response(ctx context.Context, who auth.Caller, id rota.ResponseID) (rota.ResponseRecord, error) {
	if err := c.enter(ctx, who, rota.ReadResponses, "response", on("response_id", id)); err != nil {
		return rota.ResponseRecord{}, err
	}
	return c.Store.StoredResponse(ctx, who.Owner, id)
}

// ResponseEvents returns the events of a response after a sequence number (-1: all).
// Scope read:responses.
func (c *Control) ResponseEvents(ctx context.Context, who auth.Caller, id rota.ResponseID, after int64) (EventReader, error) {
	if err := c.enter(ctx, who, rota.ReadResponses, "response_events", on("response_id", id)); err != nil {
		return nil, err
	}
	a, err := c.follow(ctx, who, id, after)
	return a.Events, err
}

// follow returns the events of a response when it has ended, and waits for that.
func (c *Control) follow(ctx context.Context, who auth.Caller, id rota.ResponseID, after int64) (Answer, error) {
	if _, err := c.Store.ResponseStatus(ctx, who.Owner, id); err != nil {
		return Answer{}, err
	}
	return Answer{Events: &replayed{control: c, who: who, id: id, after: after}}, nil
}

// replayed gives the events of a response that has ended.
type replayed struct {
	control *Control
	who     auth.Caller
	id      rota.ResponseID
	after   int64
	events  []events.Event
	read    bool
}

// Next implements [EventReader].
func (r *replayed) Next(ctx context.Context) (events.Event, error) {
	for !r.read {
		if err := r.load(ctx); err != nil {
			return events.Event{}, err
		}
	}
	if len(r.events) == 0 {
		return events.Event{}, io.EOF
	}
	e := r.events[0]
	r.events = r.events[1:]
	return e, nil
}

// load reads the events, or waits a while if the response has not ended.
func (r *replayed) load(ctx context.Context) error {
	c := r.control
	status, err := c.Store.ResponseStatus(ctx, r.who.Owner, r.id)
	if err != nil {
		return err
	}
	if !status.Ended() {
		return c.Responder.Pause(ctx)
	}
	record, err := c.Store.StoredResponse(ctx, r.who.Owner, r.id)
	if err != nil {
		return err
	}
	seq := int64(0)
	take := func(e responses.Event) {
		if seq > r.after {
			r.events = append(r.events, events.Event{Seq: seq, Data: e.Data})
		}
		seq++
	}
	r.read = true
	if err = responses.Replay(Whole(record), record.Shape, take); err != nil && record.Shape != nil {
		seq, r.events = 0, nil
		err = responses.Replay(Whole(record), nil, take)
	}
	return err
}

// Responses returns a page of responses. Scope read:responses.
func (c *Control) Responses(ctx context.Context, who auth.Caller, p rota.Page) (rota.List[rota.ResponseRecord], error) {
	if err := c.enter(ctx, who, rota.ReadResponses, "responses"); err != nil {
		return rota.List[rota.ResponseRecord]{}, err
	}
	return c.Store.Responses(ctx, who.Owner, p)
}

// ResponseInput returns a page of the items that went into a response. Scope
// read:responses.
func (c *Control) ResponseInput(ctx context.Context, who auth.Caller, id rota.ResponseID, p rota.Page) (rota.List[rota.ItemRecord], error) {
	if err := c.enter(ctx, who, rota.ReadResponses, "response_input", on("response_id", id)); err != nil {
		return rota.List[rota.ItemRecord]{}, err
	}
	if _, err := c.Store.ResponseStatus(ctx, who.Owner, id); err != nil {
		return rota.List[rota.ItemRecord]{}, err
	}
	return c.Store.ResponseInput(ctx, id, p)
}

// UpdateResponse replaces the metadata of a response. Scope write:responses.
func (c *Control) UpdateResponse(ctx context.Context, who auth.Caller, id rota.ResponseID, metadata map[string]string, w Write) (rota.ResponseRecord, error) {
	if err := c.enter(ctx, who, rota.WriteResponses, "update_response", on("response_id", id)); err != nil {
		return rota.ResponseRecord{}, err
	}
	return write(ctx, c, who, w, func(ctx context.Context, tx Tx, _ time.Time) (rota.ResponseRecord, error) {
		r, err := tx.StoredResponse(ctx, who.Owner, id)
		if err != nil {
			return r, err
		}
		if !r.Status.Ended() {
			return r, rota.Errorf(rota.Conflict, "the response has not ended: its status is %s", r.Status)
		}
		o := rawjson.ReadObject(r.Object)
		o.Set("metadata", rota.AnyOf(metadata).RawMessage)
		r.Object = o.Encode()
		return r, tx.SaveResponseObject(ctx, id, r.Object)
	})
}

// DeleteResponse deletes a response, which is cancelled before if it has not ended. Items
// that are in a conversation stay there. Scope write:responses.
func (c *Control) DeleteResponse(ctx context.Context, who auth.Caller, id rota.ResponseID, w Write) error {
	if err := c.enter(ctx, who, rota.WriteResponses, "delete_response", on("response_id", id)); err != nil {
		return err
	}
	if _, err := c.endResponse(ctx, who, id); err != nil {
		return err
	}
	_, err := write(ctx, c, who, w, func(ctx context.Context, tx Tx, _ time.Time) (bool, error) {
		return true, tx.DeleteResponse(ctx, who.Owner, id)
	})
	return err
}

// CancelResponse ends a response that has not ended. One that is cancelled stays as it
// is; one that ended otherwise is a Conflict. Scope write:responses.
func (c *Control) CancelResponse(ctx context.Context, who auth.Caller, id rota.ResponseID) (rota.ResponseRecord, error) {
	if err := c.enter(ctx, who, rota.WriteResponses, "cancel_response", on("response_id", id)); err != nil {
		return rota.ResponseRecord{}, err
	}
	r, err := c.endResponse(ctx, who, id)
	if err == nil && r.Status != rota.ResponseCancelled {
		err = rota.Errorf(rota.Conflict, "the response has ended: its status is %s", r.Status)
	}
	return r, err
}

// cancelWait is how long the worker of a response that is cancelled may take to put on
// record what there is of it.
const cancelWait = 2 * time.Second

// endResponse makes sure that a response has ended, and returns it.
func (c *Control) endResponse(ctx context.Context, who auth.Caller, id rota.ResponseID) (rota.ResponseRecord, error) {
	status, err := c.Store.ResponseStatus(ctx, who.Owner, id)
	if err != nil {
		return rota.ResponseRecord{}, err
	}
	if !status.Ended() {
		within, done := context.WithTimeout(ctx, cancelWait)
		defer done()
		c.Responder.Cancel(within, id)
		err = c.Store.Update(ctx, func(ctx context.Context, tx Tx) error {
			r, err := tx.StoredResponse(ctx, who.Owner, id)
			if err != nil || r.Status.Ended() {
				return err
			}
			o := rawjson.ReadObject(r.Object)
			o.Set("status", rawjson.String(string(rota.ResponseCancelled)))
			_, err = tx.EndResponse(ctx, rota.ResponseEnd{ID: id, Status: rota.ResponseCancelled, At: c.Now(), Object: o.Encode()})
			return err
		})
		c.Engine.Changed() // a run may wait for its conversation
	}
	if err != nil {
		return rota.ResponseRecord{}, err
	}
	return c.Store.StoredResponse(ctx, who.Owner, id)
}

// ShownItem returns an item as lists of items have it.
func ShownItem(r rota.ItemRecord) json.RawMessage {
	i, err := responses.ReadItem(r.Raw)
	if err != nil {
		return r.Raw
	}
	return i.Shown(r.ID)
}

// ReadMetadata reads the metadata in a body. It is [rota.Invalid] if there is none.
func ReadMetadata(body []byte) (map[string]string, error) {
	if !rawjson.IsObject(body) {
		return nil, rota.Errorf(rota.Invalid, "send a JSON object with metadata as the body")
	}
	m, err := answer.Metadata(rawjson.Get(body, "metadata"))
	if err == nil && m == nil {
		err = rota.InvalidField("metadata", "must be an object of strings")
	}
	return m, err
}
