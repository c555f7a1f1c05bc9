package rota

// A ChangeKind is the kind of a thing that changes.
type ChangeKind string

const (
	AgentChanged      ChangeKind = "agent"
	ScheduleChanged   ChangeKind = "schedule"
	OccurrenceChanged ChangeKind = "occurrence"
	RunChanged        ChangeKind = "run"
)

// A Change says that something is new, gone, or not as it was. It says nothing of what
// is in it. The zero Kind stands for more changes of the owner than are named.
type Change struct {
	Kind       ChangeKind `json:"kind" enum:"agent,schedule,occurrence,run"`
	ID         string     `json:"id"`
	AgentID    AgentID    `json:"agent_id,omitempty"`
	ScheduleID ScheduleID `json:"schedule_id,omitempty"`
	RunID      RunID      `json:"run_id,omitempty" doc:"The run that an occurrence has started."`
	EndUser    string     `json:"end_user,omitempty" doc:"Whose it is; absent for the account itself."`
	Account    string     `json:"-"`
}

// Many returns the change that stands for any number of changes of an owner.
func Many(o Owner) Change { return Change{Account: o.Account, EndUser: o.EndUser} }

// Owner returns whose it is that has changed.
func (c Change) Owner() Owner { return Owner{Account: c.Account, EndUser: c.EndUser} }

// A ChangesType says what a message about changes means.
type ChangesType string

const (
	ChangesStarted ChangesType = "started" // the stream begins here: read what is shown once, after this
	ChangesSome    ChangesType = "changes" // these things have changed
	ChangesMany    ChangesType = "many"    // more things have changed than a message names: read again what is shown
	ChangesReset   ChangesType = "reset"   // changes may have been missed: read again what is shown
)

// MaxChanges is how many changes one message names.
const MaxChanges = 100

// Changes is one message of the stream of changes.
type Changes struct {
	Type ChangesType `json:"type" enum:"started,changes,many,reset"`
	Data []Change    `json:"data" doc:"At most 100; none unless type is changes."`
}
