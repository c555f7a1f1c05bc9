package rota

// An Owner is whom an agent, schedule or run belongs to. Another owner's
// things do not exist for a caller.
type Owner struct {
	Account string // the account of the key
	EndUser string // X-On-Behalf-Of; empty for the account itself
}

// A Scope is one thing that a key may do.
type Scope string

const (
	ReadAgents     Scope = "agents:read"
	WriteAgents    Scope = "agents:write"
	ReadRuns       Scope = "runs:read"
	WriteRuns      Scope = "runs:write"
	ReadSchedules  Scope = "schedules:read"
	WriteSchedules Scope = "schedules:write"
	ReadKeys       Scope = "keys:read"
	WriteKeys      Scope = "keys:write"
	Admin          Scope = "admin" // make keys for any account; never given by default
)

// DefaultScopes is what a key may do when nobody says otherwise: everything
// in its own account.
func DefaultScopes() []Scope {
	return []Scope{
		ReadAgents, WriteAgents, ReadRuns, WriteRuns, ReadSchedules, WriteSchedules, ReadKeys, WriteKeys,
	}
}

// AllScopes lists every scope that there is.
func AllScopes() []Scope { return append(DefaultScopes(), Admin) }
