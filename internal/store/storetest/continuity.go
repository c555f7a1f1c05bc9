package storetest

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

var continuity = []testCase{
	{"runs wait in line for a conversation", runsInLine},
	{"a run that is cancelled lets go of its conversation", cancelledInLine},
	{"a run whose provider has changed lets go of its conversation", requeuedInLine},
	{"a run waits for a response in its conversation", runBehindResponse},
	{"runs go on from each other", runChain},
	{"a run whose conversation is not there starts", noConversation},
	{"what responses and conversations have is counted", countedTurns},
	{"what an agent's runs have said is purged with it", purgedTurns},
}

// addRunIn adds a run that joins a conversation.
func (w *world) addRunIn(a rota.AgentID, c rota.ConversationID) rota.RunID {
	w.Helper()
	r := w.newRun(a)
	r.Conversation = rota.ConversationOf(c)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddRun(ctx, w.owner, r, provider) })
	return r.ID
}

// answered is the end of a run that others may go on from.
func (w *world) answered(a rota.AgentID, c *rota.ConversationID, previous *rota.ResponseID) rota.Result {
	r := w.completed()
	at := rota.InstantOf(w.next())
	id := rota.NewResponseID(at.Time)
	in, out := item("in_"+string(id)), item("out_"+string(id))
	in.Response, out.Response, out.Output = &id, &id, true
	r.ResponseID = string(id)
	r.Turn = &rota.RunTurn{
		Response: rota.ResponseRecord{
			ID: id, Owner: w.owner, Agent: a, Status: rota.ResponseCompleted, Model: "m", Provider: provider, Previous: previous, Conversation: c,
			CreatedAt: at, EndedAt: &at, Request: json.RawMessage(`{}`), Object: json.RawMessage(`{"id":"x"}`), NotSent: []string{"user"},
		},
		Turn: rota.Turn{Input: []rota.ItemRecord{in}, Output: []rota.ItemRecord{out}},
	}
	return r
}

// started returns the runs that a claim has started, and how many it has put in line.
func (w *world) started() (ids []rota.RunID, inLine int) {
	w.Helper()
	for _, work := range w.claim(10) {
		if work.InLine {
			inLine++
			continue
		}
		ids = append(ids, work.Run.ID)
	}
	return ids, inLine
}

func runsInLine(w *world) {
	a, c := w.addAgent().ID, w.addConversation()
	first, second, third := w.addRunIn(a, c), w.addRunIn(a, c), w.addRunIn(a, c)
	other := w.addRun(a).ID
	w.at(time.Second)
	ids, inLine := w.started()
	require.Equal(w, []rota.RunID{first, other}, ids)
	require.Equal(w, 2, inLine)
	require.Equal(w, rota.PhaseQueued, w.run(second).Phase)
	ids, inLine = w.started()
	require.Empty(w, ids, "they wait")
	require.Zero(w, inLine, "and are not looked at")
	require.ErrorIs(w, w.try(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.HoldConversation(ctx, w.owner, c, "resp_1")
	}), rota.ConversationLocked)

	end := w.answered(a, &c, nil)
	require.True(w, w.finish(first, end).Due, "the next may start")
	ids, _ = w.started()
	require.Equal(w, []rota.RunID{second}, ids)
	require.False(w, w.finish(other, w.completed()).Due)
	w.finish(second, w.failed(rota.RunErrProvider))
	ids, _ = w.started()
	require.Equal(w, []rota.RunID{third}, ids)
	require.False(w, w.finish(third, w.answered(a, &c, nil)).Due, "nobody waits")

	turns, err := w.store.TurnsBefore(w.Context(), w.owner, c, "")
	require.NoError(w, err)
	require.Len(w, turns, 2, "nothing of the run that failed")
	require.Equal(w, end.ResponseID, string(turns[0].Response))
	require.Equal(w, end.Turn.Input, turns[0].Input)
	require.Equal(w, end.Turn.Output, turns[0].Output)
	size, err := w.store.TurnBytes(w.Context(), w.owner, c, "")
	require.NoError(w, err)
	require.Equal(w, 2*(len(end.Turn.Input[0].Raw)+len(end.Turn.Output[0].Raw)), size)
	stored, err := w.store.StoredResponse(w.Context(), w.owner, rota.ResponseID(end.ResponseID))
	require.NoError(w, err)
	require.Equal(w, rota.ResponseCompleted, stored.Status)
	require.Equal(w, []string{"user"}, stored.NotSent)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.HoldConversation(ctx, w.owner, c, "resp_1")
	})
}

func cancelledInLine(w *world) {
	a, c := w.addAgent().ID, w.addConversation()
	first, second, third := w.addRunIn(a, c), w.addRunIn(a, c), w.addRunIn(a, c)
	w.at(time.Second)
	w.started()
	cancelled := rota.Result{Phase: rota.PhaseCancelled, Error: &rota.RunError{Code: rota.RunErrCancelled}, CompletedAt: w.now}
	w.finish(second, cancelled)
	ids, _ := w.started()
	require.Empty(w, ids, "the first still has the conversation")
	w.finish(first, cancelled)
	ids, _ = w.started()
	require.Equal(w, []rota.RunID{third}, ids)
}

func requeuedInLine(w *world) {
	a, c := w.addAgent().ID, w.addConversation()
	first := w.addRunIn(a, c)
	w.at(time.Second)
	w.started()
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.RequeueRun(ctx, rota.Attempt{Run: first, Attempt: 1}, provider)
	})
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.HoldConversation(ctx, w.owner, c, "resp_1")
	})
}

func runBehindResponse(w *world) {
	a, c := w.addAgent().ID, w.addConversation()
	response, run := w.addResponse(&c, nil), w.addRunIn(a, c)
	w.at(time.Second)
	ids, inLine := w.started()
	require.Empty(w, ids)
	require.Equal(w, 1, inLine)
	w.endResponse(response)
	ids, _ = w.started()
	require.Equal(w, []rota.RunID{run}, ids)
	w.finish(run, w.answered(a, &c, nil))
	turns, err := w.store.TurnsBefore(w.Context(), w.owner, c, "")
	require.NoError(w, err)
	require.Len(w, turns, 2)
}

func runChain(w *world) {
	a := w.addAgent().ID
	var previous *rota.ResponseID
	for range 3 {
		r := w.newRun(a)
		r.PreviousResponseID = (*string)(previous)
		w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddRun(ctx, w.owner, r, provider) })
		w.at(time.Second)
		w.claimOne()
		end := w.answered(a, nil, previous)
		w.finish(r.ID, end)
		previous = new(rota.ResponseID(end.ResponseID))
	}
	turns, err := w.store.TurnsBefore(w.Context(), w.owner, "", *previous)
	require.NoError(w, err)
	require.Len(w, turns, 3)
	size, err := w.store.TurnBytes(w.Context(), w.owner, "", *previous)
	require.NoError(w, err)
	require.Positive(w, size)
	for _, o := range w.strangers() {
		_, err := w.store.TurnsBefore(w.Context(), o, "", *previous)
		require.ErrorIs(w, err, rota.PreviousNotFound)
	}
}

func noConversation(w *world) {
	run := w.addRunIn(w.addAgent().ID, "conv_none")
	w.at(time.Second)
	ids, _ := w.started()
	require.Equal(w, []rota.RunID{run}, ids)
	_, err := w.store.TurnsBefore(w.Context(), w.owner, "conv_none", "")
	require.ErrorIs(w, err, rota.NotFound)
	w.finish(run, w.failed(rota.RunErrRejected))
}

// countedTurns: what runs and responses keep is counted once, wherever its items are.
func countedTurns(w *world) {
	a := w.addAgent().ID
	before := w.stored()[w.owner.EndUser]
	c := w.addConversation()
	run := w.addRunIn(a, c)
	w.at(time.Second)
	w.started()
	r := w.answered(a, &c, nil)
	r.Turn.Output[0].Raw = json.RawMessage(`"` + strings.Repeat("é", 5000) + `"`)
	w.finish(run, r)
	size, err := w.store.ResponseBytes(w.Context(), r.Turn.Response.ID)
	require.NoError(w, err)
	require.InDelta(w, 10_000, size, 200)
	w.endResponse(w.addResponse(nil, nil))
	require.InDelta(w, before+4*500+10_000, w.stored()[w.owner.EndUser], 900)
}

// purgedTurns: with an agent goes what its runs have said, and the conversations that
// were made for them. What they said in the conversation of a caller stays there.
func purgedTurns(w *world) {
	a := w.addAgent()
	at := rota.InstantOf(w.next())
	own := rota.ConversationRecord{ID: rota.NewConversationID(at.Time), Owner: w.owner, Agent: a.ID, Metadata: map[string]string{}, CreatedAt: at, UpdatedAt: at}
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddConversation(ctx, own) })
	theirs := w.addConversation()
	var said []rota.ResponseID
	for _, c := range []rota.ConversationID{own.ID, theirs} {
		run := w.addRunIn(a.ID, c)
		w.at(time.Second)
		w.started()
		r := w.answered(a.ID, &c, nil)
		w.finish(run, r)
		said = append(said, r.Turn.Response.ID)
	}
	callers := w.addResponse(&own.ID, nil)
	w.endResponse(callers)
	w.deleteAgent(a.ID)
	w.at(2 * time.Hour)
	for done, steps := false, 0; !done; steps++ {
		require.Less(w, steps, 30)
		w.update(func(ctx context.Context, tx sqlstore.Queries) error {
			p, err := tx.PurgeAgent(ctx, w.now, 1)
			done = p.Done
			return err
		})
	}
	_, err := w.store.Conversation(w.Context(), w.owner, own.ID)
	require.ErrorIs(w, err, rota.NotFound)
	for _, id := range said {
		_, err := w.store.StoredResponse(w.Context(), w.owner, id)
		require.ErrorIs(w, err, rota.NotFound)
	}
	items, err := w.store.ConversationItems(w.Context(), theirs, rota.Page{Limit: 10})
	require.NoError(w, err)
	require.Len(w, items.Data, 2)
	r, err := w.store.StoredResponse(w.Context(), w.owner, callers)
	require.NoError(w, err)
	require.NotEqual(w, "[]", string(r.Output), "a caller's response keeps its items")
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.DeleteResponse(ctx, w.owner, callers) })
}
