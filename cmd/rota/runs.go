package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
)

type agentRunsCmd struct {
	Create agentRunsCreate `cmd:"" help:"Start a run." example:"rota agent-runs create --agent-id $AGENT --input 'What is new?'"`
	List   agentRunsList   `cmd:"" help:"List the runs of an agent." example:"rota agent-runs list --agent-id $AGENT --all --output json"`
	Get    agentRunsGet    `cmd:"" help:"Show a run." example:"rota agent-runs get --agent-id $AGENT --run-id $RUN"`
	Cancel agentRunsCancel `cmd:"" help:"End a run that has not ended." example:"rota agent-runs cancel --agent-id $AGENT --run-id $RUN"`
	Delete agentRunsDelete `cmd:"" help:"Delete a run that has ended, for good." example:"rota agent-runs delete --agent-id $AGENT --run-id $RUN"`
	Wake   agentRunsWake   `cmd:"" help:"Give a run that sleeps new input." example:"rota agent-runs wake --agent-id $AGENT --run-id $RUN --input 'The report is there.'"`
	Decide agentRunsDecide `cmd:"" help:"Approve or deny a tool call for which a run asked for approval." example:"rota agent-runs decide --agent-id $AGENT --run-id $RUN --approval-request-id mcpr_1 --approve"`
	Events agentRunsEvents `cmd:"" help:"Print the events of a run as they come, one JSON object per line." example:"rota agent-runs events --agent-id $AGENT --run-id $RUN"`
}

// runID is the flags of verbs that are about one run.
type runID struct {
	agentID
	RunID rota.RunID `required:"" placeholder:"ID" help:"Id of the run."`
}

// runFlags are the fields of a run that have a flag.
type runFlags struct {
	Input      *string         `placeholder:"TEXT" help:"What the run starts with."`
	Continuity continuityFlags `embed:""`
	Metadata   metadataFlag    `embed:""`
}

type agentRunsCreate struct {
	agentID
	Fields runFlags `embed:""`
	Body   bodyFlag `embed:""`
	Watch  bool     `help:"Follow the run to its end, as runs watch does."`
}

func (c *agentRunsCreate) Run(ctx context.Context, s *session) error {
	raw, err := c.Body.raw(s.in, c.Fields)
	if err != nil {
		return err
	}
	if raw == nil && c.Fields.Input == nil {
		return usagef("give --input, or --body")
	}
	r, err := s.Runs.Create(ctx, c.AgentID, c.Fields.create(), append(s.call, raw...)...)
	if err != nil || !c.Watch {
		return show(s, runCard)(r, err)
	}
	if _, err := fmt.Fprintln(s.err, r.ID); err != nil {
		return err
	}
	return watch(ctx, s, c.AgentID, r.ID)
}

func (f runFlags) create() rota.RunCreate {
	return rota.RunCreate{
		Input:              rota.InputText(text(f.Input)),
		Conversation:       f.Continuity.conversation(),
		PreviousResponseID: clearable(f.Continuity.PreviousResponseID),
		ContextManagement:  f.Continuity.ContextManagement.optional(),
		Stream:             rota.Some(true),
		Metadata:           f.Metadata.Metadata,
	}
}

type agentRunsList struct {
	agentID
	Part offsetFlags `embed:""`
	utcFlag
}

func (c *agentRunsList) Run(ctx context.Context, s *session) error {
	zone, err := c.location()
	if err != nil {
		return err
	}
	return many(s, c.Part.part(), runColumns(zone), func(p rota.Page) (rota.List[rota.Run], error) {
		return s.Runs.List(ctx, c.AgentID, p, s.call...)
	})
}

type agentRunsGet struct {
	runID
	textFlag
	utcFlag
}

func (c *agentRunsGet) Run(ctx context.Context, s *session) error {
	zone, err := c.location()
	if err != nil {
		return err
	}
	return c.show(s, zone)(s.Runs.Get(ctx, c.AgentID, c.RunID, s.call...))
}

type agentRunsCancel struct {
	runID
}

func (c *agentRunsCancel) Run(ctx context.Context, s *session) error {
	return show(s, runCard)(s.Runs.Cancel(ctx, c.AgentID, c.RunID, s.call...))
}

type agentRunsDelete struct {
	runID
}

func (c *agentRunsDelete) Run(ctx context.Context, s *session) error {
	return show(s, deleted[rota.RunID])(s.Runs.Delete(ctx, c.AgentID, c.RunID, s.call...))
}

type agentRunsWake struct {
	runID
	Input string `required:"" placeholder:"TEXT" help:"What the run goes on with."`
}

func (c *agentRunsWake) Run(ctx context.Context, s *session) error {
	return show(s, func(w rota.RunWake) []line {
		return []line{{"run", string(w.RunID)}, {"response", w.GatewayResponseID}}
	})(s.Runs.Wake(ctx, c.AgentID, c.RunID, rota.RunWakeCreate{Input: rota.InputText(c.Input)}, s.call...))
}

type agentRunsDecide struct {
	runID
	ApprovalRequestID string  `required:"" placeholder:"ID" help:"Id of the approval request."`
	Approve           bool    `xor:"decision" required:"" help:"Let the tool be called."`
	Deny              bool    `xor:"decision" required:"" help:"Do not call it."`
	Reason            *string `placeholder:"TEXT" help:"Why, for the model."`
}

func (c *agentRunsDecide) Run(ctx context.Context, s *session) error {
	body := rota.MCPApprovalCreate{ApprovalRequestID: c.ApprovalRequestID, Approve: c.Approve, Reason: clearable(c.Reason)}
	return showDecision(s)(s.Runs.DecideMCPApproval(ctx, c.AgentID, c.RunID, body, s.call...))
}

type agentRunsEvents struct {
	runID
	After string `placeholder:"ID" help:"Only the events after this one."`
}

func (c *agentRunsEvents) Run(ctx context.Context, s *session) error {
	opts := s.call
	if c.After != "" {
		opts = append(opts, client.AfterEvent(c.After))
	}
	for e, err := range s.Runs.Events(ctx, c.AgentID, c.RunID, opts...) {
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(s.out, "%s\n", e.Data); err != nil {
			return err
		}
	}
	return nil
}

func runColumns(zone *time.Location) []column[rota.Run] {
	return []column[rota.Run]{
		{"ID", func(r rota.Run) string { return string(r.ID) }},
		{"PHASE", func(r rota.Run) string { return string(r.Phase) }},
		{"TRIGGER", func(r rota.Run) string { return string(r.Trigger) }},
		{"SCHEDULED FOR", func(r rota.Run) string { return stampIn(r.ScheduledFor, zone) }},
		{"CREATED", func(r rota.Run) string { return stampIn(&r.CreatedAt, zone) }},
		{"TOOK", took},
		{"ERROR", func(r rota.Run) string {
			if r.Error == nil {
				return ""
			}
			return r.Error.Code
		}},
	}
}

func runCard(r rota.Run) []line { return runCardIn(time.UTC)(r) }

// runCardIn is runCard on the clock of a zone.
func runCardIn(zone *time.Location) func(rota.Run) []line {
	return func(r rota.Run) []line { return runLines(r, zone) }
}

func runLines(r rota.Run, zone *time.Location) []line {
	return []line{
		{"id", string(r.ID)},
		{"agent", string(r.AgentID)},
		{"end user", text(r.EndUser)},
		{"schedule", text(r.ScheduleID)},
		{"phase", string(r.Phase)},
		{"error", errorText(r.Error)},
		{"reason", errorText(r.Reason)},
		{"trigger", string(r.Trigger)},
		{"scheduled for", stampIn(r.ScheduledFor, zone)},
		{"created", stampIn(&r.CreatedAt, zone)},
		{"started", stampIn(r.StartedAt, zone)},
		{"completed", stampIn(r.CompletedAt, zone)},
		{"took", took(r)},
		{"waits until", stampIn(r.ReadyAt, zone)},
		{"sleeps", sleepText(r.Sleep, zone)},
		{"attempts", attemptsText(r.Attempts, zone)},
		{"tokens", tokensText(r.Tokens)},
		{"response", text(r.GatewayResponseID)},
		{"conversation", anyText(r.Conversation.Any)},
		{"previous response", text(r.PreviousResponseID)},
		{"metadata", metadataText(r.Metadata)},
		{"input", anyText(r.Input.Any)},
		{"sent", sentText(r)},
		{"not sent", notSentText(r.Request)},
		{"output", outputText(r.GatewayResponse)},
	}
}

// sleepText returns since and until when a run sleeps, and why.
func sleepText(s *rota.Sleep, zone *time.Location) string {
	if s == nil {
		return ""
	}
	return "since " + stampIn(&s.Since, zone) + ", until " + stampIn(&s.Until, zone) + because(s.Reason)
}

func because(reason *string) string {
	if reason == nil {
		return ""
	}
	return ": " + *reason
}

// sentText returns what was sent to the model, as far as variables made it another
// text than the run's input.
func sentText(r rota.Run) string {
	if r.Request == nil {
		return ""
	}
	sent := "to " + r.Request.Model
	if r.Request.Instructions != nil {
		sent += "\ninstructions: " + *r.Request.Instructions
	}
	if input := anyText(r.Request.Input.Any); input != anyText(r.Input.Any) {
		sent += "\ninput: " + input
	}
	return sent
}

func notSentText(q *rota.RunRequest) string {
	if q == nil {
		return ""
	}
	return strings.Join(q.NotSent, ", ")
}

func errorText(e *rota.RunError) string {
	if e == nil {
		return ""
	}
	return e.Code + ": " + e.Message
}

// attemptsText returns one line for each call of a model.
func attemptsText(attempts []rota.RunAttempt, zone *time.Location) string {
	var lines []string
	for _, a := range attempts {
		end := "answered"
		switch {
		case a.Code != nil:
			end = *a.Code + ": " + text(a.Message)
		case a.EndedAt == nil:
			end = "under way"
		}
		lines = append(lines, fmt.Sprintf("%d  %s  %s  %s", a.Number, stampIn(&a.StartedAt, zone), a.Model, end))
	}
	return strings.Join(lines, "\n")
}

// took returns how long a run that has ended took, waits included.
func took(r rota.Run) string {
	if r.StartedAt == nil || r.CompletedAt == nil {
		return ""
	}
	return r.CompletedAt.Sub(r.StartedAt.Time).Round(time.Millisecond).String()
}

// tokensText returns what a run used, if that is known.
func tokensText(t *rota.Tokens) string {
	if t == nil {
		return ""
	}
	text := fmt.Sprintf("%d in, %d out", t.Input, t.Output)
	if t.Cached > 0 {
		text = fmt.Sprintf("%d in (%d cached), %d out", t.Input, t.Cached, t.Output)
	}
	if t.Reasoning > 0 {
		text += fmt.Sprintf(" (%d reasoning)", t.Reasoning)
	}
	return text
}

// outputText returns the text of a response's messages.
func outputText(response rota.Any) string {
	var r struct {
		Output []struct {
			Content []struct {
				Type string `json:"type"`
				Text string `json:"text"`
			} `json:"content"`
		} `json:"output"`
	}
	if response.IsZero() || json.Unmarshal(response.RawMessage, &r) != nil {
		return ""
	}
	var parts []string
	for _, item := range r.Output {
		for _, c := range item.Content {
			if c.Type == "output_text" {
				parts = append(parts, c.Text)
			}
		}
	}
	return strings.Join(parts, "\n")
}
