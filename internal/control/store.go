package control

import (
	"context"
	"encoding/json"
	"time"

	"github.com/rota-run/rota"
)

// A Store is where Control keeps everything. What it reads outside of a
// transaction is committed.
type Store struct {
	AgentReader
	KeyedReader
	FunctionToolReader
	VaultReader
	MemoryReader
	ScheduleReader
	ScheduleVersionReader
	PlanReader
	LedgerReader
	LaneReader
	RunReader
	KeyReader
	DescendantReader
	EndUserReader
	RetentionReader
	LimitReader
	ResponseReader
	ConversationReader
	ApprovalReader
	EraseReader
	ExportReader
	Updater
}

// An Updater makes transactions.
type Updater interface {
	// Update runs fn in one transaction and returns when it is durable. If fn
	// returns an error, nothing that it did is kept. fn may run twice, so it must
	// have no effects outside the transaction.
	Update(ctx context.Context, fn func(context.Context, Tx) error) error
}

// A Tx is one transaction.
type Tx struct {
	AgentReader
	KeyedReader
	AgentWriter
	FunctionToolReader
	FunctionToolWriter
	VaultReader
	MemoryReader
	VaultWriter
	MemoryWriter
	ScheduleReader
	PlanReader
	ScheduleWriter
	LedgerReader
	LedgerWriter
	Acknowledger
	RunReader
	RunWriter
	KeyWriter
	DescendantReader
	RetentionWriter
	LimitWriter
	Eraser
	Answers
	ResponseReader
	ResponseWriter
	ConversationReader
	ConversationWriter
	ApprovalReader
	ApprovalWriter
}

// ApprovalReader reads requests for approvals.
type ApprovalReader interface {
	// Approval returns a request, which in a transaction nobody else changes until that
	// ends. Whether it has expired is for the caller to see.
	Approval(ctx context.Context, o rota.Owner, id string) (rota.Approval, error)

	// AllApprovals returns the requests of owners.
	AllApprovals(ctx context.Context, o rota.Owners, f rota.ApprovalFilter, p rota.Page) (rota.List[rota.Approval], error)
}

// ApprovalWriter writes what was decided.
type ApprovalWriter interface {
	// Decide writes how a request was decided. It reports false, and does nothing, if it
	// was decided before.
	Decide(ctx context.Context, a rota.Approval) (bool, error)

	// AddContinuation stores a run that goes on from another one of the same agent, with
	// its version and its functions, and queues it under the provider.
	AddContinuation(ctx context.Context, o rota.Owner, r rota.Run, from rota.RunID, provider string) error
}

// AgentReader reads agents, also those that are deleted and not purged yet.
type AgentReader interface {
	Agent(ctx context.Context, o rota.Owner, id rota.AgentID) (rota.Agent, error)

	// VisibleAgent returns an agent that is the owner's, or shared with it.
	VisibleAgent(ctx context.Context, o rota.Owner, id rota.AgentID) (rota.Agent, error)

	// Agents returns those that are deleted, or those that are not.
	Agents(ctx context.Context, o rota.Owner, deleted bool, p rota.Page) (rota.List[rota.Agent], error)

	// AllAgents returns the agents of owners.
	AllAgents(ctx context.Context, o rota.Owners, f rota.AgentFilter, p rota.Page) (rota.List[rota.Agent], error)

	// AgentUser returns another agent, not deleted, that has this one as a tool;
	// empty if there is none.
	AgentUser(ctx context.Context, o rota.Owner, id rota.AgentID) (rota.AgentID, error)

	// AgentVersion returns a version of an agent.
	AgentVersion(ctx context.Context, o rota.Owner, id rota.AgentID, version int64) (rota.AgentVersion, error)

	// AgentVersions returns the versions of an agent, in their order.
	AgentVersions(ctx context.Context, o rota.Owner, id rota.AgentID, p rota.Page) (rota.List[rota.AgentVersion], error)
}

// KeyedReader reads what its owner has given a key, and not deleted.
type KeyedReader interface {
	AgentByKey(ctx context.Context, o rota.Owner, key string) (rota.Agent, error)

	// ScheduleByKey returns a schedule of an agent and its timer, which in a
	// transaction are locked until it ends.
	ScheduleByKey(ctx context.Context, o rota.Owner, a rota.AgentID, key string) (rota.TimedSchedule, error)
}

// AgentWriter writes agents.
type AgentWriter interface {
	// AddAgent adds an agent and its first version. It is a Conflict if another agent
	// of the owner that is not deleted has its key.
	AddAgent(ctx context.Context, o rota.Owner, a rota.Agent) error

	// SaveAgent writes an agent back that has another configuration, and adds its
	// version, which must be new. restored is the version that the configuration is
	// a copy of; nil if it is none.
	SaveAgent(ctx context.Context, o rota.Owner, a rota.Agent, restored *int64) error

	// SetVisibility says who can see an agent that is not deleted. The schedules of others
	// on one that becomes private are paused as those of a deleted one are.
	SetVisibility(ctx context.Context, o rota.Owner, id rota.AgentID, v rota.Visibility, now time.Time) error

	// DeleteAgent deletes the agent, so that it can be restored until an instant. Runs
	// that have started go on; those that have not are blocked when they are claimed.
	// Its schedules are paused one by one: with RestTimers, or when they fall due.
	DeleteAgent(ctx context.Context, o rota.Owner, id rota.AgentID, now, until time.Time) error

	// RestoreAgent takes the deletion back. The schedules stay paused. It is a
	// Conflict if the agent is not deleted, or is being purged, or if another agent
	// has its key by now.
	RestoreAgent(ctx context.Context, o rota.Owner, id rota.AgentID, now time.Time) error
}

// FunctionToolReader reads function tools.
type FunctionToolReader interface {
	FunctionTool(ctx context.Context, o rota.Owner, id rota.FunctionToolID) (rota.FunctionTool, error)
	FunctionTools(ctx context.Context, o rota.Owner, p rota.Page) (rota.List[rota.FunctionTool], error)
}

// FunctionToolWriter writes function tools. Runs that are made from then on get
// what was written, and those that were made before keep what they have.
type FunctionToolWriter interface {
	AddFunctionTool(ctx context.Context, o rota.Owner, f rota.FunctionTool) error
	SaveFunctionTool(ctx context.Context, o rota.Owner, f rota.FunctionTool) error
	DeleteFunctionTool(ctx context.Context, o rota.Owner, id rota.FunctionToolID) error
}

// VaultReader reads MCP servers and their credentials.
type VaultReader interface {
	MCPServer(ctx context.Context, o rota.Owner, id rota.MCPServerID) (rota.MCPServer, error)
	MCPServers(ctx context.Context, o rota.Owner, p rota.Page) (rota.List[rota.MCPServer], error)

	// MCPCredential returns a credential, also one that is revoked.
	MCPCredential(ctx context.Context, o rota.Owner, id rota.MCPCredentialID) (rota.MCPCredential, error)

	// MCPCredentials returns those of a server, with those that are revoked if asked for.
	MCPCredentials(ctx context.Context, o rota.Owner, server rota.MCPServerID, revoked bool, p rota.Page) (rota.List[rota.MCPCredential], error)
}

// VaultWriter writes MCP servers and their credentials.
type VaultWriter interface {
	AddMCPServer(ctx context.Context, o rota.Owner, s rota.MCPServer) error
	SaveMCPServer(ctx context.Context, o rota.Owner, s rota.MCPServer) error

	// DeleteMCPServer deletes an MCP server and its credentials.
	DeleteMCPServer(ctx context.Context, o rota.Owner, id rota.MCPServerID) error

	AddMCPCredential(ctx context.Context, o rota.Owner, k rota.MCPCredential) error

	// RevokeMCPCredential ends a credential: its secrets are gone at once.
	RevokeMCPCredential(ctx context.Context, o rota.Owner, id rota.MCPCredentialID, now time.Time) error

	// SealedCredentials returns up to limit credentials that have secrets, of all owners,
	// whose ids are after one.
	SealedCredentials(ctx context.Context, after rota.MCPCredentialID, limit int) ([]rota.OwnedCredential, error)

	// ResealCredential replaces the sealed secrets of a credential that is not revoked.
	ResealCredential(ctx context.Context, id rota.MCPCredentialID, sealed []byte) error
}

// MemoryReader reads memory stores and their entries. Entries are read by whoever has
// found their store.
type MemoryReader interface {
	// MemoryStore returns one that an owner sees, perhaps that of the account.
	MemoryStore(ctx context.Context, o rota.Owner, id rota.MemoryStoreID) (rota.MemoryStore, error)
	MemoryStores(ctx context.Context, o rota.Owner, p rota.Page) (rota.List[rota.MemoryStore], error)
	CountMemoryStores(ctx context.Context, o rota.Owner) (int64, error)

	MemoryEntry(ctx context.Context, store rota.MemoryStoreID, id rota.MemoryEntryID) (rota.MemoryEntry, error)
	MemoryEntryAt(ctx context.Context, store rota.MemoryStoreID, path string) (rota.MemoryEntry, error)
	MemoryEntries(ctx context.Context, store rota.MemoryStoreID, p rota.Page) (rota.List[rota.MemoryEntry], error)

	// MemoryPaths returns the paths of all entries of a store, in no order.
	MemoryPaths(ctx context.Context, store rota.MemoryStoreID) ([]string, error)
	CountMemoryEntries(ctx context.Context, store rota.MemoryStoreID) (int64, error)
}

// MemoryWriter writes memory stores and their entries.
type MemoryWriter interface {
	AddMemoryStore(ctx context.Context, m rota.MemoryStore) error
	SaveMemoryStore(ctx context.Context, m rota.MemoryStore) error

	// DeleteMemoryStore deletes a store and its entries.
	DeleteMemoryStore(ctx context.Context, o rota.Owner, id rota.MemoryStoreID) error

	// AddMemoryEntry is a Conflict if there is an entry under the path.
	AddMemoryEntry(ctx context.Context, o rota.Owner, e rota.MemoryEntry) error
	SaveMemoryEntry(ctx context.Context, e rota.MemoryEntry) error
	DeleteMemoryEntry(ctx context.Context, store rota.MemoryStoreID, id rota.MemoryEntryID) error
}

// ScheduleReader reads schedules and their timers. A deleted schedule is
// NotFound unless deleted is true. Those of a deleted agent can be read; they
// have the agent's deleted_at, and AllSchedules leaves them out.
type ScheduleReader interface {
	Schedule(ctx context.Context, o rota.Owner, a rota.AgentID, id rota.ScheduleID, deleted bool) (rota.Schedule, error)
	Schedules(ctx context.Context, o rota.Owner, a rota.AgentID, p rota.Page) (rota.List[rota.Schedule], error)

	// AllSchedules returns the schedules of owners, whatever their agent.
	AllSchedules(ctx context.Context, o rota.Owners, f rota.ScheduleFilter, p rota.Page) (rota.List[rota.TimedSchedule], error)

	// TimedSchedule returns a schedule and its timer, which in a transaction are
	// locked until it ends.
	TimedSchedule(ctx context.Context, o rota.Owner, a rota.AgentID, id rota.ScheduleID) (rota.TimedSchedule, error)

	Timer(ctx context.Context, o rota.Owner, a rota.AgentID, id rota.ScheduleID) (rota.Timer, error)

	// LiveTimers returns up to limit timers of the schedules on an owner's agent, whosever
	// they are, that have something to do, after a schedule, in the order of their ids:
	// those of active schedules, and those in which something waits.
	LiveTimers(ctx context.Context, o rota.Owner, a rota.AgentID, after rota.ScheduleID, limit int) ([]rota.Timer, error)

	// PausedTimers returns up to limit timers of the paused schedules on an owner's agent,
	// whosever they are, after a schedule, in the order of their ids.
	PausedTimers(ctx context.Context, o rota.Owner, a rota.AgentID, after rota.ScheduleID, limit int) ([]rota.PausedTimer, error)

	// SchedulesMadeBy returns the active schedules that a key made, for whatever
	// end user, in the order of their ids.
	SchedulesMadeBy(ctx context.Context, account string, key rota.KeyID, after rota.ScheduleID, limit int) ([]rota.TimedSchedule, error)
}

// PlanReader reads the schedules that agents have planned themselves.
type PlanReader interface {
	// Planned returns those that are not over, up to a limit: those of an agent, or of all
	// of the owner's if that is empty.
	Planned(ctx context.Context, o rota.Owner, a rota.AgentID, limit int) ([]rota.Schedule, error)
}

// ScheduleVersionReader reads what schedules were, also those that are deleted.
type ScheduleVersionReader interface {
	// FormerVersion returns a version that a schedule has had.
	FormerVersion(ctx context.Context, o rota.Owner, a rota.AgentID, id rota.ScheduleID, version int64) (rota.ScheduleVersion, error)

	// ScheduleVersions returns the versions of a schedule, in their order: the one that it
	// has without its configuration.
	ScheduleVersions(ctx context.Context, o rota.Owner, a rota.AgentID, id rota.ScheduleID, p rota.Page) (rota.List[rota.ScheduleVersion], error)
}

// ScheduleWriter writes schedules with their timers. The fields that a timer has
// are taken from the timer.
type ScheduleWriter interface {
	// AddSchedule is a Conflict if another schedule of the agent that is not deleted
	// has its key.
	AddSchedule(ctx context.Context, s rota.TimedSchedule) error

	// SaveSchedule returns NotFound if the schedule is deleted, or is not that of
	// the timer's owner. What waits in the timer before and not afterwards must have been
	// given up. So it is with DeleteSchedule and RestTimers. Runs that wait go on from
	// the response goesOn.
	SaveSchedule(ctx context.Context, s rota.TimedSchedule, goesOn *string) error

	DeleteSchedule(ctx context.Context, o rota.Owner, a rota.AgentID, id rota.ScheduleID, now time.Time) error

	// KeepVersion keeps a version that a schedule ceases to have, and forgets the oldest if
	// there are more than [rota.MaxScheduleVersions] with the one that follows.
	KeepVersion(ctx context.Context, v rota.ScheduleVersion) error

	// RestTimers pauses schedules. timers are theirs as they are: one that is not active
	// keeps its status.
	RestTimers(ctx context.Context, timers []rota.Timer, why rota.PauseReason) error

	// SavePauses gives paused schedules the reasons that are in their timers.
	SavePauses(ctx context.Context, timers []rota.Timer) error
}

// LedgerReader reads what became of nominal times.
type LedgerReader interface {
	Occurrences(ctx context.Context, o rota.Owner, a rota.AgentID, id rota.ScheduleID, f rota.OccurrenceFilter, p rota.Page) (rota.List[rota.Occurrence], error)

	// AllOccurrences returns what became of the nominal times of owners' schedules,
	// but for the spans that SpansAcross returns.
	AllOccurrences(ctx context.Context, o rota.Owners, f rota.OccurrenceFilter, p rota.Page) (rota.List[rota.Occurrence], error)

	// SpansAcross returns the spans that begin before the filter's From and reach
	// it, at most a thousand.
	SpansAcross(ctx context.Context, o rota.Owners, f rota.OccurrenceFilter) ([]rota.Occurrence, error)

	// OccurrencesAt returns what is on record for an instant: the occurrence of that
	// nominal time, and a span that ends with it.
	OccurrencesAt(ctx context.Context, o rota.Owner, id rota.ScheduleID, at time.Time) ([]rota.Occurrence, error)

	// Ledger returns up to limit rows of a schedule that are about nominal times from
	// one instant to another, both included, in order. The first may be a span that
	// began before. It takes no longer for a long ledger.
	Ledger(ctx context.Context, o rota.Owner, id rota.ScheduleID, from, to time.Time, limit int) ([]rota.Occurrence, error)

	// Tallies returns what was counted for owners in the hours from one up to another,
	// which is not part of it, in their order. Hours without anything are left out.
	Tallies(ctx context.Context, o rota.Owners, from, to time.Time) ([]rota.HourTally, error)

	// LastOnRecord returns the last nominal time of a schedule that has an outcome, or
	// had one that was deleted for its age, apart from the times of triggers; zero if
	// none has.
	LastOnRecord(ctx context.Context, id rota.ScheduleID) (time.Time, error)

	// LowWater returns the last nominal time of a schedule whose outcome has been
	// deleted for its age; zero if none has. What is not on record up to then may have
	// run.
	LowWater(ctx context.Context, id rota.ScheduleID) (time.Time, error)
}

// LaneReader reads what lanes show.
type LaneReader interface {
	// Troubled returns the schedules of owners with the most times that were missed or
	// blocked, or whose runs failed or are incomplete, from one instant to another, the most
	// first. It counts the newest thousand of each kind.
	Troubled(ctx context.Context, o rota.Owners, from, to time.Time, limit int) ([]rota.Troubled, error)

	// Lane returns up to limit entries of a schedule's record that are about nominal times
	// from one instant to another, both included, the newest first.
	Lane(ctx context.Context, o rota.Owner, id rota.ScheduleID, from, to time.Time, limit int) ([]rota.LaneEntry, error)
}

// RetentionReader reads how long accounts keep what has ended.
type RetentionReader interface {
	// KeptFor returns that of an account, as far as it has settings of its own.
	KeptFor(ctx context.Context, account string) (rota.KeptFor, error)
}

// RetentionWriter writes how long accounts keep what has ended.
type RetentionWriter interface {
	SaveKeptFor(ctx context.Context, k rota.KeptFor) error
}

// LedgerWriter puts outcomes on record.
type LedgerWriter interface {
	// Record puts outcomes on record that start no run.
	Record(ctx context.Context, outcomes []rota.Occurrence) error

	// GiveUp puts on record that what waits in the timers of schedules will not start.
	GiveUp(ctx context.Context, schedules []rota.ScheduleID, why rota.Reason) error

	// SplitSpan puts parts in the place of the span that begins at a nominal time.
	SplitSpan(ctx context.Context, id rota.ScheduleID, at rota.Instant, parts []rota.Occurrence) error

	// Fire does with a timer what was decided of it.
	Fire(ctx context.Context, now time.Time, before rota.Timer, d rota.Decision) ([]rota.Fire, error)
}

// An Acknowledger acknowledges what did not run as it should have. What needs nobody is
// left alone.
type Acknowledger interface {
	// Acknowledge acknowledges those of some occurrences of owners that were missed or
	// blocked and that nobody has acknowledged, and returns how many.
	Acknowledge(ctx context.Context, o rota.Owners, ids []rota.OccurrenceID, a rota.Acknowledgement) (int, error)

	// AcknowledgeRuns does so with runs that failed or are incomplete.
	AcknowledgeRuns(ctx context.Context, o rota.Owners, ids []rota.RunID, a rota.Acknowledgement) (int, error)
}

// RunReader reads runs, also those of deleted agents. Their answers are
// [rota.Run.Deferred] if they are large.
type RunReader interface {
	// OpenRunsOf counts the runs that have not ended of owners, and of whole accounts, and
	// responses with them.
	OpenRunsOf(ctx context.Context, owners []rota.Owner, accounts []string) (rota.OpenRuns, error)

	Run(ctx context.Context, o rota.Owner, a rota.AgentID, id rota.RunID) (rota.Run, error)
	RunByID(ctx context.Context, o rota.Owner, id rota.RunID) (rota.Run, error)

	// Response returns what a run holds of an answer, which the other reads leave out
	// if it is large.
	Response(ctx context.Context, o rota.Owner, id rota.RunID) (rota.Any, error)

	Runs(ctx context.Context, o rota.Owner, a rota.AgentID, p rota.Page) (rota.List[rota.Run], error)

	// AllRuns returns the runs of owners, whatever their agent.
	AllRuns(ctx context.Context, o rota.Owners, f rota.RunFilter, p rota.Page) (rota.List[rota.Run], error)
}

// EndUserReader reads for whom an account has acted.
type EndUserReader interface {
	// EndUsers returns the end users that have an agent, or have used one that is shared,
	// by name.
	EndUsers(ctx context.Context, account string, p rota.Page) (rota.List[rota.EndUser], error)
}

// LimitReader reads limits, and what is used of them.
type LimitReader interface {
	// LimitsOf returns the limits that were set for an account.
	LimitsOf(ctx context.Context, account string) (rota.AllLimits, error)

	// WorkersOf counts the runs of an owner that are worked on, and those of the
	// account.
	WorkersOf(ctx context.Context, o rota.Owner) (endUser, account int, err error)

	// ReadSpentBy returns what an end user, or the whole account, has used of its
	// limits of requests.
	ReadSpentBy(ctx context.Context, o rota.Owner, whole bool) (rota.Spent, error)
}

// LimitWriter writes limits.
type LimitWriter interface {
	// SaveLimits sets the limits of an account.
	SaveLimits(ctx context.Context, account string, own rota.AllLimits) error
}

// RunWriter starts and ends runs for callers.
type RunWriter interface {
	// AddRun stores a run of the current version of its agent, with the definitions
	// that its function references stand for, and queues it under the provider.
	AddRun(ctx context.Context, o rota.Owner, r rota.Run, provider string) error

	// WakeRun lets a run that sleeps go on at now, with what woke says came of its call
	// of sleep. It reports false, and does nothing, if the run does not sleep.
	WakeRun(ctx context.Context, id rota.RunID, now time.Time, woke rota.Awake) (bool, error)

	// FinishRun ends a run and settles its schedule's timer. If the run had
	// ended before, nothing changes.
	FinishRun(ctx context.Context, id rota.RunID, r rota.Result, settle rota.Settle) (rota.Finish, error)
}

// KeyReader reads keys.
type KeyReader interface {
	// Keys returns keys of the owner's account; only those that are bound to the
	// end user, if there is one.
	Keys(ctx context.Context, o rota.Owner, p rota.Page) (rota.List[rota.Key], error)

	// Key returns a key, also one that is revoked or expired.
	Key(ctx context.Context, account string, id rota.KeyID) (rota.Key, error)

	// SigningKeys returns the signing keys, the newest first.
	SigningKeys(ctx context.Context) ([]rota.SigningKey, error)
}

// DescendantReader reads the keys that descend from others.
type DescendantReader interface {
	// KeysFrom returns the keys that descend from one: those that it made, those that
	// these made, and so on; those of the owner's account, and of whatever account if
	// that is empty; those that are bound to the end user, if there is one.
	KeysFrom(ctx context.Context, ancestor rota.KeyID, o rota.Owner, p rota.Page) (rota.List[rota.Key], error)

	// KeyFrom returns a key that descends from another, in whatever account. In a
	// transaction, nobody else changes it until that ends.
	KeyFrom(ctx context.Context, ancestor, id rota.KeyID) (rota.Key, error)
}

// KeyWriter writes keys.
type KeyWriter interface {
	AddKey(ctx context.Context, k rota.Key, hash []byte) error

	// Key returns a key, also one that is revoked or expired. Nobody else changes it
	// until the transaction ends.
	Key(ctx context.Context, account string, id rota.KeyID) (rota.Key, error)

	// SaveKey writes a key back, with a new secret if there is a hash.
	SaveKey(ctx context.Context, k rota.Key, hash []byte) error

	SigningKeys(ctx context.Context) ([]rota.SigningKey, error)
	AddSigningKey(ctx context.Context, k rota.SigningKey) error

	// RetireSigningKeys retires every signing key at now, and forgets those that were
	// retired at forget or before.
	RetireSigningKeys(ctx context.Context, now, forget time.Time) error

	// RevokeKey revokes the key; one that is revoked stays as it is.
	RevokeKey(ctx context.Context, account string, id rota.KeyID, now time.Time) (rota.Key, error)
}

// Answers remembers answers, each for the owner that got it.
type Answers interface {
	// Answer returns the answer remembered for key at or after since. Other
	// transactions that ask for the same key wait until this one ends, so that
	// of equal requests at once the first alone finds none.
	Answer(ctx context.Context, o rota.Owner, key string, since time.Time) (rota.Answer, error)

	// KeepAnswer remembers an answer, in place of an older one, and forgets
	// some of those from before since.
	KeepAnswer(ctx context.Context, o rota.Owner, key string, a rota.Answer, since time.Time) error
}

// ResponseReader reads responses.
type ResponseReader interface {
	// StoredResponse returns a response with its output. In a transaction it stays as it
	// is until that ends.
	StoredResponse(ctx context.Context, o rota.Owner, id rota.ResponseID) (rota.ResponseRecord, error)
	ResponseStatus(ctx context.Context, o rota.Owner, id rota.ResponseID) (rota.ResponseStatus, error)
	Responses(ctx context.Context, o rota.Owner, p rota.Page) (rota.List[rota.ResponseRecord], error)

	// ResponseInput returns what went into a response, whosever it is.
	ResponseInput(ctx context.Context, id rota.ResponseID, p rota.Page) (rota.List[rota.ItemRecord], error)

	// Conversation returns a conversation that is not deleted. In a transaction nobody
	// else changes it until that ends.
	Conversation(ctx context.Context, o rota.Owner, id rota.ConversationID) (rota.ConversationRecord, error)

	// ConversationTurns returns what a conversation has, the oldest first, whosever it
	// is.
	ConversationTurns(ctx context.Context, id rota.ConversationID) ([]rota.Turn, error)

	// ChainTurns returns what a response and those before it have, the oldest first. It
	// is PreviousNotFound if nothing can go on from there.
	ChainTurns(ctx context.Context, o rota.Owner, id rota.ResponseID) ([]rota.Turn, error)
}

// ResponseWriter writes responses.
type ResponseWriter interface {
	// AddResponse adds a response with its input, and takes hold of its conversation. It
	// is ConversationLocked if another one has that.
	AddResponse(ctx context.Context, r rota.ResponseRecord, input []rota.ItemRecord, l rota.Lease) error

	// EndResponse ends a response. It reports false, and does nothing, if that has ended.
	EndResponse(ctx context.Context, e rota.ResponseEnd) (bool, error)

	// WakeResponse lets a response that sleeps go on at now, with what woke says came of
	// its call of sleep. It reports false, and does nothing, if the response does not sleep.
	WakeResponse(ctx context.Context, id rota.ResponseID, now time.Time, woke rota.Awake) (bool, error)

	SaveResponseObject(ctx context.Context, id rota.ResponseID, object json.RawMessage) error
	DeleteResponse(ctx context.Context, o rota.Owner, id rota.ResponseID) error
}

// ConversationReader reads conversations; see ResponseReader for what responses read of
// them.
type ConversationReader interface {
	// AllConversations returns the conversations of owners that are not deleted.
	AllConversations(ctx context.Context, o rota.Owners, p rota.Page) (rota.List[rota.ConversationRecord], error)

	// ConversationItems returns the items of a conversation, whosever it is.
	ConversationItems(ctx context.Context, id rota.ConversationID, p rota.Page) (rota.List[rota.ItemRecord], error)
	ConversationItem(ctx context.Context, id rota.ConversationID, item string) (rota.ItemRecord, error)

	// Item returns an item of a response or a conversation that is kept. If several have
	// the id, which providers and callers give, it is one of them.
	Item(ctx context.Context, o rota.Owner, id string) (rota.ItemRecord, error)

	// TurnBytes returns how many bytes the items have that came before a response: those
	// of its conversation or, if it has none, of the responses before it.
	TurnBytes(ctx context.Context, o rota.Owner, c rota.ConversationID, previous rota.ResponseID) (int, error)
}

// ConversationWriter writes conversations.
type ConversationWriter interface {
	AddConversation(ctx context.Context, c rota.ConversationRecord) error
	SaveConversation(ctx context.Context, c rota.ConversationRecord) error

	// DeleteConversation deletes a conversation. The items of responses stay theirs.
	DeleteConversation(ctx context.Context, id rota.ConversationID, now time.Time) error

	// AddItems appends items.
	AddItems(ctx context.Context, c rota.ConversationRecord, items []rota.ItemRecord, now time.Time) error

	// DeleteItem takes an item out. That of a response stays there.
	DeleteItem(ctx context.Context, id rota.ConversationID, item string, now time.Time) error
}
