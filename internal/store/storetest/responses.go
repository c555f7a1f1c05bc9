package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

var responses = []testCase{
	{"a response ends once, and its items are found", responseEnds},
	{"a conversation is held by one response, and gets its items", responseInConversation},
	{"a response goes on from another", chain},
	{"a response belongs to one worker at a time", responseLeases},
	{"owners of responses take turns", responsesTakeTurns},
	{"a response and a conversation are deleted", deleteResponses},
	{"conversations are listed for one owner, or for all of an account", conversationsOfOwners},
}

func (w *world) addConversation() rota.ConversationID {
	at := rota.InstantOf(w.next())
	c := rota.ConversationRecord{ID: rota.NewConversationID(at.Time), Owner: w.owner, Metadata: map[string]string{"k": "v"}, CreatedAt: at, UpdatedAt: at}
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddConversation(ctx, c) })
	return c.ID
}

func item(id string) rota.ItemRecord {
	return rota.ItemRecord{ID: id, Raw: json.RawMessage(fmt.Sprintf(`{"type": "message", "id":%q}`, id))}
}

// addResponse adds a response with one item that a worker has.
func (w *world) addResponse(c *rota.ConversationID, previous *rota.ResponseID) rota.ResponseID {
	w.Helper()
	at := rota.InstantOf(w.next())
	r := rota.ResponseRecord{
		ID: rota.NewResponseID(at.Time), Owner: w.owner, Status: rota.ResponseInProgress, Model: "m", Provider: provider, Previous: previous, Conversation: c,
		CreatedAt: at, Request: json.RawMessage(`{"model":"m"}`), Object: json.RawMessage(`{"id":"x"}`),
	}
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		in := item("in_" + string(r.ID))
		in.Response = &r.ID
		return tx.AddResponse(ctx, r, []rota.ItemRecord{in}, rota.Lease{Worker: "w1", Until: start.Add(time.Hour)})
	})
	return r.ID
}

// takeResponses takes responses at a provider, in turns; all may be taken if t says nothing else.
func (w *world) takeResponses(worker string, now time.Time, t rota.ResponseTurns) (taken []rota.OpenResponse) {
	if t.Load == nil {
		t.Load = func(map[rota.OwnerAt]int) {}
	}
	if t.Take == nil {
		t.Take = func(rota.OpenResponse) (string, bool) { return provider, true }
	}
	w.update(func(ctx context.Context, tx sqlstore.Queries) (err error) {
		taken, err = tx.TakeResponses(ctx, rota.Lease{Worker: worker, Until: now.Add(time.Minute)}, now, t)
		return err
	})
	return taken
}

// waitingResponse adds a response in the background.
func (w *world) waitingResponse(endUser string) rota.ResponseID {
	w.Helper()
	at := rota.InstantOf(w.next())
	r := rota.ResponseRecord{
		ID: rota.NewResponseID(at.Time), Owner: rota.Owner{Account: w.owner.Account, EndUser: endUser}, Status: rota.ResponseQueued, Background: true, Model: "m",
		CreatedAt: at, Request: json.RawMessage(`{"model":"m"}`), Object: json.RawMessage(`{"id":"x"}`),
	}
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddResponse(ctx, r, nil, rota.Lease{}) })
	return r.ID
}

func responsesTakeTurns(w *world) {
	for range 5 {
		w.waitingResponse("flood")
	}
	quiet := w.waitingResponse("quiet")
	now := w.next()
	users := func(taken []rota.OpenResponse) (names []string) {
		for _, o := range taken {
			names = append(names, o.Owner.EndUser)
		}
		return names
	}
	var told map[rota.OwnerAt]int
	load := func(busy map[rota.OwnerAt]int) { told = busy }

	first := w.takeResponses("w1", now, rota.ResponseTurns{Limit: 3, Load: load})
	require.Empty(w, told)
	require.Equal(w, []string{"flood", "quiet", "flood"}, users(first))
	require.Equal(w, rota.OpenResponse{ID: quiet, Owner: first[1].Owner, Model: "m", Background: true}, first[1])
	w.waitingResponse("quiet")
	w.waitingResponse("third")
	next := w.takeResponses("w2", now, rota.ResponseTurns{Limit: 2, After: first[2].Owner, Load: load})
	require.Equal(w, []string{"quiet", "third"}, users(next), "behind the one who had the last turn")
	of := func(endUser string) rota.OwnerAt {
		return rota.OwnerAt{Owner: rota.Owner{Account: w.owner.Account, EndUser: endUser}, Provider: provider}
	}
	require.Equal(w, map[rota.OwnerAt]int{of("flood"): 2, of("quiet"): 1}, told, "another process has them")

	floods := func(o rota.Owner) bool { return o.EndUser == "flood" }
	require.Empty(w, w.takeResponses("w2", now, rota.ResponseTurns{Limit: 9, May: func(o rota.Owner) bool { return !floods(o) }}))
	one := true
	take := func(rota.OpenResponse) (string, bool) {
		defer func() { one = false }()
		return provider, one
	}
	require.Len(w, w.takeResponses("w2", now, rota.ResponseTurns{Limit: 9, Take: take}), 1)
	busy, err := w.store.BusyResponses(w.Context(), "w1", now)
	require.NoError(w, err)
	require.Equal(w, map[rota.OwnerAt]int{of("flood"): 1, of("quiet"): 1, of("third"): 1}, busy)
	busy, err = w.store.BusyResponses(w.Context(), "w1", now.Add(time.Hour))
	require.NoError(w, err)
	require.Empty(w, busy, "that process is gone")
	require.Len(w, w.takeResponses("w3", now.Add(time.Hour), rota.ResponseTurns{Limit: 20, Load: load}), 8)
	require.Empty(w, told)
}

// end says that a response was answered with one item.
func (w *world) end(id rota.ResponseID) rota.ResponseEnd {
	out := item("out_" + string(id))
	out.Output, out.Response = true, &id
	return rota.ResponseEnd{
		ID: id, Worker: "w1", Inputs: 1, Status: rota.ResponseCompleted, At: w.next(), Output: []rota.ItemRecord{out}, Shape: []byte{1}, NotSent: []string{"user"},
		Tokens: &rota.Tokens{Total: 3}, Steps: []rota.ResponseStep{{Number: 1, Kind: rota.StepAsked, At: start, Key: "k"}, {Number: 2, Kind: rota.StepEnd, At: start}},
	}
}

func (w *world) endResponse(id rota.ResponseID) (ended bool) {
	w.Helper()
	e := w.end(id)
	w.update(func(ctx context.Context, tx sqlstore.Queries) (err error) {
		ended, err = tx.EndResponse(ctx, e)
		return err
	})
	return ended
}

func responseEnds(w *world) {
	id := w.addResponse(nil, nil)
	status, err := w.store.ResponseStatus(w.Context(), w.owner, id)
	require.NoError(w, err)
	require.Equal(w, rota.ResponseInProgress, status)
	require.True(w, w.endResponse(id))
	require.False(w, w.endResponse(id), "once")
	r, err := w.store.StoredResponse(w.Context(), w.owner, id)
	require.NoError(w, err)
	require.Equal(w, rota.ResponseCompleted, r.Status)
	require.Equal(w, `[{"type": "message", "id":"out_`+string(id)+`"}]`, string(r.Output), "as it came")
	require.Equal(w, []string{"user"}, r.NotSent)
	input, err := w.store.ResponseInput(w.Context(), id, rota.Page{Limit: 10})
	require.NoError(w, err)
	require.Len(w, input.Data, 1)
	require.Equal(w, "in_"+string(id), input.Data[0].ID)
	steps, err := w.store.ResponseSteps(w.Context(), id)
	require.NoError(w, err)
	require.Equal(w, []rota.StepKind{rota.StepAsked, rota.StepEnd}, []rota.StepKind{steps[0].Kind, steps[1].Kind})
	second := w.addResponse(nil, nil)
	list, err := w.store.Responses(w.Context(), w.owner, rota.Page{Limit: 10})
	require.NoError(w, err)
	require.Equal(w, []rota.ResponseID{second, id}, []rota.ResponseID{list.Data[0].ID, list.Data[1].ID})
	list, err = w.store.Responses(w.Context(), w.owner, rota.Page{Limit: 10, Before: string(id), Bytes: 1 << 20})
	require.NoError(w, err)
	require.Equal(w, []rota.ResponseID{second}, []rota.ResponseID{list.Data[0].ID})
	for _, o := range w.strangers() {
		_, err := w.store.StoredResponse(w.Context(), o, id)
		require.ErrorIs(w, err, rota.NotFound)
		list, err := w.store.Responses(w.Context(), o, rota.Page{Limit: 10})
		require.NoError(w, err)
		require.Empty(w, list.Data)
	}
}

func responseInConversation(w *world) {
	c := w.addConversation()
	id := w.addResponse(&c, nil)
	err := w.try(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.HoldConversation(ctx, w.owner, c, "another")
	})
	require.ErrorIs(w, err, rota.ConversationLocked)
	require.True(w, w.endResponse(id))
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		have, err := tx.Conversation(ctx, w.owner, c)
		require.NoError(w, err)
		return tx.AddItems(ctx, have, []rota.ItemRecord{item("mine")}, w.now)
	})
	items, err := w.store.ConversationItems(w.Context(), c, rota.Page{Limit: 10, Ascending: true})
	require.NoError(w, err)
	var ids []string
	for _, i := range items.Data {
		ids = append(ids, i.ID)
	}
	require.Equal(w, []string{"in_" + string(id), "out_" + string(id), "mine"}, ids)
	turns, err := w.store.ConversationTurns(w.Context(), c)
	require.NoError(w, err)
	require.Len(w, turns, 2)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.DeleteItem(ctx, c, "mine", w.now) })
	_, err = w.store.ConversationItem(w.Context(), c, "mine")
	require.ErrorIs(w, err, rota.NotFound)
}

func chain(w *world) {
	first := w.addResponse(nil, nil)
	w.endResponse(first)
	second := w.addResponse(nil, &first)
	w.endResponse(second)
	turns, err := w.store.ChainTurns(w.Context(), w.owner, second)
	require.NoError(w, err)
	require.Len(w, turns, 2)
	require.Equal(w, []rota.ResponseID{first, second}, []rota.ResponseID{turns[0].Response, turns[1].Response})
	for _, o := range w.strangers() {
		_, err := w.store.ChainTurns(w.Context(), o, second)
		require.ErrorIs(w, err, rota.PreviousNotFound)
	}
}

func responseLeases(w *world) {
	id := w.addResponse(nil, nil)
	take := func(worker string, now time.Time) []rota.OpenResponse {
		return w.takeResponses(worker, now, rota.ResponseTurns{Limit: 10})
	}
	require.Empty(w, take("w2", start), "another has it")
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		renewed, err := tx.RenewLeases(ctx, rota.Lease{Worker: "w1", Until: start.Add(2 * time.Hour)})
		require.Equal(w, []rota.ResponseID{id}, renewed)
		return err
	})
	require.Empty(w, take("w2", start.Add(time.Hour)))
	waits, err := w.store.ResponsesWait(w.Context(), start.Add(2*time.Hour))
	require.NoError(w, err)
	require.True(w, waits)
	require.Equal(w, []rota.OpenResponse{{ID: id, Owner: w.owner, Model: "m", Orphan: true}}, take("w2", start.Add(2*time.Hour)))
	require.False(w, w.endResponse(id), "it is not the first one's any more")
	work, input, err := w.store.ResponseWork(w.Context(), id)
	require.NoError(w, err)
	require.Equal(w, id, work.ID)
	require.Len(w, input, 1)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.LeaveResponses(ctx, "w2") })
	require.Len(w, take("w1", start), 1)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.FreeResponses(ctx, "w3") })
	require.Len(w, take("w1", start), 1)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.BeginResponse(ctx, id, "other") })
	require.True(w, w.endResponse(id))
	require.Empty(w, take("w2", start.Add(24*time.Hour)))
}

func deleteResponses(w *world) {
	c := w.addConversation()
	kept, alone := w.addResponse(&c, nil), w.addResponse(nil, nil)
	w.endResponse(kept)
	w.endResponse(alone)
	for _, id := range []rota.ResponseID{kept, alone} {
		w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.DeleteResponse(ctx, w.owner, id) })
		_, err := w.store.StoredResponse(w.Context(), w.owner, id)
		require.ErrorIs(w, err, rota.NotFound)
		require.ErrorIs(w, w.try(func(ctx context.Context, tx sqlstore.Queries) error { return tx.DeleteResponse(ctx, w.owner, id) }), rota.NotFound)
	}
	items, err := w.store.ConversationItems(w.Context(), c, rota.Page{Limit: 10})
	require.NoError(w, err)
	require.Len(w, items.Data, 2, "they are in the conversation")
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		have, err := tx.Conversation(ctx, w.owner, c)
		require.NoError(w, err)
		have.Metadata = map[string]string{"a": "b"}
		if err := tx.SaveConversation(ctx, have); err != nil {
			return err
		}
		return tx.DeleteConversation(ctx, c, w.now)
	})
	_, err = w.store.Conversation(w.Context(), w.owner, c)
	require.ErrorIs(w, err, rota.NotFound)
	require.Empty(w, w.conversationsOf(rota.Owners{Owner: w.owner}))
}

func (w *world) conversationsOf(o rota.Owners) (ids []rota.ConversationID) {
	w.Helper()
	list, err := w.store.AllConversations(w.Context(), o, rota.Page{Limit: 10, Ascending: true})
	require.NoError(w, err)
	for _, c := range list.Data {
		ids = append(ids, c.ID)
	}
	return ids
}

func conversationsOfOwners(w *world) {
	mine := w.addConversation()
	w.owner = rota.Owner{Account: "acme"}
	ofAccount := w.addConversation()
	w.owner = rota.Owner{Account: "other", EndUser: "u-1"}
	w.addConversation()
	require.Equal(w, []rota.ConversationID{mine}, w.conversationsOf(rota.Owners{Owner: rota.Owner{Account: "acme", EndUser: "u-1"}}))
	require.Equal(w, []rota.ConversationID{ofAccount}, w.conversationsOf(rota.Owners{Owner: rota.Owner{Account: "acme"}}))
	require.ElementsMatch(w, []rota.ConversationID{mine, ofAccount}, w.conversationsOf(rota.Owners{Owner: rota.Owner{Account: "acme"}, All: true}))
}
