package rota

import "time"

// A Purge is the record of an agent that is removed for good, with what was its own.
type Purge struct {
	AgentID     AgentID // empty if there is nothing to purge
	At          time.Time
	Rule        string // why: agent_retention
	Versions    int64  // how many have been removed so far
	Runs        int64
	Schedules   int64
	Occurrences int64
	Done        bool // the agent is gone
}
