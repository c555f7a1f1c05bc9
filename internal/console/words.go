package console

import (
	"cmp"
	"encoding/json"
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/calendar"
	"github.com/rota-run/rota/internal/zoneinfo"
)

// words are what templates say things with.
func words() template.FuncMap {
	return template.FuncMap{
		"mark": markOf, "phase": phaseMark, "spec": inWords, "clock": clock, "iso": iso, "ago": ago, "until": until, "span": spanOf,
		"text": text, "pretty": pretty, "short": short, "answer": answerText, "did": didWords, "query": with, "forUser": forUser, "name": nameOf,
		"reason": reasonWords, "policy": policyWords, "pauseWords": pauseWords, "count": count,
		"int":   func(n int64) int { return int(n) },
		"words": func(all ...string) []string { return all },
		"named": func(names map[rota.ScheduleID]string, id *rota.ScheduleID) string {
			return cmp.Or(names[*id], string(*id))
		},
		"field": newField, "choice": newChoice, "planned": newPlanned, "may": may, "sign": signOf, "operator": operator, "acting": acting,
		"nothing": func() url.Values { return nil },
		"string":  func(id rota.ScheduleID) string { return string(id) },
		"tabs":    tabsOf, "rows": newRows, "pages": newPages,
		"turned": func(l []rota.Occurrence) []rota.Occurrence {
			l = slices.Clone(l)
			slices.Reverse(l)
			return l
		},
	}
}

type (
	tab struct {
		To, Name string
		Key      string // leads there, after g
		Here     bool
	}
	rows struct {
		Now       time.Time
		Rows      any
		Agents    map[rota.AgentID]string    // their names
		Schedules map[rota.ScheduleID]string // likewise
	}
	pages struct {
		Query url.Values
		More  bool
		Last  string
	}
)

// tabsOf returns the parts of the console that the caller may see.
func tabsOf(v view) []tab {
	all := []tab{
		{To: "/", Name: "Today", Key: "t"},
		{To: "/schedules", Name: "Schedules", Key: "s"},
		{To: "/runs", Name: "Runs", Key: "r"},
		{To: "/agents", Name: "Agents", Key: "a"},
		{To: "/approvals", Name: "Approvals", Key: "p"},
		{To: "/conversations", Name: "Conversations", Key: "c"},
		{To: "/end-users", Name: "End users", Key: "e"},
		{To: "/keys", Name: "Keys", Key: "k"},
		{To: "/system", Name: "System", Key: "y"},
	}
	all = slices.DeleteFunc(all, func(t tab) bool {
		return t.To == "/end-users" && !operator(v) || t.To == "/conversations" && !may(v, rota.ReadConversations)
	})
	for i := range all {
		all[i].Here = v.Here == all[i].To
	}
	return all
}

// newRows returns what a table of rows needs, with the names of what it shows.
func newRows(v view, list any, names ...any) rows {
	r := rows{Now: v.Now, Rows: list}
	for _, n := range names {
		switch n := n.(type) {
		case map[rota.AgentID]string:
			r.Agents = n
		case map[rota.ScheduleID]string:
			r.Schedules = n
		}
	}
	return r
}

// newPages returns what the links between the pages of a list need: whether it goes on,
// and where.
func newPages(v view, more bool, last *string) pages {
	return pages{Query: v.Query, More: more && last != nil, Last: value(last)}
}

// A mark says how something went, in a shape, a class and a word.
type mark struct{ Shape, Class, Word string }

// markOf returns the mark of an occurrence, with how its run stands.
func markOf(o rota.Occurrence) mark {
	switch o.Outcome {
	case rota.Fired:
		if o.Run == nil {
			return mark{"▶", "run", "started"}
		}
		return phaseMark(o.Run.Phase)
	case rota.SkippedOverlap:
		return mark{"▪", "skip", "skipped: the run before had not ended"}
	case rota.SkippedRequested:
		return mark{"▪", "skip", "skipped on request"}
	case rota.Buffered:
		return mark{"⋯", "wait", "waits"}
	case rota.MissedOutcome:
		return mark{"○", "miss", "missed"}
	default:
		return mark{"◇", "block", "blocked"}
	}
}

func phaseMark(p rota.Phase) mark {
	switch p {
	case rota.PhaseCompleted:
		return mark{"●", "ok", "ran"}
	case rota.PhaseFailed:
		return mark{"✖", "fail", "failed"}
	case rota.PhaseCancelled:
		return mark{"⊘", "skip", "cancelled"}
	case rota.PhaseIncomplete:
		return mark{"◐", "miss", "incomplete"}
	case rota.PhaseQueued:
		return mark{"⋯", "wait", "queued"}
	case rota.PhaseWaiting:
		return mark{"⋯", "wait", "waits to go on"}
	default:
		return mark{"▶", "run", "running"}
	}
}

// inWords returns the times of a schedule as a sentence.
func inWords(s rota.Spec) string {
	c, err := calendar.Parse(s, time.Unix(0, 0))
	if err != nil {
		return string(s.Type)
	}
	return c.Describe()
}

// clock returns an instant on the clock of a zone, which it names.
func clock(zone string, at any) string {
	t, ok := instant(at)
	if !ok {
		return "–"
	}
	if zone == "" {
		zone = "UTC"
	}
	loc, err := zoneinfo.Load(zone)
	if err != nil {
		loc, zone = time.UTC, "UTC"
	}
	layout := "Mon 2 Jan 2006, 15:04"
	if t.Second() != 0 {
		layout = "Mon 2 Jan 2006, 15:04:05"
	}
	return t.In(loc).Format(layout) + " " + zone
}

// iso returns an instant for machines.
func iso(at any) string {
	t, ok := instant(at)
	if !ok {
		return ""
	}
	return rota.InstantOf(t).String()
}

func instant(at any) (time.Time, bool) {
	switch at := at.(type) {
	case time.Time:
		return at, true
	case rota.Instant:
		return at.Time, true
	case *rota.Instant:
		if at != nil {
			return at.Time, true
		}
	}
	return time.Time{}, false
}

// ago returns how long before now something was.
func ago(now time.Time, at any) string {
	t, ok := instant(at)
	if !ok {
		return ""
	}
	if t.After(now) {
		return until(now, at)
	}
	return spanOf(now.Sub(t)) + " ago"
}

// until returns how long after now something will be.
func until(now time.Time, at any) string {
	t, ok := instant(at)
	if !ok {
		return ""
	}
	if !t.After(now) {
		return "now"
	}
	return "in " + spanOf(t.Sub(now))
}

// spanOf returns a length of time in its largest unit, or two while they are small.
func spanOf(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour && d%time.Hour < time.Minute:
		return fmt.Sprintf("%d h", int(d.Hours()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%d days", int(d.Hours())/24)
	}
}

// count returns how many there are of a noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// value returns what a pointer points to, or nothing.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// text returns what JSON says to a reader: a string as it is, items as their texts.
func text(v rota.Any) string {
	var s string
	if json.Unmarshal(v.RawMessage, &s) == nil {
		return s
	}
	var items []struct{ Content json.RawMessage }
	if json.Unmarshal(v.RawMessage, &items) != nil {
		return pretty(v)
	}
	var parts []string
	for _, i := range items {
		parts = append(parts, contentText(i.Content))
	}
	return strings.Join(parts, "\n")
}

// contentText returns the text of an item's content.
func contentText(content json.RawMessage) string {
	var s string
	if json.Unmarshal(content, &s) == nil {
		return s
	}
	var parts []struct{ Text, Refusal string }
	_ = json.Unmarshal(content, &parts) // what is something else has no text
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.Text + p.Refusal)
	}
	return b.String()
}

// answerText returns what a response says.
func answerText(v rota.Any) string {
	var response struct {
		Output []struct{ Content json.RawMessage }
	}
	_ = json.Unmarshal(v.RawMessage, &response)
	var parts []string
	for _, item := range response.Output {
		if t := contentText(item.Content); t != "" {
			parts = append(parts, t)
		}
	}
	return strings.Join(parts, "\n\n")
}

// maxShown is how much of a text a page shows.
const maxShown = 64 << 10

// pretty returns JSON that people can read.
func pretty(v any) string {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err.Error()
	}
	return short(string(b))
}

// short returns as much of a text as a page shows.
func short(text string) string {
	if len(text) > maxShown {
		return text[:maxShown] + "\n… the API has the rest"
	}
	return text
}

// didWords says what the form before a page has done.
func didWords(did string) string {
	return map[string]string{
		"triggered": "It runs now, or as soon as a worker is free.", "paused": "The schedule is paused.", "resumed": "The schedule runs again.",
		"made": "Created.", "changed": "Saved.", "deleted": "Deleted.", "backfilled": "These times run, one after the other.",
		"skipped": "That time will be skipped.", "unskipped": "That time will not be skipped.", "cancelled": "The run is cancelled.", "approved": "The call is approved. A run goes on with it.", "denied": "The call is denied. A run goes on without it.", "seen": "It is acknowledged, and needs nobody any more.",
	}[did]
}

// reasonWords says why an occurrence did not run, with the code that programs see.
func reasonWords(o rota.Occurrence) string {
	if o.Reason == nil {
		return ""
	}
	return o.Reason.Message
}

// policyWords says in sentences what a policy does.
func policyWords(p rota.Policy) []string {
	out := []string{
		map[rota.Overlap]string{
			rota.OverlapSkip:      "A time that comes while a run has not ended is skipped.",
			rota.OverlapBufferOne: "One time that comes while a run has not ended waits for its end; others are skipped.",
			rota.OverlapAllowAll:  "A time that comes while a run has not ended starts another.",
		}[p.Overlap],
		map[rota.Missed]string{
			rota.MissedLatest: "If nobody was looking, the newest missed time runs afterwards",
			rota.MissedSkip:   "If nobody was looking, missed times do not run",
			rota.MissedAll:    "If nobody was looking, all missed times run afterwards",
		}[p.Missed] + lateness(p) + ".",
	}
	if p.PauseAfterFailures != nil {
		out = append(out, fmt.Sprintf("After %s in a row the schedule is paused.", count(*p.PauseAfterFailures, "failure", "failures")))
	}
	if p.MaxRuns != nil {
		out = append(out, fmt.Sprintf("It ends after %s.", count(int(*p.MaxRuns), "run", "runs")))
	}
	return append(out, fmt.Sprintf("An attempt may take %s; a run may have %s.", spanOf(time.Duration(p.TimeoutSeconds)*time.Second), count(p.Retry.MaxAttempts, "attempt", "attempts")))
}

func lateness(p rota.Policy) string {
	if p.Missed == rota.MissedSkip {
		return ""
	}
	return ", if not older than " + spanOf(time.Duration(p.MaxLatenessSeconds)*time.Second)
}

// with returns the query of a page with other values of some names; an empty value
// leaves a name out.
func with(q url.Values, pairs ...string) string {
	out := url.Values{}
	for name, values := range q {
		if name != "did" {
			out[name] = values
		}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		out.Del(pairs[i])
		if pairs[i+1] != "" {
			out.Set(pairs[i], pairs[i+1])
		}
	}
	return "?" + out.Encode()
}

// may reports whether the caller has a scope.
func may(v view, s rota.Scope) bool { return v.Who.Require(s) == nil }

// operator reports whether the caller sees all end users.
func operator(v view) bool { return may(v, rota.ReadAccount) && v.Who.Owner.EndUser == "" }

// acting returns the query that keeps the caller acting for the same end user, with
// more pairs.
func acting(v view, pairs ...string) string {
	if q := with(nil, append(pairs, "for", v.Query.Get("for"))...); q != "?" {
		return q
	}
	return ""
}

// forUser returns the query that makes a page act for an end user.
func forUser(user *string) string {
	if user == nil || *user == "" {
		return ""
	}
	return "?" + url.Values{"for": {*user}}.Encode()
}

// wallTime returns the instant that a clock in a zone shows as text.
func wallTime(zone, text string) (time.Time, error) {
	loc, err := zoneinfo.Load(zone)
	if err != nil {
		return time.Time{}, err
	}
	return time.ParseInLocation("2006-01-02T15:04", text, loc)
}
