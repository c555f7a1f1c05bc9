package control

import (
	"context"
	"encoding/json"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/answer"
	"github.com/rota-run/rota/internal/auth"
)

// WakeRun lets a sleeping run go on with new input, which it is told as the result of its
// call of sleep. A run that does not sleep is NotSleeping. Scope write:agents.
func (c *Control) WakeRun(ctx context.Context, who auth.Caller, agent rota.AgentID, id rota.RunID, in rota.RunWakeCreate, w Write) (rota.RunWake, error) {
	if err := c.enter(ctx, who, rota.WriteAgents, "wake_run", on("agent_id", agent), on("run_id", id)); err != nil {
		return rota.RunWake{}, err
	}
	if err := checkWake(in.Input.RawMessage); err != nil {
		return rota.RunWake{}, err
	}
	return write(ctx, c, who, w, func(ctx context.Context, tx Tx, now time.Time) (rota.RunWake, error) {
		run, err := tx.Run(ctx, who.Owner, agent, id)
		if err != nil {
			return rota.RunWake{}, err
		}
		woken, err := tx.WakeRun(ctx, id, now, awake(in.Input.RawMessage, now))
		if err == nil && !woken {
			err = rota.Errorf(rota.NotSleeping, "the run does not sleep: its phase is %s", run.Phase)
		}
		response := rota.ResponseOf(id)
		return rota.RunWake{Object: rota.ObjectRunWake, RunID: id, GatewayResponseID: string(response), GatewayWake: rota.Object(rota.AnyOf(wakeOf(response, now)))}, err
	})
}

// WakeResponse lets a sleeping response go on with new input, which it is told as the
// result of its call of sleep. A response that does not sleep is NotSleeping. Scope
// write:responses.
func (c *Control) WakeResponse(ctx context.Context, who auth.Caller, id rota.ResponseID, input string, w Write) (rota.ResponseWake, error) {
	if err := c.enter(ctx, who, rota.WriteResponses, "wake_response", on("response_id", id)); err != nil {
		return rota.ResponseWake{}, err
	}
	text := rota.AnyOf(input).RawMessage
	if err := checkWake(text); err != nil {
		return rota.ResponseWake{}, err
	}
	woke, err := write(ctx, c, who, w, func(ctx context.Context, tx Tx, now time.Time) (rota.ResponseWake, error) {
		status, err := tx.ResponseStatus(ctx, who.Owner, id)
		if err != nil {
			return rota.ResponseWake{}, err
		}
		woken, err := tx.WakeResponse(ctx, id, now, awake(text, now))
		if err == nil && !woken {
			err = rota.Errorf(rota.NotSleeping, "the response does not sleep: its status is %s", status)
		}
		return wakeOf(id, now), err
	})
	if err == nil {
		c.Responder.Changed()
	}
	return woke, err
}

func wakeOf(id rota.ResponseID, now time.Time) rota.ResponseWake {
	return rota.ResponseWake{Object: rota.ObjectResponseWake, ResponseID: id, CreatedAt: rota.InstantOf(now)}
}

// checkWake refuses an input that the model could not be told as a whole.
func checkWake(input json.RawMessage) error {
	if len(input) > answer.MaxResult/2 {
		return rota.InvalidField("input", "must be at most %d KiB", answer.MaxResult/2>>10)
	}
	return nil
}

func awake(input json.RawMessage, now time.Time) rota.Awake {
	return func(called rota.ResponseStep) rota.ResponseStep { return answer.Woken(called, input, now) }
}
