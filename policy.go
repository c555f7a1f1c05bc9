package rota

// A Policy says what happens when time and reality disagree. Answers carry it
// whole, with the defaults of DefaultPolicy filled in.
type Policy struct {
	Overlap            Overlap  `json:"overlap" enum:"skip,buffer_one,allow_all"`
	Missed             Missed   `json:"missed" enum:"latest,skip,all"`
	MaxLatenessSeconds int64    `json:"max_lateness_seconds" doc:"A missed occurrence older than this is not made up for."`
	JitterSeconds      int64    `json:"jitter_seconds" doc:"Each occurrence starts up to this much later, always the same for the same occurrence."`
	StartAt            *Instant `json:"start_at" doc:"No nominal time before this instant."`
	EndAt              *Instant `json:"end_at" doc:"No nominal time after this instant."`
	MaxRuns            *int64   `json:"max_runs"`
	PauseAfterFailures *int     `json:"pause_after_failures"`
	Retry              Retry    `json:"retry"`
	TimeoutSeconds     int64    `json:"timeout_seconds" doc:"The longest that one attempt of a run may take."`
	Variables          bool     `json:"variables" doc:"Whether variables such as {{scheduled_for}} are filled in, in the agent's instructions and in the input."`
}

// Retry says what becomes of a run that an attempt did not finish.
type Retry struct {
	MaxAttempts    int     `json:"max_attempts" doc:"Rounds in all over the agent's model and its fallback models, for failures that a repetition can mend."`
	MaxWaitSeconds int64   `json:"max_wait_seconds" doc:"The longest wait before another round that a provider may ask for. A run that is asked to wait longer waits this long, and asks again."`
	OnCrash        OnCrash `json:"on_crash" enum:"resume,never"`
}

// Overlap says what happens when an occurrence falls due while a run of the
// same schedule has not ended.
type Overlap string

const (
	OverlapSkip      Overlap = "skip"       // it is skipped, on record
	OverlapBufferOne Overlap = "buffer_one" // one waits, the others are skipped
	OverlapAllowAll  Overlap = "allow_all"  // it starts beside the other
)

// Missed says what becomes of the occurrences that fell due while nobody was
// looking.
type Missed string

const (
	MissedLatest Missed = "latest" // the newest runs, the others are on record as missed
	MissedSkip   Missed = "skip"   // none runs
	MissedAll    Missed = "all"    // the newest 100 run, oldest first; the others are on record as missed
)

// OnCrash says what becomes of a run whose process died in the middle of it.
type OnCrash string

const (
	OnCrashResume OnCrash = "resume" // re-attach where the provider can, else ask again with the same idempotency key
	OnCrashNever  OnCrash = "never"  // the run fails with worker_lost
)

// DefaultPolicy returns the policy of a schedule that says nothing.
func DefaultPolicy() Policy {
	return Policy{
		Overlap:            OverlapSkip,
		Missed:             MissedLatest,
		MaxLatenessSeconds: 3600,
		Retry:              Retry{MaxAttempts: 3, MaxWaitSeconds: 3600, OnCrash: OnCrashResume},
		TimeoutSeconds:     600,
		Variables:          true,
	}
}

// PolicyUpdate is a policy in a request: what is absent stays as it is (on
// create: the default), and null restores the default.
type PolicyUpdate struct {
	Overlap            Opt[Overlap]     `json:"overlap,omitzero" enum:"skip,buffer_one,allow_all" nullable:"true"`
	Missed             Opt[Missed]      `json:"missed,omitzero" enum:"latest,skip,all" nullable:"true"`
	MaxLatenessSeconds Opt[int64]       `json:"max_lateness_seconds,omitzero" minimum:"0" maximum:"31622400" nullable:"true"`
	JitterSeconds      Opt[int64]       `json:"jitter_seconds,omitzero" minimum:"0" maximum:"86400" nullable:"true"`
	StartAt            Opt[Instant]     `json:"start_at,omitzero" nullable:"true"`
	EndAt              Opt[Instant]     `json:"end_at,omitzero" nullable:"true"`
	MaxRuns            Opt[int64]       `json:"max_runs,omitzero" minimum:"1" maximum:"9007199254740991" nullable:"true"`
	PauseAfterFailures Opt[int]         `json:"pause_after_failures,omitzero" minimum:"1" maximum:"1000" nullable:"true"`
	Retry              Opt[RetryUpdate] `json:"retry,omitzero" nullable:"true"`
	TimeoutSeconds     Opt[int64]       `json:"timeout_seconds,omitzero" minimum:"1" maximum:"86400" nullable:"true"`
	Variables          Opt[bool]        `json:"variables,omitzero" nullable:"true"`
}

// RetryUpdate is a Retry in a request.
type RetryUpdate struct {
	MaxAttempts    Opt[int]     `json:"max_attempts,omitzero" minimum:"1" maximum:"20" nullable:"true"`
	MaxWaitSeconds Opt[int64]   `json:"max_wait_seconds,omitzero" minimum:"0" maximum:"86400" nullable:"true"`
	OnCrash        Opt[OnCrash] `json:"on_crash,omitzero" enum:"resume,never" nullable:"true"`
}

// IsZero reports whether the update changes nothing.
func (u PolicyUpdate) IsZero() bool { return u == PolicyUpdate{} }

// Apply returns p with u's changes.
func (u PolicyUpdate) Apply(p Policy) Policy {
	def := DefaultPolicy()
	applyOrDefault(u.Overlap, &p.Overlap, def.Overlap)
	applyOrDefault(u.Missed, &p.Missed, def.Missed)
	applyOrDefault(u.MaxLatenessSeconds, &p.MaxLatenessSeconds, def.MaxLatenessSeconds)
	applyOrDefault(u.JitterSeconds, &p.JitterSeconds, def.JitterSeconds)
	u.StartAt.ApplyNullable(&p.StartAt)
	u.EndAt.ApplyNullable(&p.EndAt)
	u.MaxRuns.ApplyNullable(&p.MaxRuns)
	u.PauseAfterFailures.ApplyNullable(&p.PauseAfterFailures)
	applyOrDefault(u.TimeoutSeconds, &p.TimeoutSeconds, def.TimeoutSeconds)
	applyOrDefault(u.Variables, &p.Variables, def.Variables)
	if u.Retry.IsNull() {
		p.Retry = def.Retry
	}
	if r, ok := u.Retry.Get(); ok {
		applyOrDefault(r.MaxAttempts, &p.Retry.MaxAttempts, def.Retry.MaxAttempts)
		applyOrDefault(r.MaxWaitSeconds, &p.Retry.MaxWaitSeconds, def.Retry.MaxWaitSeconds)
		applyOrDefault(r.OnCrash, &p.Retry.OnCrash, def.Retry.OnCrash)
	}
	return p
}

func applyOrDefault[T any](o Opt[T], dst *T, def T) {
	if o.IsNull() {
		*dst = def
	}
	o.Apply(dst)
}
