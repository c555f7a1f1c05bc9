package responder

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"

	"golang.org/x/sync/errgroup"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/answer"
	"github.com/rota-run/rota/internal/gateway"
	"github.com/rota-run/rota/internal/rawjson"
	"github.com/rota-run/rota/internal/responses"
)

// asksForCalls notes an answer that asks for calls that Rota makes, and reports whether
// it does: then the response goes on.
func (j *job) asksForCalls(n *responses.Normalizer, provider, model string, resp gateway.Response) bool {
	var output []json.RawMessage
	if resp.Status == responses.Completed {
		output = j.state.Tools.Answered(rawjson.List(rawjson.Get(resp.Body, "output")))
	}
	if output == nil {
		return false
	}
	if !j.writer.Begun() {
		j.writer.Begin()
	}
	n.Settle(resp.Body)
	step := rota.ResponseStep{
		Kind: rota.StepItems, Provider: provider, Model: model, ResponseID: resp.ID, Usage: rota.Any{RawMessage: resp.Usage}, NotSent: resp.NotSent,
		Items: len(output), Output: output,
	}
	j.show.Turn(step)
	j.step(step)
	return true
}

// pause lets the response sleep: from then on no process has it until it goes on.
func (j *job) pause(p answer.Pause) error {
	if p.Since.IsZero() {
		j.step(p.Called())
	}
	s, mine := rota.ResponseSleep{Sleep: p.Sleep(j.Now()), ID: j.work.ID, Worker: j.Worker, Steps: j.fresh}, false
	err := j.write(func(ctx context.Context, tx Tx) error {
		var err error
		mine, err = tx.SleepResponse(ctx, s)
		return err
	})
	if err != nil {
		j.Log.Error("that a response sleeps could not be stored; it goes on from what is on record", "response_id", j.work.ID, "err", err)
		return err
	}
	if mine {
		j.Log.Info("response sleeps", "response_id", j.work.ID, "until", p.Until)
	}
	return errAsleep
}

// note adds results of calls.
func (j *job) note(results []rota.ResponseStep) {
	for _, s := range results {
		j.step(s)
	}
	j.show.Note(results...)
}

func (j *job) caller() answer.Caller {
	return answer.Caller{Owner: j.work.Owner, Tools: j.work.Owner, ID: string(j.work.ID), Response: j.work.ID, Agent: j.work.Agent}
}

// list has the tools of MCP servers listed, which goes on record with the next question.
func (j *job) list(servers []answer.Server) error {
	steps, err := j.show.List(servers, func(s answer.Server) (rota.ResponseStep, error) { return j.Tools.List(j.ctx, j.caller(), s) })
	if err != nil {
		j.Log.Info("an MCP server has not listed its tools", "response_id", j.work.ID, "err", err)
		return err
	}
	for _, s := range steps {
		j.step(s)
	}
	j.state.Learn()
	return nil
}

// unlisted is the end of a response whose tools cannot be listed.
func unlisted(err error) answer.End {
	var failed *answer.ServerError
	if errors.As(err, &failed) {
		return answer.End{Status: rota.ResponseFailed, Code: rota.RunErrMCPServer, Message: failed.Error()}
	}
	return answer.End{Status: rota.ResponseFailed, Code: rota.RunErrWorkerLost, Message: "the list of tools was cut off"}
}

// make makes calls side by side. That they are made is on record before, and each result
// when it is there. The error is that of a call that was cut off.
func (j *job) make(calls []answer.Call) error {
	for _, s := range answer.Called(calls) {
		j.step(s)
	}
	if err := j.record(); err != nil {
		return err
	}
	from := j.caller()
	var group errgroup.Group
	for _, c := range calls {
		group.Go(func() error {
			r, err := j.Tools.Call(j.ctx, from, c)
			if err != nil {
				return err
			}
			j.Log.Info("tool called", "response_id", j.work.ID, "tool", c.Name, "call_id", c.ID(from.ID), "again", c.Again, "result", cmp.Or(r.Code, "ok"))
			j.calls.Lock()
			defer j.calls.Unlock()
			j.note([]rota.ResponseStep{c.Step(r)})
			return j.record()
		})
	}
	return group.Wait()
}
