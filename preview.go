package rota

// Values of the object field of previews.
const (
	ObjectPreview  = "schedule.preview"
	ObjectUpcoming = "schedule.upcoming"
)

// PreviewCreate is the body that asks what a schedule would do.
type PreviewCreate struct {
	Spec   Spec         `json:"schedule"`
	Policy PolicyUpdate `json:"policy,omitzero"`
	Count  Opt[int]     `json:"count,omitzero" minimum:"1" maximum:"100" doc:"default 10"`
	After  Opt[Instant] `json:"after,omitzero" doc:"default: now"`
}

// A Preview is what a schedule will do.
type Preview struct {
	Object      string        `json:"object" enum:"schedule.preview,schedule.upcoming"`
	Data        []PlannedTime `json:"data"`
	Description string        `json:"description" doc:"The times as a sentence in English."`
	Warnings    []Warning     `json:"warnings"`
}

// A PlannedTime is a nominal time that will run, or would.
type PlannedTime struct {
	ScheduledFor Instant  `json:"scheduled_for"`
	StartsAt     *Instant `json:"starts_at" doc:"When it starts: after its jitter. Null in a preview with jitter, which depends on the schedule's id, and for times of the past."`
	Local        string   `json:"local" doc:"The same instant on the clock of the schedule's zone, with its offset."`
	Skipped      bool     `json:"skipped" doc:"Whether somebody asked to skip it."`
}

// A Warning points at something that is valid and may not be what was meant.
// Codes never change; messages are for people to read.
type Warning struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Param   string `json:"param" doc:"The dotted path of the field that it is about."`
}
