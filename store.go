package rota

import (
	"context"
	"time"
)

// A Store keeps everything, and is the truth that the API reads. Times are
// kept in whole milliseconds. Every method blocks until the store has
// answered, stops waiting when ctx ends, and returns NotFound for what does
// not exist or belongs to another owner.
type Store interface {
	Reader

	// Update runs fn in one transaction and returns when it is durable. Writes
	// that wait are committed together. If fn returns an error, nothing that
	// it did is kept and Update returns that error. A failure of what a method
	// of Tx writes may be the error of a later one, or that of Update alone.
	// fn may run twice, so it must have no effects outside the transaction. fn
	// must use the context that it is given, must not call Update, and must
	// return.
	Update(ctx context.Context, fn func(context.Context, Tx) error) error

	// OpenRuns counts the runs that have not ended, of all owners: a figure
	// for the operator.
	OpenRuns(ctx context.Context) (map[Phase]int, error)

	// Ping reports whether the store can read.
	Ping(ctx context.Context) error

	// Close waits for what is being written and closes the store.
	Close() error
}

// Reader is what can be read inside and outside of a transaction.
type Reader interface {
	AgentReader
	ScheduleReader
	RunReader
	KeyReader
	ClusterReader
}

// Tx is one transaction.
type Tx interface {
	Reader
	AgentWriter
	ScheduleWriter
	RunWriter
	KeyWriter
	AnswerKeeper
	Queue
	Cluster
	Mirror
}

// AgentReader reads agents.
type AgentReader interface {
	Agent(ctx context.Context, o Owner, id AgentID) (Agent, error)
	Agents(ctx context.Context, o Owner, p Page) (List[Agent], error)

	// AgentVersion returns a version of an agent.
	AgentVersion(ctx context.Context, o Owner, id AgentID, version int64) (AgentVersion, error)

	// AgentVersions returns the versions of an agent, in their order.
	AgentVersions(ctx context.Context, o Owner, id AgentID, p Page) (List[AgentVersion], error)
}

// AgentWriter writes agents.
type AgentWriter interface {
	// AddAgent adds an agent and its first version.
	AddAgent(ctx context.Context, o Owner, a Agent) error

	// SaveAgent writes an agent back that has another configuration, and adds its
	// version, which must be new. restored is the version that the configuration is
	// a copy of; nil if it is none.
	SaveAgent(ctx context.Context, o Owner, a Agent, restored *int64) error

	// DeleteAgent deletes the agent and its schedules. Runs that have started
	// go on; ClaimRuns blocks those that have not.
	DeleteAgent(ctx context.Context, o Owner, id AgentID, now time.Time) error
}

// ScheduleReader reads schedules. A deleted schedule is NotFound unless
// deleted is true.
type ScheduleReader interface {
	Schedule(ctx context.Context, o Owner, a AgentID, id ScheduleID, deleted bool) (Schedule, error)
	Schedules(ctx context.Context, o Owner, a AgentID, p Page) (List[Schedule], error)

	// Timer returns the timer of a schedule that is not deleted.
	Timer(ctx context.Context, o Owner, a AgentID, id ScheduleID) (Timer, error)

	// OverdueTimers returns the timers of an agent's schedules that may have nominal
	// times which have come without an outcome: active ones whose next time has
	// come, and paused ones.
	OverdueTimers(ctx context.Context, o Owner, a AgentID, now time.Time) ([]Timer, error)

	// LastOnRecord returns the last nominal time of a schedule that has an outcome,
	// apart from the times of triggers; zero if none has.
	LastOnRecord(ctx context.Context, id ScheduleID) (time.Time, error)

	// Due returns the next nominal time of a schedule, and when it is to be acted
	// on; zero if there is nothing to do.
	Due(ctx context.Context, id ScheduleID) (nominal, due time.Time, err error)

	// TimersMadeBy returns up to limit timers of the active schedules that a key
	// of the account made, for whatever end user, in the order of their ids.
	TimersMadeBy(ctx context.Context, account string, key KeyID, after ScheduleID, limit int) ([]Timer, error)

	// AllSchedules returns the owner's schedules, whatever their agent.
	AllSchedules(ctx context.Context, o Owner, f ScheduleFilter, p Page) (List[Schedule], error)

	// Occurrences returns what became of a schedule's nominal times, in their
	// order. Those of a deleted schedule can still be read.
	Occurrences(ctx context.Context, o Owner, a AgentID, id ScheduleID, f OccurrenceFilter, p Page) (List[Occurrence], error)
}

// ScheduleWriter writes schedules. A schedule is its content and its timer;
// the fields that a timer has are taken from the timer.
type ScheduleWriter interface {
	AddSchedule(ctx context.Context, o Owner, s Schedule, t Timer) error

	// SaveSchedule writes a schedule back. What waits in the timer before and
	// not afterwards becomes blocked.
	SaveSchedule(ctx context.Context, o Owner, s Schedule, t Timer) error

	// Record puts outcomes on record that start no run. A nominal time that has
	// a final outcome keeps it.
	Record(ctx context.Context, outcomes []Occurrence) error

	// SplitSpan puts parts in the place of the span that begins at a nominal
	// time.
	SplitSpan(ctx context.Context, id ScheduleID, at Instant, parts []Occurrence) error

	// DeleteSchedule deletes the schedule. Runs that have started go on;
	// ClaimRuns blocks those that have not.
	DeleteSchedule(ctx context.Context, o Owner, a AgentID, id ScheduleID, now time.Time) error
}

// RunReader reads runs. A run of a deleted agent can still be read.
type RunReader interface {
	Run(ctx context.Context, o Owner, a AgentID, id RunID) (Run, error)
	RunByID(ctx context.Context, o Owner, id RunID) (Run, error)
	Runs(ctx context.Context, o Owner, a AgentID, p Page) (List[Run], error)
}

// RunWriter writes runs for callers.
type RunWriter interface {
	// AddRun stores a run of the current version of its agent, and queues it under
	// the provider.
	AddRun(ctx context.Context, o Owner, r Run, provider string) error
}

// KeyReader reads keys.
type KeyReader interface {
	// KeyByHash returns the key whose secret has this SHA-256, also one that
	// is revoked or expired, and the hash that is stored.
	KeyByHash(ctx context.Context, hash []byte) (Key, []byte, error)
	Keys(ctx context.Context, account string, p Page) (List[Key], error)
}

// KeyWriter writes keys.
type KeyWriter interface {
	AddKey(ctx context.Context, k Key, hash []byte) error

	// AddFirstKey adds the key if its account has had none, and reports whether
	// it did. Of several transactions at once, one does.
	AddFirstKey(ctx context.Context, k Key, hash []byte) (added bool, err error)

	// Spent returns what a key has used of its rate limits. Other transactions
	// that ask for the same key wait until this one ends.
	Spent(ctx context.Context, id KeyID) (Spent, error)

	// SaveSpent notes what a key has used of its rate limits, when Spent has
	// been asked.
	SaveSpent(ctx context.Context, id KeyID, s Spent) error

	// RevokeKey revokes the key; one that is revoked stays as it is.
	RevokeKey(ctx context.Context, account string, id KeyID, now time.Time) (Key, error)
}

// An Answer is the remembered result of a request with an Idempotency-Key.
type Answer struct {
	Fingerprint []byte // of the request
	Body        []byte // the object that was answered
	At          time.Time
}

// AnswerKeeper remembers answers, each for the owner that got it.
type AnswerKeeper interface {
	// Answer returns the answer remembered for key at or after since. Other
	// transactions that ask for the same key wait until this one ends, so that
	// of equal requests at once the first alone finds none.
	Answer(ctx context.Context, o Owner, key string, since time.Time) (Answer, error)

	// KeepAnswer remembers an answer, in place of an older one, and forgets
	// some of those from before since.
	KeepAnswer(ctx context.Context, o Owner, key string, a Answer, since time.Time) error
}

// Queue is what engines write: occurrences, and the runs that have not ended.
type Queue interface {
	// FireDue takes up to limit timers that are due at now, the longest due
	// first, and does with each what decide says.
	FireDue(ctx context.Context, now time.Time, limit int, decide Decide) ([]Fire, error)

	// Fire does with one timer what was decided, due or not.
	Fire(ctx context.Context, now time.Time, before Timer, d Decision) ([]Fire, error)

	// FireBacklog takes timers whose backlog may go on, those with the newest
	// first, and does with the oldest occurrence of each what decide says, until
	// limit runs have started. It reports whether it left any that decide has
	// not refused.
	FireBacklog(ctx context.Context, now time.Time, limit int, decide DecideBacklog) (fires []Fire, left bool, err error)

	// ClaimRuns starts up to limit runs that wait under the provider, the
	// longest waiting first. Nobody else gets them. A run that has not started
	// before, and whose agent or schedule has been deleted or paused since it
	// was queued, comes with Blocked set: the caller must finish it.
	ClaimRuns(ctx context.Context, now time.Time, provider string, limit int) ([]Work, error)

	// RequeueRun puts a claimed run back as if it had not been claimed, under
	// another provider. One that a worker has taken stays as it is.
	//
	// It, SetResponse, DelayRun and FinishRun do nothing if the attempt is over:
	// a worker that was thought lost has no say in the attempt after its own.
	RequeueRun(ctx context.Context, a Attempt, provider string) error

	// SetResponse notes the id of the response that the provider has begun.
	SetResponse(ctx context.Context, a Attempt, responseID string) error

	// DelayRun makes a running run wait until at for its next attempt.
	// answered says that the provider answered this one with a failure.
	DelayRun(ctx context.Context, a Attempt, at time.Time, answered bool) error

	// FinishRun ends a run and settles its schedule's timer. If the run had
	// ended before, nothing changes. If it was blocked, so is its occurrence.
	FinishRun(ctx context.Context, id RunID, r Result, settle Settle) (Finish, error)

	// Recover returns the runs that a dead process left running to the queue,
	// fails those whose policy forbids that with worker_lost, and moves the
	// runs of providers that are not listed to the first that is.
	Recover(ctx context.Context, now time.Time, providers []string, settle Settle) (Recovered, error)

	// Rehome moves the runs that wait under providers that are not listed to the
	// first that is. Recover does that too.
	Rehome(ctx context.Context, providers []string) error

	// NextWake returns the earliest time after which FireDue or ClaimRuns may
	// find something: the first due time, and the first time after now at which
	// a run is ready that is not running. A queued run is ready later than now
	// if the clock was set back. It is zero if there is nothing to wait for.
	NextWake(ctx context.Context, now time.Time) (time.Time, error)
}

// ClusterReader reads what the processes of one engine share.
type ClusterReader interface {
	// Keeping says who keeps time.
	Keeping(ctx context.Context) (Keeping, error)

	// Stranded returns runs that were claimed before an instant and that no worker
	// has taken, with nothing in Work but the attempt, the provider and the policy.
	Stranded(ctx context.Context, before time.Time) ([]Work, error)

	// Taken returns the runs that workers have taken, as Stranded does, and since
	// when they have them.
	Taken(ctx context.Context) ([]Work, error)

	// Shown returns schedules that the engine outside has, in the order of their
	// ids, and whether they are paused.
	Shown(ctx context.Context, after ScheduleID, limit int) (map[ScheduleID]bool, error)
}

// Cluster writes what the processes of one engine share.
type Cluster interface {
	// SaveKeeping writes it, unless the kind is not before any more: Conflict. It
	// does not write the place, but when an engine outside takes over, that is not
	// known any more.
	SaveKeeping(ctx context.Context, before EngineKind, k Keeping) error

	// Busy counts the runs that are worked on, by provider. Of the transactions
	// that ask, each waits until the one before has ended, so that together they
	// claim no more than one alone may.
	Busy(ctx context.Context) (map[string]int, error)

	// TakeRun gives a claimed run to the one worker that asks first for this
	// attempt. Others get NotFound, as do all when the attempt is over.
	TakeRun(ctx context.Context, a Attempt, now time.Time) (Work, error)

	// ReturnRun does for one attempt whose worker is lost what Recover does for
	// all. It does nothing if the attempt is over.
	ReturnRun(ctx context.Context, a Attempt, now time.Time, settle Settle) (Finish, error)
}

// Mirror is what an engine outside has to be told of: schedules that were
// made, changed or deleted, or of which it knows too few times.
type Mirror interface {
	// Untold returns up to limit schedules that have to be told at now, the
	// longest waiting first. Until lease, or until they change again, nobody
	// else gets them.
	Untold(ctx context.Context, now, lease time.Time, limit int) ([]Untold, error)

	// Told notes that a schedule was told, unless it has changed since it was
	// leased, and when it has to be told again; zero for never. If shown is true,
	// its temporal_schedule_id is its id from now on, else null.
	Told(ctx context.Context, id ScheduleID, lease, again time.Time, shown bool) error

	// TellAnew has up to limit schedules told, in the order of their ids, and
	// returns the last one. When there are no more, it returns none, and notes
	// the place in which all of them are told from now on.
	TellAnew(ctx context.Context, p Place, after ScheduleID, limit int) (last ScheduleID, err error)

	// Forget notes that no engine outside has any schedule, nor is to be told of
	// one.
	Forget(ctx context.Context) error

	// Retell has a schedule told at now, and reports whether there is one, if only
	// a deleted one.
	Retell(ctx context.Context, id ScheduleID, now time.Time) (bool, error)
}

// Settle says what becomes of the timer of a schedule when one of its runs has
// ended. Its decision starts no run. It is pure.
type Settle func(Timer, Result) Decision

// A Finish tells what FinishRun did.
type Finish struct {
	Ended bool // the run was open and has ended
	Due   bool // its schedule has something to do at once
}

// Recovered counts what a dead process left behind.
type Recovered struct {
	Resumed int     // runs that go on
	Lost    []RunID // runs that failed with worker_lost
}

// Some reports whether there were any.
func (r Recovered) Some() bool { return r.Resumed > 0 || len(r.Lost) > 0 }
