package main

import (
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/cli/browser"

	"github.com/rota-run/rota"
)

// A pager is a verb whose answer has a page of its own in the console.
type pager interface {
	page() string // its path and, if it has one, its query
}

// openPage prints the address of the page of a verb, and opens it in a browser if there is
// one. Whoever opens it is asked for a key, unless the browser is signed in.
func openPage(kctx *kong.Context, server string, w io.Writer) error {
	verb, ok := kctx.Selected().Target.Addr().Interface().(pager)
	switch {
	case !ok:
		return usagef("--web: this has no page")
	case verb.page() == "":
		return usagef("--web: a page is found by an id, not by a key")
	}
	address := strings.TrimRight(server, "/") + verb.page()
	if _, err := fmt.Fprintln(w, address); err != nil {
		return err
	}
	browser.Stdout, browser.Stderr = io.Discard, io.Discard // the address is all there is to say
	if err := browser.OpenURL(address); err != nil {
		return fmt.Errorf("no browser was opened: %w", err)
	}
	return nil
}

// pageOf is a page about an end user's things, or everybody's, where the flag says so.
func (f endUserFlag) pageOf(path string) string {
	if f.EndUser == nil {
		return path
	}
	return path + "?" + url.Values{"end_user": {*f.EndUser}}.Encode()
}

func agentPage(id rota.AgentID) string { return pageOf("/agents/", id) }

func schedulePage(agent rota.AgentID, id rota.ScheduleID) string {
	return pageOf(agentPage(agent)+"/schedules/", id)
}

func runPage(id rota.RunID) string { return pageOf("/runs/", id) }

// pageOf is the page of one thing; "" if its id is not given.
func pageOf[ID ~string](path string, id ID) string {
	if id == "" {
		return ""
	}
	return path + url.PathEscape(string(id))
}

func (c *todayCmd) page() string                  { return c.pageOf("/") }
func (c *topCmd) page() string                    { return c.pageOf("/") }
func (c *lanesCmd) page() string                  { return c.pageOf("/") }
func (c *schedulesList) page() string             { return c.pageOf("/schedules") }
func (c *agentsList) page() string                { return c.pageOf("/agents") }
func (c *runsList) page() string                  { return c.pageOf("/runs") }
func (c *approvalsList) page() string             { return c.pageOf("/approvals") }
func (*endUsersList) page() string                { return "/end-users" }
func (*keysList) page() string                    { return "/keys" }
func (systemCmd) page() string                    { return "/system" }
func (c *agentsGet) page() string                 { return agentPage(c.AgentID) }
func (c *agentSchedulesGet) page() string         { return schedulePage(c.AgentID, c.ScheduleID) }
func (c *agentSchedulesOccurrences) page() string { return schedulePage(c.AgentID, c.ScheduleID) }
func (c *runsGet) page() string                   { return runPage(c.RunID) }
func (c *agentRunsGet) page() string              { return runPage(c.RunID) }
