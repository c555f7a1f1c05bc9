package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
)

type runsCmd struct {
	List        runsList        `cmd:"" help:"List the runs of all agents." example:"rota runs list --end-user '*' --phase failed --from 2026-12-01T00:00"`
	Get         runsGet         `cmd:"" help:"Show a run." example:"rota runs get $RUN"`
	Acknowledge runsAcknowledge `cmd:"" help:"Say that you have seen that runs failed: they need nobody any more." example:"rota runs acknowledge --error-code timeout --dry-run"`
	Watch       runsWatch       `cmd:"" help:"Print what a run says as it says it, and how it ended." example:"rota runs watch $RUN"`
}

// textFlag asks for what a run said and nothing else.
type textFlag struct {
	Text bool `help:"Print the text of the answer alone."`
}

// show prints a run, or what it said.
func (t textFlag) show(s *session, zone *time.Location) func(rota.Run, error) error {
	if !t.Text {
		return show(s, runCardIn(zone))
	}
	return func(r rota.Run, err error) error {
		if err != nil {
			return err
		}
		said := prose(outputText(r.GatewayResponse))
		if said == "" {
			return fmt.Errorf("the run is %s and has said nothing", r.Phase)
		}
		_, err = io.WriteString(s.out, strings.TrimSuffix(said, "\n")+"\n")
		return err
	}
}

type runsGet struct {
	RunID rota.RunID `arg:"" help:"Id of the run."`
	textFlag
	utcFlag
}

func (c *runsGet) Run(ctx context.Context, s *session) error {
	zone, err := c.location()
	if err != nil {
		return err
	}
	return c.show(s, zone)(s.Runs.Find(ctx, c.RunID, s.call...))
}

type runsWatch struct {
	RunID   rota.RunID   `arg:"" help:"Id of the run."`
	AgentID rota.AgentID `placeholder:"ID" help:"Id of the agent; saves a question to the server."`
}

func (c *runsWatch) Run(ctx context.Context, s *session) error {
	agent := c.AgentID
	if agent == "" {
		r, err := s.Runs.Find(ctx, c.RunID, s.call...)
		if err != nil {
			return err
		}
		agent = r.AgentID
	}
	return watch(ctx, s, agent, c.RunID)
}

// watch prints the text of a run on standard output and the rest on standard
// error. It fails if the run does.
func watch(ctx context.Context, s *session, agent rota.AgentID, id rota.RunID) error {
	v := &viewer{out: s.out, raw: s.json}
	for e, err := range s.Runs.Events(ctx, agent, id, s.call...) {
		if err != nil {
			return errors.Join(v.newline(), watchError{id, err})
		}
		if err := v.show(e); err != nil {
			return err
		}
	}
	r, err := s.Runs.Get(ctx, agent, id, s.call...)
	if err != nil {
		return err
	}
	return errors.Join(v.end(r), verdict(s.err, r))
}

// A watchError is why the events of a run could not be read to their end.
type watchError struct {
	run rota.RunID
	error
}

// Unwrap returns the cause.
func (w watchError) Unwrap() error { return w.error }

// A viewer prints the text of a run, or its events as they are.
type viewer struct {
	out  io.Writer
	raw  bool
	said bool // whether any text was shown
	open bool // whether the last line has not ended
}

func (v *viewer) show(e client.Event) error {
	switch {
	case v.raw:
		_, err := fmt.Fprintf(v.out, "%s\n", e.Data)
		return err
	case e.Type == "response.created": // another attempt begins from the start
		return v.newline()
	case e.Type == "response.output_text.delta":
		var d struct {
			Delta string `json:"delta"`
		}
		if err := json.Unmarshal(e.Data, &d); err != nil {
			return err
		}
		return v.say(d.Delta)
	}
	return nil
}

func (v *viewer) say(s string) error {
	if s = prose(s); s == "" {
		return nil
	}
	v.said, v.open = true, !strings.HasSuffix(s, "\n")
	_, err := io.WriteString(v.out, s)
	return err
}

func (v *viewer) newline() error {
	if !v.open {
		return nil
	}
	v.open = false
	_, err := io.WriteString(v.out, "\n")
	return err
}

// end prints the output of a run that had ended before it was watched.
func (v *viewer) end(r rota.Run) error {
	if v.said || v.raw {
		return v.newline()
	}
	return errors.Join(v.say(outputText(r.GatewayResponse)), v.newline())
}

// verdict says how a run ended, and returns an error unless it completed.
func verdict(w io.Writer, r rota.Run) error {
	switch r.Phase {
	case rota.PhaseCompleted:
		_, err := fmt.Fprintln(w, completedText(r))
		return err
	case rota.PhaseIncomplete:
		return errors.New("the answer is incomplete: a limit stopped the model")
	case rota.PhaseFailed, rota.PhaseCancelled:
		return fmt.Errorf("the run %s: %s", r.Phase, errorText(cmp.Or(r.Error, r.Reason)))
	}
	return fmt.Errorf("the events have ended, but the run is %s", r.Phase)
}

func completedText(r rota.Run) string {
	s := string(r.Phase)
	if t := took(r); t != "" {
		s += " in " + t
	}
	if t := tokensText(r.Tokens); t != "" {
		s += " (tokens: " + t + ")"
	}
	return s
}
