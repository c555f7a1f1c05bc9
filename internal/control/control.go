// Package control holds every operation that a caller can ask for. Each one
// authorises, validates, makes one transaction, and tells the engine. Sizes
// and shapes of fields are checked where requests are decoded; control checks
// what they mean.
package control

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/events"
)

// AnswerTTL is how long the answer to an Idempotency-Key is remembered.
const AnswerTTL = 24 * time.Hour

// Models tells which models there are, and which provider serves one.
type Models interface {
	// Resolve returns the provider of an agent's model, and the model's name
	// there. The error is [rota.Invalid] if no agent should have the model; any
	// other is the operator's to mend. With an error, the provider is the one
	// under which runs wait to fail.
	Resolve(model string) (provider, name string, err error)

	// Models lists what can be asked. It blocks for a few seconds at most.
	Models(ctx context.Context) []rota.Model
}

// Control is the set of operations. All fields are required.
type Control struct {
	Store     Store
	Engine    rota.Engine
	Hub       *events.Hub
	Feed      *events.Feed
	Models    Models
	Responder Responder
	MCP       MCPClient
	Now       func() time.Time
	Rest      func(context.Context, time.Duration) error // waits, and returns the context's error if that ends; nil does not wait
	Audit     *slog.Logger                               // gets a line for each operation

	// Tokens is what tokens are made with. The zero value makes none.
	Tokens Tokens

	// PauseOnRevoke says that revoking a key pauses the schedules that it made.
	PauseOnRevoke bool

	// AgentRetention is how long a deleted agent can be restored.
	AgentRetention time.Duration

	// Kept is how long the runs and the occurrences of accounts are kept that do not say.
	Kept Retention

	// Limits are what end users and accounts may have.
	Limits Limits

	// MinInterval is the shortest interval that a schedule may have.
	MinInterval time.Duration
}

// An MCPClient uses the MCP servers of the vault.
type MCPClient interface {
	// Tools returns the names of the tools of a server, to which it shows the newest
	// credential. The error is UpstreamFailed, with words for the caller, if the server
	// cannot be used.
	Tools(ctx context.Context, o rota.Owner, s rota.MCPServer) ([]string, error)
}

// A Write is what a caller says about a change besides the change.
type Write struct {
	// IdempotencyKey makes the change happen once: asking again within
	// AnswerTTL with an equal Request answers what the first asking answered,
	// and with another one is a Conflict. Empty means none.
	IdempotencyKey string

	// Request is what identifies the request: method, path and body.
	Request []byte

	// Replayed is set to true if the answer is that of an earlier request. It may be
	// nil.
	Replayed *bool

	// IfMatch are the versions of which the object must have one, or the error is
	// Precondition. None means any.
	IfMatch []int64

	grows  bool           // it adds to what the owner has stored
	alters bool           // whether it does is for the change to find out; see [Control.altering]
	full   *rota.LimitUse // the limit that keeps it from doing so; nil if there is none
}

// write makes a change in one transaction. With an idempotency key, the answer
// is remembered in the same transaction, so that a crash cannot come between.
func write[T any](ctx context.Context, c *Control, who auth.Caller, w Write, fn func(context.Context, Tx, time.Time) (T, error)) (T, error) {
	return writeInParts(ctx, c, who, w, func(ctx context.Context, tx Tx, now time.Time, _ rota.ScheduleID) (T, *rota.ScheduleID, error) {
		answer, err := fn(ctx, tx, now)
		return answer, nil, err
	})
}

// writeInParts is write for a change of as many schedules as there may be: fn makes a
// part of it, and returns the schedule after which the next part begins; nil if there
// is none. Each part has a transaction of its own, and now is the same in all.
func writeInParts[T any](ctx context.Context, c *Control, who auth.Caller, w Write,
	fn func(ctx context.Context, tx Tx, now time.Time, after rota.ScheduleID) (T, *rota.ScheduleID, error),
) (answer T, err error) {
	now := c.Now().UTC()
	if !w.alters {
		if w.full, err = c.full(ctx, who.Owner, w); err != nil {
			return answer, err
		}
	}
	for next := new(rota.ScheduleID); next != nil && err == nil; {
		after := *next
		err = c.Store.Update(ctx, func(ctx context.Context, tx Tx) error {
			next = nil
			if w.IdempotencyKey != "" {
				answer = *new(T) // of a try before
				done, err := replay(ctx, tx, who, w, now, &answer)
				if done || err != nil {
					return err
				}
			}
			if w.full != nil && !w.alters {
				return w.full.Err()
			}
			var err error
			if answer, next, err = fn(ctx, tx, now, after); err != nil || next != nil || w.IdempotencyKey == "" {
				return err
			}
			return remember(ctx, tx, who, w, now, answer)
		})
	}
	if err == nil {
		c.Engine.Changed()
	}
	if err == nil && w.grows {
		c.Limits.Wrote(who.Owner, len(w.Request)+rowBytes)
	}
	return answer, err
}

func replay[T any](ctx context.Context, tx Tx, who auth.Caller, w Write, now time.Time, answer *T) (bool, error) {
	a, err := tx.Answer(ctx, who.Owner, w.IdempotencyKey, now.Add(-AnswerTTL))
	switch {
	case errors.Is(err, rota.NotFound):
		return false, nil
	case err != nil:
		return false, err
	case string(a.Fingerprint) != string(fingerprint(w)):
		return false, rota.Errorf(rota.Conflict, "this Idempotency-Key was used for another request; use a new one")
	}
	if w.Replayed != nil {
		*w.Replayed = true
	}
	return true, json.Unmarshal(a.Body, answer)
}

func remember(ctx context.Context, tx Tx, who auth.Caller, w Write, now time.Time, answer any) error {
	body, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	a := rota.Answer{Fingerprint: fingerprint(w), Body: body, At: now}
	return tx.KeepAnswer(ctx, who.Owner, w.IdempotencyKey, a, now.Add(-AnswerTTL))
}

func fingerprint(w Write) []byte {
	h := sha256.Sum256(w.Request)
	return h[:]
}

// match returns Precondition unless the object is at the version that the
// caller asked for.
func match(w Write, version int64) error {
	if len(w.IfMatch) == 0 || slices.Contains(w.IfMatch, version) {
		return nil
	}
	wanted := make([]string, len(w.IfMatch))
	for i, v := range w.IfMatch {
		wanted[i] = strconv.FormatInt(v, 10)
	}
	return rota.Errorf(rota.Precondition, "the object is at version %d, not %s: read it again", version, strings.Join(wanted, " or "))
}

// same reports whether two objects are equal as JSON.
func same(a, b any) bool {
	return string(rota.AnyOf(a).RawMessage) == string(rota.AnyOf(b).RawMessage)
}
