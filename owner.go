package rota

import "strings"

// An Owner is whom an agent, schedule or run belongs to. Another owner's
// things do not exist for a caller.
type Owner struct {
	Account string // the account of the key
	EndUser string // X-On-Behalf-Of; empty for the account itself
}

// Owners are those whose things a list is about.
type Owners struct {
	Owner      // one of them, unless All
	All   bool // the account and all of its end users; EndUser is empty
}

// User returns the end user as answers have it: nil for the account itself.
func (o Owner) User() *string {
	if o.EndUser == "" {
		return nil
	}
	return &o.EndUser
}

// An OwnerAt is an owner at a provider.
type OwnerAt struct {
	Owner    Owner
	Provider string
}

// A Scope is one thing that a key may do, written verb:plural. There are no
// wildcards, and a scope to write does not include the one to read.
type Scope string

const (
	ReadAgents         Scope = "read:agents"  // agents, and their versions, schedules, runs and function tools
	WriteAgents        Scope = "write:agents" // the same
	ReadResponses      Scope = "read:responses"
	WriteResponses     Scope = "write:responses"
	ReadConversations  Scope = "read:conversations"
	WriteConversations Scope = "write:conversations"
	ReadAPIKeys        Scope = "read:apikeys"  // the keys of the account
	WriteAPIKeys       Scope = "write:apikeys" // the same
	ReadAccount        Scope = "read:account"  // what all end users of the account have
	WriteAccount       Scope = "write:account" // the same
	WriteAccounts      Scope = "write:accounts"
)

// Reads reports whether the scope lets a key read, and change nothing.
func (s Scope) Reads() bool { return strings.HasPrefix(string(s), "read:") }

// DefaultScopes is what a key may do when nobody says otherwise: everything that
// an application needs, but nothing with keys or with the account as a whole.
func DefaultScopes() []Scope {
	return []Scope{ReadAgents, WriteAgents, ReadResponses, WriteResponses, ReadConversations, WriteConversations}
}

// AllScopes lists every scope that there is. The last one, to make keys for any
// account, is for the operator of the server.
func AllScopes() []Scope {
	return append(DefaultScopes(), ReadAPIKeys, WriteAPIKeys, ReadAccount, WriteAccount, WriteAccounts)
}
