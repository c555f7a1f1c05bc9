package answer

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/rawjson"
	"github.com/rota-run/rota/internal/responses"
)

// The bounds of sleep.
const (
	MaxSleep  = 30 * 24 * time.Hour // of one call
	MaxSleeps = 100                 // of a run or a response
	minSleep  = time.Millisecond
)

// ResultSleep is the code of a call of sleep that did not sleep.
const ResultSleep = "not_slept"

// sleepName is the name of the tool that models know.
const sleepName = "sleep"

var sleepTool = Tool{Kind: Sleep, Name: sleepName, Server: responses.OwnServer, Title: sleepName}

// toldSleep is the tool as models are told it.
const toldSleep = `{"type":"function","name":"` + sleepName + `","description":"Pause this task, and go on with it later: after duration_seconds, at wake_at, or as soon as somebody wakes it with new input. Give one of duration_seconds and wake_at. The result says how long it slept, what time it is and, if somebody woke it, the input.","parameters":{"type":"object","properties":{"duration_seconds":{"type":"number","description":"How long to sleep: at most 2592000, which is 30 days."},"wake_at":{"type":"string","description":"When to go on, at most 30 days ahead: RFC 3339 with an offset, such as 2026-12-01T09:00:00Z."},"reason":{"type":"string","description":"Why, for people."}}},"strict":false}`

// A Pause is a call of sleep that a run or a response is to sleep for.
type Pause struct {
	Call
	Until  rota.Instant
	Reason *string
	Since  time.Time // when it fell asleep; zero if it has not yet
}

// Called returns the step that goes on record with it.
func (p Pause) Called() rota.ResponseStep {
	s := p.called()
	s.Until = &p.Until
	return s
}

// Sleep returns what is shown of it from now on.
func (p Pause) Sleep(now time.Time) rota.Sleep {
	if !p.Since.IsZero() {
		now = p.Since
	}
	return rota.Sleep{Since: rota.InstantOf(now), Until: p.Until, Reason: p.Reason}
}

// sleep returns what is to be done about a call of sleep that has no result: a result, or
// a pause. made is how many calls have been made so far.
func (s State) sleep(t turn, c Call, made int) (*rota.ResponseStep, *Pause) {
	refuse := func(text string, code string) (*rota.ResponseStep, *Pause) {
		step := c.Step(Result{Output: text, Code: code})
		return &step, nil
	}
	args := readSleep(c.Arguments)
	if called, ok := t.begun[c.Number]; ok && called.Until != nil {
		if !s.Now.Before(called.Until.Time) {
			step := woke(called, "woke", nil, s.Now)
			return &step, nil
		}
		return nil, &Pause{Call: c, Until: *called.Until, Reason: args.reason, Since: called.At}
	}
	until, err := args.until(s.Now)
	switch {
	case t.others, t.held:
		return refuse("It did not sleep: the answer has calls that the caller has to make or to approve, and ends with them.", ResultSleep)
	case !s.allows(c.Tool):
		return refuse("It did not sleep: tool_choice does not allow it.", ResultChoice)
	case made >= s.MaxCalls:
		return refuse("It did not sleep: the limit of "+strconv.Itoa(s.MaxCalls)+" calls is reached.", ResultLimit)
	case s.sleeps() >= MaxSleeps:
		return refuse("It did not sleep: it has slept "+strconv.Itoa(MaxSleeps)+" times, which is the limit.", ResultSleep)
	case err != nil:
		return refuse("It did not sleep: "+err.Error()+". It is "+rota.InstantOf(s.Now).String()+".", ResultSleep)
	}
	return nil, &Pause{Call: c, Until: rota.InstantOf(until), Reason: args.reason}
}

// sleeps counts how often there was sleep.
func (s State) sleeps() int {
	n := 0
	for _, step := range s.Steps {
		if step.Until != nil {
			n++
		}
	}
	return n
}

// sleepArgs are the arguments of a call of sleep, as far as they are of the right type.
type sleepArgs struct {
	seconds json.RawMessage // a number; nil if there is none
	wakeAt  json.RawMessage // a string; nil if there is none
	reason  *string
}

func readSleep(arguments string) (a sleepArgs) {
	if !rawjson.IsObject([]byte(arguments)) {
		return a
	}
	o := rawjson.ReadObject([]byte(arguments))
	if v := o.Get("duration_seconds"); json.Valid(v) && rawjson.Kind(v) != '"' {
		a.seconds = number(v)
	} else if text := rawjson.Text(v); json.Valid([]byte(text)) { // some models quote numbers
		a.seconds = number([]byte(text))
	}
	if v := o.Get("wake_at"); rawjson.Kind(v) == '"' && rawjson.Text(v) != "" {
		a.wakeAt = v
	}
	if text := rawjson.Text(o.Get("reason")); text != "" {
		a.reason = &text
	}
	return a
}

// number returns a value if it is a JSON number.
func number(v []byte) json.RawMessage {
	if _, err := strconv.ParseFloat(string(v), 64); err != nil {
		return nil
	}
	return v
}

// shown returns the arguments as an event of the stream has them.
func (a sleepArgs) shown() json.RawMessage {
	o := rawjson.Object{}
	if a.seconds != nil {
		o.Set("duration_seconds", a.seconds)
	}
	if a.wakeAt != nil {
		o.Set("wake_at", a.wakeAt)
	}
	if a.reason != nil {
		o.Set("reason", rawjson.String(*a.reason))
	}
	return o.Encode()
}

// until returns when to go on. The error is for the model.
func (a sleepArgs) until(now time.Time) (time.Time, error) {
	switch {
	case (a.seconds == nil) == (a.wakeAt == nil):
		return time.Time{}, errors.New("give either duration_seconds, a number, or wake_at, a time as RFC 3339 with an offset")
	case a.seconds != nil:
		seconds, _ := strconv.ParseFloat(string(a.seconds), 64)
		if d := seconds * float64(time.Second); d >= float64(minSleep) && d <= float64(MaxSleep) && !math.IsNaN(d) {
			return now.Add(time.Duration(d)), nil
		}
		return time.Time{}, fmt.Errorf("duration_seconds must be above 0, and at most %d", int(MaxSleep/time.Second))
	}
	at, err := time.Parse(time.RFC3339Nano, rawjson.Text(a.wakeAt))
	switch {
	case err != nil:
		return at, errors.New("wake_at must be a time as RFC 3339 with an offset, such as 2026-12-01T09:00:00Z")
	case at.Before(now.Add(minSleep)):
		return at, errors.New("wake_at must be ahead")
	case at.After(now.Add(MaxSleep)):
		return at, errors.New("wake_at must be at most 30 days ahead")
	}
	return at, nil
}

// Woken returns what came of a call of sleep that somebody has woken with an input, a
// string or an array.
func Woken(called rota.ResponseStep, input json.RawMessage, now time.Time) rota.ResponseStep {
	s := woke(called, "interrupted", input, now)
	s.Number, s.At, s.Attempt = called.Number+1, now, called.Attempt
	return s
}

// woke returns the result of a call of sleep, which status is the vendor's word for.
func woke(called rota.ResponseStep, status string, input json.RawMessage, now time.Time) rota.ResponseStep {
	o := rawjson.Object{
		{Name: "status", Value: rawjson.String(status)},
		{Name: "slept_seconds", Value: rawjson.Int(int64(max(0, now.Sub(called.At)).Round(time.Second) / time.Second))},
		{Name: "now", Value: rawjson.String(rota.InstantOf(now).String())},
	}
	if input != nil {
		o.Set("input", input)
	}
	return rota.ResponseStep{Kind: rota.StepResult, Call: called.Call, Tool: called.Tool, Result: new(string(o.Encode()))}
}
