package rota

// ObjectRetention is the object field of a Retention.
const ObjectRetention = "account.retention"

// MinRetention is the shortest time, in seconds, for which something that has ended
// is kept, unless it is kept for ever.
const MinRetention = 3600

// A Retention is how long an account keeps what has ended, in seconds; 0 is for ever.
type Retention struct {
	Object             string   `json:"object" enum:"account.retention"`
	RunsSeconds        int64    `json:"runs_seconds" doc:"How long a run is kept after it has ended, with its input and its answer. 0: for ever."`
	OccurrencesSeconds int64    `json:"occurrences_seconds" doc:"How long an occurrence is kept after its time, and after its outcome was put on record. 0: for ever."`
	Inherited          []string `json:"inherited" doc:"Which of the two are the server's setting, because the account has none of its own."`
}

// RetentionPut is the body that sets how long an account keeps what has ended.
type RetentionPut struct {
	RunsSeconds        Opt[int64] `json:"runs_seconds,omitzero" nullable:"true" minimum:"0" maximum:"3153600000" doc:"3600 or more, or 0 for ever. Null, or left out: the server's setting."`
	OccurrencesSeconds Opt[int64] `json:"occurrences_seconds,omitzero" nullable:"true" minimum:"0" maximum:"3153600000" doc:"3600 or more, or 0 for ever. Null, or left out: the server's setting."`
}

// A KeptFor is how long an account keeps what has ended, in seconds, as far as it has
// settings of its own: 0 is for ever, nil is as the server says.
type KeptFor struct {
	Account     string
	Runs        *int64
	Occurrences *int64
}

// Or returns what holds for the account, if the server keeps runs and occurrences for
// the given numbers of seconds.
func (k KeptFor) Or(runs, occurrences int64) Retention {
	r := Retention{Object: ObjectRetention, RunsSeconds: runs, OccurrencesSeconds: occurrences, Inherited: []string{}}
	for _, own := range []struct {
		name string
		mine *int64
		dst  *int64
	}{{"runs_seconds", k.Runs, &r.RunsSeconds}, {"occurrences_seconds", k.Occurrences, &r.OccurrencesSeconds}} {
		if own.mine == nil {
			r.Inherited = append(r.Inherited, own.name)
		} else {
			*own.dst = *own.mine
		}
	}
	return r
}

// An OldOccurrence is a row of the ledger that may be deleted for its age.
type OldOccurrence struct {
	ID           OccurrenceID
	ScheduleID   ScheduleID
	ScheduledFor Instant
	Last         Instant // the last nominal time of the row
	RecordedAt   Instant
	Asked        bool // it is of a trigger, and not of the schedule's times
}
