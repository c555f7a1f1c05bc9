// Package toolbox makes the calls that models ask for: a POST to the webhook of a
// function, signed as Standard Webhooks has it, or a call of a tool of an MCP server.
package toolbox

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/answer"
	"github.com/rota-run/rota/internal/rawjson"
	"github.com/rota-run/rota/internal/seal"
)

// A Toolbox makes calls. It may be used by many goroutines at once.
type Toolbox struct {
	secrets   seal.Ring
	now       func() time.Time
	transport *http.Transport
	vault     Vault
	mcp       sessions

	// Own makes the calls of tools that Rota itself is. Nil makes none.
	Own func(ctx context.Context, from answer.Caller, c answer.Call) (answer.Result, error)
}

// A Vault has stored MCP servers.
type Vault interface {
	Server(ctx context.Context, o rota.Owner, id rota.MCPServerID) (rota.MCPServer, error)

	// Headers returns what a server is to be shown: of the credential, or if it is empty of
	// the newest. The error is Invalid, with words for the caller, if it cannot be used.
	Headers(ctx context.Context, o rota.Owner, server rota.MCPServerID, credential rota.MCPCredentialID) (map[string]string, error)
}

// New returns a toolbox that signs with what it derives from secrets, and that connects
// to public addresses and the networks in allowed alone.
func New(secrets seal.Ring, allowed []netip.Prefix, vault Vault, now func() time.Time) *Toolbox {
	return &Toolbox{secrets: secrets, now: now, transport: guard(allowed), vault: vault}
}

// Stored returns tools with what the vault has of the MCP servers that they name by id.
// The error is Invalid if one is not there.
func (b *Toolbox) Stored(ctx context.Context, o rota.Owner, tools []json.RawMessage) ([]json.RawMessage, error) {
	return answer.FillStored(tools, func(id rota.MCPServerID) (rota.MCPServer, error) { return b.vault.Server(ctx, o, id) })
}

// Tools returns the names of the tools of a server in the vault, to which it shows the
// newest credential. The error is UpstreamFailed, with words for the caller, if the server
// cannot be used.
func (b *Toolbox) Tools(ctx context.Context, o rota.Owner, stored rota.MCPServer) ([]string, error) {
	s, err := answer.ReadStored(stored)
	if err != nil {
		return nil, err
	}
	from := answer.Caller{Owner: o, Tools: o, ID: rota.NewItemID("test_", b.now())} // a session of its own
	defer b.Leave(from)
	names, err := b.names(ctx, from, s)
	if bad := new(answer.ServerError); errors.As(err, &bad) {
		return nil, rota.Errorf(rota.UpstreamFailed, "%s", bad.Text)
	}
	return names, err
}

// payload is the body of a call.
type payload struct {
	Type      string       `json:"type"` // function.call
	Timestamp rota.Instant `json:"timestamp"`
	Data      data         `json:"data"`
}

type data struct {
	CallID       string              `json:"call_id"`
	Function     rota.FunctionToolID `json:"function_tool_id"`
	Name         string              `json:"name"`
	Arguments    json.RawMessage     `json:"arguments"` // a string if the model's are no JSON
	EndUser      string              `json:"end_user,omitempty"`
	Run          rota.RunID          `json:"run_id,omitempty"`
	Response     rota.ResponseID     `json:"response_id,omitempty"`
	Agent        rota.AgentID        `json:"agent_id,omitempty"`
	Schedule     *rota.ScheduleID    `json:"schedule_id,omitempty"`
	ScheduledFor *rota.Instant       `json:"scheduled_for,omitempty"`
}

// Call makes a call, and blocks until there is a result or ctx ends, whose error it
// returns then: what came of the call is not known. Everything else that goes wrong is
// a result that the model is told.
func (b *Toolbox) Call(ctx context.Context, from answer.Caller, c answer.Call) (answer.Result, error) {
	switch c.Kind {
	case answer.Function:
		return b.callFunction(ctx, from, c)
	case answer.MCP:
		return b.callMCP(ctx, from, c)
	case answer.Schedule, answer.Memory:
		if b.Own == nil {
			return failed("The call was not made: this server has no such tool."), nil
		}
		return b.Own(ctx, from, c)
	case answer.Gone:
		return failed("The call was not made: the tool is not there any more, or not allowed."), nil
	default:
		return failed("The call was not made: this server has no tools of the kind " + string(c.Kind) + "."), nil
	}
}

func (b *Toolbox) callFunction(ctx context.Context, from answer.Caller, c answer.Call) (answer.Result, error) {
	within, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	req, err := b.request(within, from, c)
	if err != nil {
		return failed("The call was not made: " + err.Error()), nil
	}
	res, err := b.transport.RoundTrip(req)
	if err == nil {
		defer res.Body.Close()
		var r answer.Result
		if r, err = read(res); err == nil {
			return r, nil
		}
	}
	if ctx.Err() != nil {
		return answer.Result{}, context.Cause(ctx)
	}
	return failed(why(err, c)), nil
}

func failed(text string) answer.Result {
	return answer.Result{Output: text, Code: answer.ResultFailed}
}

// why says in words why a call has no result. It does not quote the error, which names
// addresses.
func why(err error, c answer.Call) string {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.Is(err, errForbidden):
		return "The call was not made: " + errForbidden.Error() + "."
	case errors.As(err, &dns):
		return "The call was not made: the host of the function's webhook is not known."
	case errors.As(err, &op) && op.Op == "dial":
		return "The call was not made: the function cannot be reached."
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("The function did not answer within %s. What came of the call is not known.", c.Timeout)
	default:
		return "The connection to the function broke. What came of the call is not known."
	}
}

func (b *Toolbox) request(ctx context.Context, from answer.Caller, c answer.Call) (*http.Request, error) {
	secrets := b.secrets.Derive(rota.WebhookPurpose(from.Tools, c.Function))
	if len(secrets) == 0 {
		return nil, errors.New("this server has no secret key to sign it with")
	}
	args := json.RawMessage(c.Arguments)
	if !json.Valid(args) || !utf8.Valid(args) {
		args = rawjson.String(c.Arguments)
	}
	now := b.now()
	body, err := json.Marshal(payload{"function.call", rota.InstantOf(now), data{
		CallID: c.ID(from.ID), Function: c.Function, Name: c.Name, Arguments: args, EndUser: from.Owner.EndUser,
		Run: from.Run, Response: from.Response, Agent: from.Agent, Schedule: from.Schedule, ScheduledFor: from.ScheduledFor,
	}})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("its webhook_url is not a URL")
	}
	id, stamp := c.ID(from.ID), strconv.FormatInt(now.Unix(), 10)
	for name, value := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "rota", "webhook-id": id, "webhook-timestamp": stamp, "webhook-signature": sign(secrets, id, stamp, body),
	} {
		req.Header.Set(name, value)
	}
	return req, nil
}

// sign returns the signatures of a message: one with each secret, so that a receiver may
// take over a new one in its own time.
func sign(secrets [][]byte, id, timestamp string, body []byte) string {
	all := make([]string, len(secrets))
	for i, s := range secrets {
		mac := hmac.New(sha256.New, s)
		fmt.Fprintf(mac, "%s.%s.%s", id, timestamp, body)
		all[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(all, " ")
}

// read reads an answer: its body, as text, is the result.
func read(res *http.Response) (answer.Result, error) {
	raw, err := io.ReadAll(io.LimitReader(res.Body, answer.MaxResult+1))
	if err != nil {
		return answer.Result{}, err
	}
	text := strings.ToValidUTF8(string(raw[:min(len(raw), answer.MaxResult)]), "\uFFFD")
	if len(raw) > answer.MaxResult {
		text += fmt.Sprintf("\n[cut: the result has more than %d bytes]", answer.MaxResult)
	}
	switch {
	case res.StatusCode >= 300 && res.StatusCode < 400:
		return failed(fmt.Sprintf("The function answered %d, a redirect, which is not followed.", res.StatusCode)), nil
	case res.StatusCode < 200 || res.StatusCode > 299:
		return failed(fmt.Sprintf("The function answered %d: %s", res.StatusCode, text)), nil
	}
	return answer.Result{Output: text}, nil
}
