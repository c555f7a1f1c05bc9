package httpapi

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"reflect"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
)

const (
	llmPath       = "/api/v1/llm"
	responsesPath = llmPath + "/responses"
	responsePath  = responsesPath + "/{response_id}"
)

func (c call) response() rota.ResponseID { return rota.ResponseID(c.PathValue("response_id")) }

// raw is an answer that is JSON already.
func raw(b []byte) rota.Any { return rota.Any{RawMessage: b} }

// large lets an operation take a large body, in which everything that nobody knows
// passes. It is not decoded: do reads it.
func large[I any](op *operation) *operation {
	op.open, op.input = true, reflect.TypeFor[I]()
	return op
}

// shows says what an answer looks like.
func shows[O any](op *operation) *operation {
	op.open, op.output = true, reflect.TypeFor[O]()
	return op
}

func (a *api) responseOperations() []*operation {
	const tag = "Responses"
	create := shows[Response](large[ResponseCreate](answers(Route{http.MethodPost, responsesPath, rota.WriteResponses, http.StatusOK, "create_response"}, a.createResponse))).
		says(tag, "Have a model answer", "The Responses API: answers with the whole response, or with its events if stream is true. Members that Rota does not know go to the model's provider.").
		like(`{"model": "auto", "input": "What is the capital of France?"}`).
		with("idempotency_key").may(rota.Conflict, rota.NotFound, rota.NotImplemented)
	get := shows[Response](answers(Route{http.MethodGet, responsePath, rota.ReadResponses, http.StatusOK, "get_response"}, a.getResponse)).
		says(tag, "Get a response", "The response as it is now; with stream, its events from the first on, or those after starting_after, once it has ended.").
		with("stream", "starting_after")
	create.streams, get.streams = true, true
	list := shows[rota.List[Response]](lists(Route{http.MethodGet, responsesPath, rota.ReadResponses, http.StatusOK, "list_responses"}, a.listResponses)).
		says(tag, "List responses", "Those that are kept, newest first. With `Upgrade: websocket` it opens a WebSocket over which responses are created, one after the other.")
	input := shows[rota.List[ResponseItem]](lists(Route{http.MethodGet, responsePath + "/input_items", rota.ReadResponses, http.StatusOK, "list_response_input_items"}, a.listInputItems)).
		says(tag, "List what a response was told", "Its own input, without what came before it.")
	input.cursor = anyID
	return []*operation{
		create, list, get,
		shows[Response](large[MetadataUpdate](answers(Route{http.MethodPost, responsePath, rota.WriteResponses, http.StatusOK, "update_response"}, a.updateResponse))).
			says(tag, "Update a response", "Replaces the metadata of a response that has ended.").
			like(`{"metadata": {"reviewed": "yes"}}`).may(rota.Conflict),
		shows[LLMDeleted](answers(Route{http.MethodDelete, responsePath, rota.WriteResponses, http.StatusOK, "delete_response"}, a.deleteResponse)).
			says(tag, "Delete a response", "One that has not ended is cancelled. Its items stay in its conversation, if it has one."),
		shows[Response](answers(Route{http.MethodPost, responsePath + "/cancel", rota.WriteResponses, http.StatusOK, "cancel_response"}, a.cancelResponse)).
			says(tag, "Cancel a response", "Ends a response that has not ended. One that is cancelled stays as it is; one that ended otherwise answers 409.").may(rota.Conflict),
		input,
		accepts(Route{http.MethodPost, responsePath + "/wake", rota.WriteResponses, http.StatusOK, "wake_response"}, a.wakeResponse).
			says(tag, "Wake a response", "Lets a response in the background that its model has put to sleep go on at once. The model is told the input as the result of its call of the tool sleep. A response that does not sleep answers 409 with the code not_sleeping.").
			like(`{"input": "There is news."}`).with("idempotency_key").may(rota.NotSleeping),
		shows[CompactedResponse](large[ResponseCompact](answers(Route{http.MethodPost, responsesPath + "/compact", rota.WriteResponses, http.StatusOK, "compact_response"}, a.compactResponse))).
			says(tag, "Compact a conversation", "Has the model sum up the input, and what came before it. The output is one item, of the type compaction, with which the input of the next response begins.").
			like(`{"model": "auto", "input": "My name is Ada."}`).may(rota.NotFound),
	}
}

func (a *api) wakeResponse(ctx context.Context, c call, in ResponseWakeCreate) (rota.ResponseWake, error) {
	return a.Control.WakeResponse(ctx, c.who, c.response(), in.Input, c.write)
}

// anyID accepts every cursor: the ids of items are those of callers and models.
func anyID(string) error { return nil }

// json returns the body, if it says that it is JSON.
func (c call) json() ([]byte, error) {
	if err := mediaType(c.Header); err != nil {
		return nil, err
	}
	return c.body, nil
}

func (a *api) createResponse(ctx context.Context, c call) (any, error) {
	body, err := c.json()
	if err != nil {
		return nil, err
	}
	return answered(a.Control.CreateResponse(ctx, c.who, body, c.write))
}

func (a *api) compactResponse(ctx context.Context, c call) (any, error) {
	body, err := c.json()
	if err != nil {
		return nil, err
	}
	object, err := a.Control.CompactResponse(ctx, c.who, body)
	return raw(object), err
}

// answered returns an answer as the operation has it.
func answered(answer control.Answer, err error) (any, error) {
	switch {
	case err != nil:
		return nil, err
	case answer.Events != nil:
		return stream{EventReader: answer.Events, named: true}, nil
	default:
		return raw(answer.Object), nil
	}
}

func (a *api) getResponse(ctx context.Context, c call) (any, error) {
	streams, err := c.streams()
	if err != nil {
		return nil, err
	}
	if !streams {
		if err := hold(ctx, c.memory, partCost*partBytes); err != nil {
			return nil, err
		}
		r, err := a.Control.Response(ctx, c.who, c.response())
		if err != nil {
			return nil, err
		}
		return raw(control.Whole(r)), hold(ctx, c.memory, partCost*int64(len(r.Output)+len(r.Object)))
	}
	after, err := startingAfter(c.Request)
	if err != nil {
		return nil, err
	}
	e, err := a.Control.ResponseEvents(ctx, c.who, c.response(), after)
	return answered(control.Answer{Events: e}, err)
}

// streams reports whether a GET asks for events. OpenAI's client for Go says so in the
// body.
func (c call) streams() (bool, error) {
	if c.URL.Query().Has("stream") || c.ContentLength <= 0 || c.ContentLength > 1024 {
		return boolParam(c.URL.Query(), "stream")
	}
	var in struct{ Stream bool }
	body, err := io.ReadAll(io.LimitReader(c.Body, 1024))
	if err == nil {
		_ = json.Unmarshal(body, &in) // what is something else says nothing of a stream
	}
	return in.Stream, nil
}

func (a *api) listResponses(ctx context.Context, c call, p rota.Page) (rota.List[rota.Any], error) {
	l, err := a.Control.Responses(ctx, c.who, p)
	return converted(l, func(r rota.ResponseRecord) rota.Any { return raw(control.Whole(r)) }), err
}

// converted returns a list with other elements.
func converted[T, U any](l rota.List[T], fn func(T) U) rota.List[U] {
	out := rota.List[U]{Object: "list", Data: make([]U, len(l.Data)), FirstID: l.FirstID, LastID: l.LastID, HasMore: l.HasMore, Cut: l.Cut, Size: l.Size}
	for i, v := range l.Data {
		out.Data[i] = fn(v)
	}
	return out
}

func (a *api) listInputItems(ctx context.Context, c call, p rota.Page) (rota.List[rota.Any], error) {
	l, err := a.Control.ResponseInput(ctx, c.who, c.response(), p)
	return converted(l, shownItem), err
}

func shownItem(i rota.ItemRecord) rota.Any { return raw(control.ShownItem(i)) }

func (a *api) updateResponse(ctx context.Context, c call) (any, error) {
	m, err := c.metadata()
	if err != nil {
		return nil, err
	}
	r, err := a.Control.UpdateResponse(ctx, c.who, c.response(), m, c.write)
	return raw(control.Whole(r)), err
}

// metadata reads a body that has nothing else.
func (c call) metadata() (map[string]string, error) {
	body, err := c.json()
	if err != nil {
		return nil, err
	}
	return control.ReadMetadata(body)
}

func (a *api) deleteResponse(ctx context.Context, c call) (LLMDeleted, error) {
	err := a.Control.DeleteResponse(ctx, c.who, c.response(), c.write)
	return LLMDeleted{ID: string(c.response()), Object: "response", Deleted: true}, err
}

func (a *api) cancelResponse(ctx context.Context, c call) (any, error) {
	r, err := a.Control.CancelResponse(ctx, c.who, c.response())
	return raw(control.Whole(r)), err
}
