package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
)

type agentSchedulesCmd struct {
	Create      agentSchedulesCreate      `cmd:"" help:"Put an agent on a schedule." example:"rota agent-schedules create --agent-id $AGENT --cron '0 9 * * MON-FRI' --timezone Europe/Madrid --input 'The report, please.'"`
	List        agentSchedulesList        `cmd:"" help:"List the schedules of an agent." example:"rota agent-schedules list --agent-id $AGENT"`
	Get         agentSchedulesGet         `cmd:"" help:"Show a schedule." example:"rota agent-schedules get --agent-id $AGENT --schedule-id $SCHEDULE"`
	Update      agentSchedulesUpdate      `cmd:"" help:"Change a schedule; what is not named stays." example:"rota agent-schedules update --agent-id $AGENT --schedule-id $SCHEDULE --every 2h"`
	Put         agentSchedulesPut         `cmd:"" help:"Make the schedule with a key what is said: create it, change it, or leave it as it is." example:"rota agent-schedules put --agent-id $AGENT --by-key nightly --every 1h --input 'Anything new?'"`
	Delete      agentSchedulesDelete      `cmd:"" help:"Delete a schedule." example:"rota agent-schedules delete --agent-id $AGENT --schedule-id $SCHEDULE"`
	Pause       agentSchedulesPause       `cmd:"" help:"Stop a schedule from starting runs." example:"rota agent-schedules pause --agent-id $AGENT --schedule-id $SCHEDULE --note 'holidays'"`
	Resume      agentSchedulesResume      `cmd:"" help:"Let a paused schedule go on." example:"rota agent-schedules resume --agent-id $AGENT --schedule-id $SCHEDULE"`
	Versions    agentSchedulesVersions    `cmd:"" help:"List what a schedule was." example:"rota agent-schedules versions --agent-id $AGENT --schedule-id $SCHEDULE"`
	Version     agentSchedulesVersion     `cmd:"" help:"Show a version of a schedule." example:"rota agent-schedules version --agent-id $AGENT --schedule-id $SCHEDULE --version 1"`
	Occurrences agentSchedulesOccurrences `cmd:"" help:"List what became of a schedule's times, and why." example:"rota agent-schedules occurrences --agent-id $AGENT --schedule-id $SCHEDULE --from 2026-12-01T00:00 --timezone Europe/Madrid"`
	Upcoming    agentSchedulesUpcoming    `cmd:"" help:"List the times ahead of a schedule." example:"rota agent-schedules upcoming --agent-id $AGENT --schedule-id $SCHEDULE --count 3"`
	Trigger     agentSchedulesTrigger     `cmd:"" help:"Run a schedule now, also one that is paused." example:"rota agent-schedules trigger --agent-id $AGENT --schedule-id $SCHEDULE --watch"`
	Backfill    agentSchedulesBackfill    `cmd:"" help:"Run times of the past that have started no run; without --start, only list them." example:"rota agent-schedules backfill --agent-id $AGENT --schedule-id $SCHEDULE --from 2026-12-01T00:00 --to 2026-12-02T00:00 --timezone Europe/Madrid --start"`
	Skip        agentSchedulesSkip        `cmd:"" help:"Skip one of the times ahead." example:"rota agent-schedules skip --agent-id $AGENT --schedule-id $SCHEDULE --scheduled-for 2026-12-24T09:00 --timezone Europe/Madrid"`
	Unskip      agentSchedulesUnskip      `cmd:"" help:"Do not skip a time after all." example:"rota agent-schedules unskip --agent-id $AGENT --schedule-id $SCHEDULE --scheduled-for 2026-12-24T09:00 --timezone Europe/Madrid"`
}

// scheduleID is the flags of verbs that are about one schedule.
type scheduleID struct {
	agentID
	ScheduleID rota.ScheduleID `required:"" placeholder:"ID" help:"Id of the schedule."`
}

// scheduleFlags are the fields of a schedule that have a flag.
type scheduleFlags struct {
	When         whenFlags       `embed:""`
	Input        *string         `placeholder:"TEXT" help:"What each run starts with."`
	Name         *string         `placeholder:"TEXT" help:"Name of the schedule."`
	Description  *string         `placeholder:"TEXT" help:"What the schedule is for."`
	Continuity   continuityFlags `embed:""`
	Metadata     metadataFlag    `embed:""`
	AgentVersion *int64          `placeholder:"N" help:"Run this version of the agent; 0 for the one that it has when a run is made."`
	Policy       policyFlags     `embed:"" group:"policy"`
}

// whenFlags are the times of a schedule.
type whenFlags struct {
	Every    *span   `xor:"when" placeholder:"TIME" help:"Run at an interval, such as 90s, 1h30m or 7d."`
	From     *string `placeholder:"TIME" help:"Count --every from this time, such as 2026-12-01T09:00, in the time zone, or with an offset."`
	At       *string `xor:"when" placeholder:"TIME" help:"Run once, such as 2026-12-01T09:00, in the time zone, or with an offset."`
	Cron     *string `xor:"when" placeholder:"EXPR" help:"Run by five cron fields, or @hourly, @daily, @weekly, @monthly, @yearly."`
	Timezone *string `placeholder:"ZONE" help:"IANA time zone of the times, such as Europe/Madrid; UTC by default."`
}

// policyFlags say what happens when time and reality disagree.
type policyFlags struct {
	Overlap            *rota.Overlap `enum:"skip,buffer_one,allow_all" placeholder:"WHAT" help:"If a run has not ended when the next is due: skip, buffer_one or allow_all."`
	Missed             *rota.Missed  `enum:"latest,skip,all" placeholder:"WHICH" help:"Of the times missed while the server was down, run: latest, skip or all."`
	MaxLateness        *span         `placeholder:"TIME" help:"How late a missed run may start."`
	Jitter             *span         `placeholder:"TIME" help:"Start each run up to this much later."`
	StartAt            *rota.Instant `placeholder:"TIME" help:"No run before this time. To count --every from a time, use --from."`
	EndAt              *rota.Instant `placeholder:"TIME" help:"No run after this time."`
	MaxRuns            *int64        `placeholder:"N" help:"Complete the schedule after this many runs."`
	PauseAfterFailures *int          `placeholder:"N" help:"Pause the schedule when this many runs in a row have failed."`
	MaxAttempts        *int          `placeholder:"N" help:"How often a run that fails is tried in all, each time over the fallback models too."`
	MaxWait            *span         `placeholder:"TIME" help:"The longest wait before another attempt that a provider may ask for."`
	OnCrash            *rota.OnCrash `enum:"resume,never" placeholder:"WHAT" help:"A run that a crash of the server cut off: resume or never."`
	Timeout            *span         `placeholder:"TIME" help:"The longest that one attempt may take."`
	Variables          *bool         `placeholder:"BOOL" help:"Fill in {{scheduled_for}} and the other variables: true or false."`
}

// spec returns the times, if there are any.
func (w whenFlags) spec() (rota.Opt[rota.Spec], error) {
	s := rota.Spec{Timezone: text(w.Timezone)}
	switch {
	case w.From != nil && w.Every == nil:
		return rota.Opt[rota.Spec]{}, usagef("--from goes with --every")
	case w.Every != nil && w.Every.seconds() == 0:
		return rota.Opt[rota.Spec]{}, usagef("--every must be at least 1s")
	case w.Every != nil:
		s.Type, s.IntervalSeconds = rota.Interval, w.Every.seconds()
		if w.From != nil {
			s.StartAt = wallClock(*w.From)
		}
	case w.At != nil:
		s.Type, s.RunAt = rota.Once, wallClock(*w.At)
	case w.Cron != nil:
		s.Type, s.CronExpression = rota.Cron, *w.Cron
	case w.Timezone != nil:
		return rota.Opt[rota.Spec]{}, usagef("--timezone goes with --every, --at or --cron")
	default:
		return rota.Opt[rota.Spec]{}, nil
	}
	if s.Timezone == "" {
		s.Timezone = "UTC"
	}
	return rota.Some(s), nil
}

func (p policyFlags) update() rota.PolicyUpdate {
	u := rota.PolicyUpdate{
		Overlap:            some(p.Overlap),
		Missed:             some(p.Missed),
		MaxLatenessSeconds: seconds(p.MaxLateness),
		JitterSeconds:      seconds(p.Jitter),
		StartAt:            some(p.StartAt),
		EndAt:              some(p.EndAt),
		MaxRuns:            some(p.MaxRuns),
		PauseAfterFailures: some(p.PauseAfterFailures),
		TimeoutSeconds:     seconds(p.Timeout),
		Variables:          some(p.Variables),
	}
	if p.MaxAttempts != nil || p.MaxWait != nil || p.OnCrash != nil {
		u.Retry = rota.Some(rota.RetryUpdate{MaxAttempts: some(p.MaxAttempts), MaxWaitSeconds: seconds(p.MaxWait), OnCrash: some(p.OnCrash)})
	}
	return u
}

// beginFlags say how a new schedule begins.
type beginFlags struct {
	Paused bool    `help:"Begin paused."`
	Note   *string `placeholder:"TEXT" help:"Why it begins paused, for those who look at it."`
}

func (b beginFlags) apply(body *rota.ScheduleCreate) {
	if b.Paused {
		body.Paused = rota.Some(true)
	}
	body.Note = some(b.Note)
}

// newScheduleFlags are what a schedule is made of.
type newScheduleFlags struct {
	Begin  beginFlags    `embed:""`
	Fields scheduleFlags `embed:""`
	Body   bodyFlag      `embed:""`
}

// read returns the body that the flags are, or what sends the one that is given whole.
func (f newScheduleFlags) read(s *session) (rota.ScheduleCreate, []client.CallOption, error) {
	raw, err := f.Body.raw(s.in, f.Begin, f.Fields)
	if err != nil {
		return rota.ScheduleCreate{}, nil, err
	}
	body, err := f.Fields.create()
	if err == nil && raw == nil && (body.Spec.Type == "" || f.Fields.Input == nil) {
		err = usagef("give --every, --at or --cron, and --input; or --body")
	}
	f.Begin.apply(&body)
	return body, append(s.call, raw...), err
}

type agentSchedulesCreate struct {
	agentID
	New newScheduleFlags `embed:""`
}

func (c *agentSchedulesCreate) Run(ctx context.Context, s *session) error {
	body, opts, err := c.New.read(s)
	if err != nil {
		return err
	}
	return show(s, scheduleCard)(s.Schedules.Create(ctx, c.AgentID, body, opts...))
}

type agentSchedulesPut struct {
	agentID
	ByKey string           `required:"" placeholder:"KEY" help:"The key of the schedule: a name of yours."`
	New   newScheduleFlags `embed:""`
}

func (c *agentSchedulesPut) Run(ctx context.Context, s *session) error {
	body, opts, err := c.New.read(s)
	if err != nil {
		return err
	}
	return show(s, scheduleCard)(s.Schedules.Put(ctx, c.AgentID, c.ByKey, body, opts...))
}

func (f scheduleFlags) create() (rota.ScheduleCreate, error) {
	spec, err := f.When.spec()
	if err != nil {
		return rota.ScheduleCreate{}, err
	}
	body := rota.ScheduleCreate{
		Input:              rota.InputText(text(f.Input)),
		Name:               clearable(f.Name),
		Description:        clearable(f.Description),
		Conversation:       f.Continuity.conversation(),
		PreviousResponseID: clearable(f.Continuity.PreviousResponseID),
		ContextManagement:  f.Continuity.ContextManagement.optional(),
		Metadata:           f.Metadata.Metadata,
		Policy:             f.Policy.update(),
		AgentVersion:       f.pin(),
	}
	spec.Apply(&body.Spec)
	return body, nil
}

// pin is the version of the agent that is asked for, if any.
func (f scheduleFlags) pin() rota.Opt[int64] {
	if f.AgentVersion != nil && *f.AgentVersion == 0 {
		return rota.Null[int64]()
	}
	return some(f.AgentVersion)
}

type agentSchedulesList struct {
	agentID
	Part listFlags `embed:""`
}

func (c *agentSchedulesList) Run(ctx context.Context, s *session) error {
	return many(s, c.Part, scheduleColumns(), func(p rota.Page) (rota.List[rota.Schedule], error) {
		return s.Schedules.List(ctx, c.AgentID, p, s.call...)
	})
}

type agentSchedulesGet struct {
	agentID
	ScheduleID     rota.ScheduleID `required:"" xor:"which" placeholder:"ID" help:"Id of the schedule."`
	ByKey          string          `required:"" xor:"which" placeholder:"KEY" help:"The key of the schedule, in place of its id."`
	IncludeDeleted bool            `help:"Also one that is deleted; not with --by-key."`
	Recent         bool            `help:"With the last ten occurrences."`
}

func (c *agentSchedulesGet) Run(ctx context.Context, s *session) error {
	opts := s.call
	if c.Recent {
		opts = append(opts, client.Recent())
	}
	if c.ByKey != "" {
		return show(s, scheduleCard)(s.Schedules.GetByKey(ctx, c.AgentID, c.ByKey, opts...))
	}
	if c.IncludeDeleted {
		opts = append(opts, client.IncludeDeleted())
	}
	return show(s, scheduleCard)(s.Schedules.Get(ctx, c.AgentID, c.ScheduleID, opts...))
}

type agentSchedulesUpdate struct {
	scheduleID
	Fields scheduleFlags `embed:""`
	Body   bodyFlag      `embed:""`
}

func (c *agentSchedulesUpdate) Run(ctx context.Context, s *session) error {
	raw, err := c.Body.raw(s.in, c.Fields)
	if err != nil {
		return err
	}
	body, err := c.Fields.update()
	if err != nil {
		return err
	}
	return show(s, scheduleCard)(s.Schedules.Update(ctx, c.AgentID, c.ScheduleID, body, append(s.call, raw...)...))
}

func (f scheduleFlags) update() (rota.ScheduleUpdate, error) {
	spec, err := f.When.spec()
	if err != nil {
		return rota.ScheduleUpdate{}, err
	}
	body := rota.ScheduleUpdate{
		Spec:               spec,
		Name:               clearable(f.Name),
		Description:        clearable(f.Description),
		PreviousResponseID: clearable(f.Continuity.PreviousResponseID),
		ContextManagement:  f.Continuity.ContextManagement.optional(),
		Metadata:           f.Metadata.update(),
		Policy:             f.Policy.update(),
		AgentVersion:       f.pin(),
	}
	if f.Input != nil {
		body.Input = rota.Some(rota.InputText(*f.Input))
	}
	switch c := f.Continuity.Conversation; {
	case c != nil && *c == "":
		body.Conversation = rota.Null[rota.Conversation]()
	case c != nil:
		body.Conversation = rota.Some(f.Continuity.conversation())
	}
	return body, nil
}

type agentSchedulesDelete struct {
	scheduleID
}

func (c *agentSchedulesDelete) Run(ctx context.Context, s *session) error {
	return show(s, deleted[rota.ScheduleID])(s.Schedules.Delete(ctx, c.AgentID, c.ScheduleID, s.call...))
}

// noteFlag is why a schedule is paused or resumed.
type noteFlag struct {
	Note *string `placeholder:"TEXT" help:"Why, for those who look at the schedule."`
}

type agentSchedulesPause struct {
	scheduleID
	Note noteFlag `embed:""`
}

func (c *agentSchedulesPause) Run(ctx context.Context, s *session) error {
	return show(s, scheduleCard)(s.Schedules.Pause(ctx, c.AgentID, c.ScheduleID, rota.SchedulePause{Note: clearable(c.Note.Note)}, s.call...))
}

type agentSchedulesResume struct {
	scheduleID
	Note noteFlag `embed:""`
}

func (c *agentSchedulesResume) Run(ctx context.Context, s *session) error {
	return show(s, scheduleCard)(s.Schedules.Resume(ctx, c.AgentID, c.ScheduleID, rota.SchedulePause{Note: clearable(c.Note.Note)}, s.call...))
}

func scheduleColumns() []column[rota.Schedule] {
	return []column[rota.Schedule]{
		{"ID", func(s rota.Schedule) string { return string(s.ID) }},
		{"NAME", func(s rota.Schedule) string { return text(s.Name) }},
		{"STATUS", func(s rota.Schedule) string { return string(s.Status) }},
		{"WHEN", func(s rota.Schedule) string { return specText(s.Spec) }},
		{"NEXT RUN", func(s rota.Schedule) string { return stampIn(s.NextRunAt, zoneOf(s)) }},
		{"LAST RUN", func(s rota.Schedule) string { return stampIn(s.LastRunAt, zoneOf(s)) }},
		{"RUNS", func(s rota.Schedule) string { return strconv.FormatInt(s.RunCount, 10) }},
	}
}

func scheduleCard(s rota.Schedule) []line {
	zone := zoneOf(s)
	return []line{
		{"id", string(s.ID)},
		{"agent", string(s.AgentID)},
		{"key", text(s.Key)},
		{"name", text(s.Name)},
		{"description", text(s.Description)},
		{"status", string(s.Status)},
		{"paused", pauseText(s.PauseReason)},
		{"when", specText(s.Spec)},
		{"next run", stampIn(s.NextRunAt, zone)},
		{"starts", startsText(s, zone)},
		{"skips", skipsText(s.Skips, zone)},
		{"last run", strings.TrimSpace(stampIn(s.LastRunAt, zone) + "  " + text(s.LastRunID))},
		{"runs", strconv.FormatInt(s.RunCount, 10)},
		{"runs left", number(s.RemainingRuns)},
		{"failed in a row", strconv.Itoa(s.ConsecutiveFailures)},
		{"input", anyText(s.Input.Any)},
		{"conversation", anyText(s.Conversation.Any)},
		{"previous response", text(s.PreviousResponseID)},
		{"policy", policyText(s.Policy)},
		{"metadata", metadataText(s.Metadata)},
		{"created", stamp(&s.CreatedAt)},
		{"updated", stamp(&s.UpdatedAt)},
		{"deleted", stamp(s.DeletedAt)},
		{"agent version", number(s.AgentVersion)},
		{"schedule version", strconv.FormatInt(s.ScheduleVersion, 10)},
		{"version", strconv.FormatInt(s.Version, 10)},
		{"recent", recentText(s.Recent, zone)},
	}
}

// startsText returns when the next run starts, if jitter moves it.
func startsText(s rota.Schedule, zone *time.Location) string {
	if s.StartsAt == nil || s.NextRunAt == nil || s.StartsAt.Equal(s.NextRunAt.Time) {
		return ""
	}
	return stampIn(s.StartsAt, zone)
}

// recentText returns a table of occurrences, or nothing if there are none.
func recentText(all []rota.Occurrence, zone *time.Location) string {
	if len(all) == 0 {
		return ""
	}
	return tableText(occurrenceColumns(zone), all)
}

// skipsText returns one line per time.
func skipsText(skips []rota.Instant, zone *time.Location) string {
	all := ""
	for _, at := range skips {
		all += nominal(at.In(zone)) + "\n"
	}
	return all
}

// specText returns when a schedule runs, in words.
func specText(s rota.Spec) string {
	switch s.Type {
	case rota.Once:
		return "once at " + s.RunAt
	case rota.Interval:
		if s.StartAt != "" {
			return "every " + spanOf(s.IntervalSeconds) + " from " + s.StartAt
		}
		return "every " + spanOf(s.IntervalSeconds)
	case rota.Cron:
		return fmt.Sprintf("cron %s (%s)", s.CronExpression, s.Timezone)
	}
	return string(s.Type)
}

func pauseText(p *rota.PauseReason) string {
	if p == nil {
		return ""
	}
	all := fmt.Sprintf("%s at %s", p.Code, stamp(&p.At))
	if p.Actor != nil {
		all += " by " + *p.Actor
	}
	if p.Note != nil {
		all += ": " + *p.Note
	}
	return all
}

// attemptsOf returns how often a run is tried, and for how long.
func attemptsOf(p rota.Policy) string {
	if p.Retry.MaxAttempts == 1 {
		return "one attempt of at most " + spanOf(p.TimeoutSeconds)
	}
	return fmt.Sprintf("at most %d attempts of %s each", p.Retry.MaxAttempts, spanOf(p.TimeoutSeconds))
}

// policyText returns one line per part of the policy.
func policyText(p rota.Policy) string {
	lines := []string{
		"overlap " + string(p.Overlap),
		fmt.Sprintf("missed %s, at most %s late", p.Missed, spanOf(p.MaxLatenessSeconds)),
		attemptsOf(p) + ", after a crash " + string(p.Retry.OnCrash),
	}
	add := func(given bool, text string) {
		if given {
			lines = append(lines, text)
		}
	}
	add(p.JitterSeconds > 0, "jitter "+spanOf(p.JitterSeconds))
	add(p.StartAt != nil, "from "+stamp(p.StartAt))
	add(p.EndAt != nil, "until "+stamp(p.EndAt))
	add(p.MaxRuns != nil, "at most "+number(p.MaxRuns)+" runs")
	add(p.PauseAfterFailures != nil, "paused after "+number(p.PauseAfterFailures)+" failures in a row")
	return strings.Join(lines, "\n")
}
