package control_test

import (
	"context"
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/control"
)

// TestEveryOperationIsEntered asks for each operation, with zero values, with a
// key that has no scope. Each is on record once, under its own name, and is
// denied; only an exchange, which gives no more than the key has, needs no scope.
func TestEveryOperationIsEntered(t *testing.T) {
	w := newWorld(t)
	stranger := auth.Caller{Key: "key_9", Owner: rota.Owner{Account: "acme", EndUser: "u-9"}, RequestID: "req_9"}
	var free []string
	operations := reflect.ValueOf(w.Control)
	for i := range operations.NumMethod() {
		name := operations.Type().Method(i).Name
		args, takesCaller := zeroes(t, operations.Method(i).Type(), stranger)
		if !takesCaller {
			continue // it is not asked for by a caller
		}
		w.log.Reset()
		out := operations.Method(i).Call(args)
		err, _ := out[len(out)-1].Interface().(error)
		line := w.logged()
		require.Equal(t, snake(name), line["operation"])
		if line["allowed"] == true {
			free = append(free, name)
			continue
		}
		require.ErrorIs(t, err, rota.Denied, name)
		require.Equal(t, "key_9 acme u-9 req_9", strings.Join([]string{
			line["key_id"].(string), line["account"].(string), line["end_user"].(string), line["request_id"].(string),
		}, " "), name)
	}
	require.Equal(t, []string{"ExchangeToken", "KeyInUse"}, free)
}

// zeroes returns arguments for a method, and whether a caller is among them.
func zeroes(t *testing.T, method reflect.Type, who auth.Caller) (args []reflect.Value, takesCaller bool) {
	for i := range method.NumIn() {
		switch in := method.In(i); in {
		case reflect.TypeFor[context.Context]():
			args = append(args, reflect.ValueOf(t.Context()))
		case reflect.TypeFor[auth.Caller]():
			args, takesCaller = append(args, reflect.ValueOf(who)), true
		default:
			args = append(args, reflect.Zero(in))
		}
	}
	return args, takesCaller
}

func snake(name string) string {
	for _, inner := range []string{`([a-z])([A-Z])`, `([A-Z])([A-Z][a-z])`} {
		name = regexp.MustCompile(inner).ReplaceAllString(name, "${1}_${2}")
	}
	return strings.ToLower(name)
}

// logged returns the one line that Control has logged.
func (w *world) logged() map[string]any {
	w.Helper()
	var line map[string]any
	require.NoError(w, json.Unmarshal(w.log.Bytes(), &line), "%s", w.log.String())
	return line
}

func TestTheRecordOfAnOperation(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(hourly, "")
	w.log.Reset()
	_, err := w.PauseSchedule(t.Context(), caller, s.AgentID, s.ID, rota.SchedulePause{}, control.Write{})
	require.NoError(t, err)
	line := w.logged()
	delete(line, "time")
	require.Equal(t, map[string]any{
		"level": "INFO", "msg": "operation", "operation": "pause_schedule", "allowed": true, "key_id": "key_1", "account": "acme",
		"end_user": "", "request_id": "", "agent_id": string(s.AgentID), "schedule_id": string(s.ID),
	}, line)

	w.log.Reset()
	_, err = w.Schedule(t.Context(), caller, s.AgentID, rota.ScheduleID(strings.Repeat("x", 10_000)), false)
	require.ErrorIs(t, err, rota.NotFound)
	require.Equal(t, "DEBUG", w.logged()["level"])
	require.Len(t, w.logged()["schedule_id"], 64)

	w.log.Reset()
	k, err := w.CreateKey(t.Context(), caller, rota.KeyCreate{Name: "k"})
	require.NoError(t, err)
	require.NotContains(t, w.log.String(), k.Secret)
}
