package sqlstore

import "github.com/rota-run/rota"

// maxNoted is how many changes of one transaction, or of transactions that are committed
// together, are named.
const maxNoted = 200

// A noted is what transactions have changed: each thing by its name, or, when there are
// too many, only whose things.
type noted struct {
	named  []rota.Change
	owners map[rota.Owner]bool // instead of named, unless it is nil
}

func (n *noted) add(c rota.Change) {
	if n.owners == nil && c.Kind != "" && len(n.named) < maxNoted {
		n.named = append(n.named, c)
		return
	}
	if n.owners == nil {
		n.owners = make(map[rota.Owner]bool)
		for _, before := range n.named {
			n.owners[before.Owner()] = true
		}
		n.named = nil
	}
	n.owners[c.Owner()] = true
}

// all returns the changes.
func (n *noted) all() []rota.Change {
	if n.owners == nil {
		return n.named
	}
	many := make([]rota.Change, 0, len(n.owners))
	for o := range n.owners {
		many = append(many, rota.Many(o))
	}
	return many
}

// Changes returns what the transaction has changed, for whoever commits it to tell: at
// most 200 things, or else the owners who have more of them.
func (p *Pending) Changes() []rota.Change { return p.noted.all() }

func (p *Pending) note(c rota.Change) { p.noted.add(c) }

func (p *Pending) noteAgent(o rota.Owner, id rota.AgentID) {
	p.note(rota.Change{Kind: rota.AgentChanged, ID: string(id), AgentID: id, Account: o.Account, EndUser: o.EndUser})
}

func (p *Pending) noteSchedule(o rota.Owner, agent rota.AgentID, id rota.ScheduleID) {
	p.note(rota.Change{Kind: rota.ScheduleChanged, ID: string(id), AgentID: agent, ScheduleID: id, Account: o.Account, EndUser: o.EndUser})
}

func (p *Pending) noteTimers(timers []rota.Timer) {
	for i := range timers {
		p.noteSchedule(timers[i].Owner, timers[i].AgentID, timers[i].ScheduleID)
	}
}

func (p *Pending) noteRun(o rota.Owner, agent rota.AgentID, schedule *rota.ScheduleID, id rota.RunID) {
	c := rota.Change{Kind: rota.RunChanged, ID: string(id), AgentID: agent, Account: o.Account, EndUser: o.EndUser}
	if schedule != nil {
		c.ScheduleID = *schedule
	}
	p.note(c)
}

func (p *Pending) noteOccurrence(o *rota.Occurrence) {
	c := rota.Change{
		Kind: rota.OccurrenceChanged, ID: string(o.ID), AgentID: o.AgentID, ScheduleID: o.ScheduleID, Account: o.Account, EndUser: userOf(o.EndUser),
	}
	if o.RunID != nil {
		c.RunID = *o.RunID
	}
	p.note(c)
}

// noteOwners notes that there are changes of owners.
func (p *Pending) noteOwners(o rota.Owners) {
	if o.All {
		o.EndUser = allUsers
	}
	p.note(rota.Many(o.Owner))
}
