package relay

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/rota-run/rota"
)

const (
	tellPause   = 200 * time.Millisecond // between two messages about changes
	maxTold     = 400                    // changes that wait to be told; of more only the owners are
	maxOwners   = 200                    // of these; if there are more, anything may have changed
	messageSize = 6000                   // bytes; PostgreSQL takes less than 8000
)

// A told is a change as messages have it.
type told struct {
	Kind     rota.ChangeKind `json:"k,omitempty"`
	ID       string          `json:"i,omitempty"`
	Agent    rota.AgentID    `json:"a,omitempty"`
	Schedule rota.ScheduleID `json:"s,omitempty"`
	Run      rota.RunID      `json:"r,omitempty"`
	EndUser  string          `json:"u,omitempty"`
	Account  string          `json:"c,omitempty"`
}

// changes collects what is to be told.
type changes struct {
	more chan struct{} // holds one token when there is something to tell

	mu      sync.Mutex // guards waiting
	waiting map[rota.Change]bool
}

func newChanges() *changes {
	return &changes{more: make(chan struct{}, 1), waiting: make(map[rota.Change]bool)}
}

// add adds changes. It does not block.
func (c *changes) add(all []rota.Change) {
	c.mu.Lock()
	for _, one := range all {
		c.waiting[one] = true
	}
	if len(c.waiting) > maxTold {
		c.waiting = shorter(c.waiting)
	}
	c.mu.Unlock()
	select {
	case c.more <- struct{}{}:
	default:
	}
}

// shorter names the owners of changes alone, or nobody.
func shorter(all map[rota.Change]bool) map[rota.Change]bool {
	owners := make(map[rota.Change]bool)
	for one := range all {
		owners[rota.Many(one.Owner())] = true
	}
	if len(owners) > maxOwners {
		return map[rota.Change]bool{{}: true}
	}
	return owners
}

func (c *changes) drain() []rota.Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]rota.Change, 0, len(c.waiting))
	for one := range c.waiting {
		all = append(all, one)
	}
	if c.waiting[rota.Change{}] { // it stands for all others
		all = []rota.Change{{}}
	}
	clear(c.waiting)
	return all
}

// tellChanges tells the other processes what this one changes, until ctx ends.
func (r *Relay) tellChanges(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-r.changes.more:
			pause(ctx, tellPause) // for more to come
			r.outbox.add(r.messagesOf(r.changes.drain())...)
		case <-ctx.Done():
		}
	}
}

// messagesOf returns the messages that tell of changes.
func (r *Relay) messagesOf(all []rota.Change) (messages []string) {
	text := ""
	for _, c := range all {
		one, err := json.Marshal(told{c.Kind, c.ID, c.AgentID, c.ScheduleID, c.RunID, c.EndUser, c.Account})
		if err != nil {
			panic(err) // it has nothing but text
		}
		if text != "" && len(text)+len(one) > messageSize {
			messages, text = append(messages, "!"+r.self+"@"+text), ""
		}
		text += string(one)
	}
	if text != "" {
		messages = append(messages, "!"+r.self+"@"+text)
	}
	return messages
}

// onChanges handles the message that another process has changed something.
func (r *Relay) onChanges(text string) {
	var all []rota.Change
	for d := json.NewDecoder(strings.NewReader(text)); d.More(); {
		var one told
		if err := d.Decode(&one); err != nil {
			r.cfg.Feed.Missed() // a newer program has other messages
			return
		}
		all = append(all, rota.Change{
			Kind: one.Kind, ID: one.ID, AgentID: one.Agent, ScheduleID: one.Schedule, RunID: one.Run, EndUser: one.EndUser, Account: one.Account,
		})
	}
	r.cfg.Feed.Receive(all)
}
