package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
)

type changesCmd struct {
	endUserFlag
	After string `placeholder:"ID" help:"Go on after the message with this id, as --output json shows it."`
}

// A changesLine is a message as --output json prints it.
type changesLine struct {
	ID string `json:"id"`
	rota.Changes
}

// Run prints until the command is interrupted.
func (c *changesCmd) Run(ctx context.Context, s *session) error {
	options := c.options(s)
	if c.After != "" {
		options = append(options, client.AfterEvent(c.After))
	}
	for m, err := range s.Account.Changes(ctx, options...) {
		if err != nil {
			return err
		}
		if err := printChanges(s, m); err != nil {
			return err
		}
	}
	return nil
}

func printChanges(s *session, m client.ChangesEvent) error {
	if s.json {
		return json.NewEncoder(s.out).Encode(changesLine{m.ID, m.Changes})
	}
	var b strings.Builder
	at := nominal(s.now())
	switch m.Type {
	case rota.ChangesMany:
		fmt.Fprintf(&b, "%s  many\n", at)
	case rota.ChangesReset:
		fmt.Fprintf(&b, "%s  some may have been missed\n", at)
	}
	for _, c := range m.Data {
		fmt.Fprintf(&b, "%s  %-10s  %s", at, c.Kind, clean(c.ID))
		if c.Kind == rota.OccurrenceChanged || c.Kind == rota.RunChanged {
			b.WriteString(labelled("schedule", string(c.ScheduleID)) + labelled("run", string(runOf(c))))
		}
		b.WriteString(labelled("end user", c.EndUser) + "\n")
	}
	_, err := s.out.Write([]byte(b.String()))
	return err
}

// runOf returns the run that a change of another thing names.
func runOf(c rota.Change) rota.RunID {
	if c.Kind == rota.RunChanged {
		return ""
	}
	return c.RunID
}

func labelled(label, text string) string {
	if text == "" {
		return ""
	}
	return "  " + label + " " + clean(text)
}
