package responder

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/answer"
	"github.com/rota-run/rota/internal/gateway"
	"github.com/rota-run/rota/internal/rawjson"
	"github.com/rota-run/rota/internal/responses"
)

// storeRetry is how long a write waits that the store could not take.
const (
	storeRetry = time.Second
	storeTries = 30
)

// record puts the fresh steps on record.
func (j *job) record() error {
	steps := j.fresh
	j.fresh = nil
	if !j.work.Kept || len(steps) == 0 {
		return nil
	}
	return j.write(func(ctx context.Context, tx Tx) error {
		if err := tx.AddSteps(ctx, j.work.ID, steps...); err != nil {
			return err
		}
		return tx.BeginResponse(ctx, j.work.ID, j.provider)
	})
}

// write stores what has come of a response, and tries again while the store cannot take
// it: asking the model anew would cost more.
func (j *job) write(fn func(context.Context, Tx) error) error {
	ctx := context.WithoutCancel(j.ctx)
	for try := 1; ; try++ {
		err := j.Store.Update(ctx, fn)
		if !errors.Is(err, rota.Unavailable) || try == storeTries {
			return err
		}
		j.Log.Error("what came of a response cannot be stored; it is tried again", "response_id", j.work.ID, "err", err)
		time.Sleep(storeRetry)
	}
}

// end ends the stream and the response.
func (j *job) end(how answer.End) (json.RawMessage, error) {
	stopped := errors.Is(context.Cause(j.ctx), rota.Unavailable)
	if how.Status != "" && j.ctx.Err() != nil && !stopped {
		how = answer.End{Status: rota.ResponseCancelled}
	}
	if how.Status == rota.ResponseFailed && stopped {
		how = answer.End{Status: rota.ResponseFailed, Code: rota.RunErrWorkerLost, Message: "the server stopped before the answer was whole"}
	}
	var refused error
	if how.Status == rota.ResponseFailed && !j.writer.Begun() {
		refused = refusal(j.refused)
	}
	j.silent = refused != nil
	if !j.writer.Over() {
		j.writer.End(responses.End{
			Status: cmp.Or(string(how.Status), responses.Failed), Reason: how.Code, Code: codeOf(how.Code), Text: how.Message, Usage: j.usage, At: j.Now().Unix(),
		})
	}
	object := j.writer.Object()
	if j.work.Kept {
		kept, err := j.keep(object, how)
		if err != nil {
			j.Log.Error("the end of a response could not be stored", "response_id", j.work.ID, "err", err)
			return object, &rota.Error{Code: rota.Unavailable, Msg: "the database does not answer: the response may have been lost", Err: err}
		}
		if !kept {
			return object, rota.Errorf(rota.Conflict, "the response has been ended elsewhere")
		}
	}
	if refused != nil {
		return object, refused
	}
	j.emit(*j.last)
	return object, nil
}

// keep puts the end on record. It reports false if somebody else has ended the response.
func (j *job) keep(object json.RawMessage, how answer.End) (kept bool, err error) {
	o := rawjson.ReadObject(object)
	output := rawjson.List(o.Get("output"))
	o.Set("output", json.RawMessage("[]"))
	end := rota.ResponseEnd{
		ID: j.work.ID, Worker: j.Worker, Inputs: len(j.work.Input), Status: rota.ResponseStatus(rawjson.Text(o.Get("status"))), At: j.Now(),
		Object: o.Encode(), Shape: j.writer.Shape(), Provider: j.provider, NotSent: j.notSent, Usage: rota.Any{RawMessage: j.usage},
		Tokens: rota.TokensIn(j.usage),
	}
	if end.Status == rota.ResponseFailed {
		end.Error = &rota.RunError{Code: cmp.Or(how.Code, rota.RunErrProvider), Message: how.Message}
	}
	for _, raw := range output {
		end.Output = append(end.Output, rota.ItemRecord{ID: rawjson.Text(rawjson.Get(raw, "id")), Response: &j.work.ID, Output: true, Raw: raw})
	}
	end.Approvals = j.state.Requests(output, rota.Approval{Owner: j.work.Owner, ResponseID: &j.work.ID}, j.Now())
	j.step(rota.ResponseStep{Kind: rota.StepEnd, Code: how.Code})
	end.Steps = j.fresh
	err = j.write(func(ctx context.Context, tx Tx) error {
		kept, err = tx.EndResponse(ctx, end)
		return err
	})
	if kept && j.work.Conversation != nil && j.Freed != nil {
		j.Freed()
	}
	return kept, err
}

// codeOf returns the code of a failure in the words of OpenAI's API, whose clients know
// these.
func codeOf(code string) string {
	switch code {
	case rota.RunErrRateLimited:
		return "rate_limit_exceeded"
	case rota.RunErrRejected:
		return "invalid_prompt"
	default:
		return "server_error"
	}
}

// refusal returns what a caller is told of a request that a model has refused before it
// said anything, or nil if the response itself tells it: asking again might be asking
// twice then.
func refusal(err error) error {
	var f *gateway.Error
	if !errors.As(err, &f) {
		return nil
	}
	if f.TooLong() {
		return &rota.Error{Code: rota.ContextTooLong, Field: "input", Msg: f.Message, Err: f}
	}
	switch f.Code {
	case rota.RunErrRejected:
		return &rota.Error{Code: rota.Invalid, Msg: f.Message, Err: f}
	case rota.RunErrRateLimited:
		return &rota.Error{Code: rota.RateLimited, Msg: f.Message, RetryAfter: f.RetryAfter, Err: f}
	case rota.RunErrMisconfigured, rota.RunErrConnection:
		return &rota.Error{Code: rota.Unavailable, Msg: f.Message, RetryAfter: f.RetryAfter, Err: f}
	default:
		return nil
	}
}
