package temporaltest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	schedulepb "go.temporal.io/api/schedule/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/encoding/protojson"
	pb "google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/rota-run/rota/internal/prereqtest"
)

// A Matcher says when a Temporal server would take the action of a schedule. It
// is the server's own code, without the server.
type Matcher struct {
	ask    *json.Encoder
	answer *json.Decoder
}

// NewMatcher starts a matcher that lives as long as the test. Where there is no
// server it skips the test, and fails it in CI.
func NewMatcher(tb testing.TB) *Matcher {
	tb.Helper()
	path, err := Binary()
	if errors.Is(err, ErrNotBuilt) {
		prereqtest.Missing(tb, err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(path, "times")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		in.Close()
		io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			tb.Error(err)
		}
	})
	return &Matcher{ask: json.NewEncoder(in), answer: json.NewDecoder(out)}
}

// Times returns the times that spec matches, after an instant and up to
// another. It does not know time zones other than UTC, skips, and jitter.
func (m *Matcher) Times(spec client.ScheduleSpec, after, until time.Time) ([]time.Time, error) {
	pb, err := protojson.Marshal(proto(spec))
	if err != nil {
		return nil, err
	}
	err = m.ask.Encode(struct {
		Spec         json.RawMessage
		After, Until int64
	}{pb, after.Unix(), until.Unix()})
	if err != nil {
		return nil, err
	}
	var a struct {
		Times []int64
		Error string
	}
	if err := m.answer.Decode(&a); err != nil {
		return nil, err
	}
	if a.Error != "" {
		return nil, fmt.Errorf("refused by Temporal: %s", a.Error)
	}
	all := make([]time.Time, len(a.Times))
	for i, t := range a.Times {
		all[i] = time.Unix(t, 0).UTC()
	}
	return all, nil
}

// proto returns what a client sends to the server.
func proto(s client.ScheduleSpec) *schedulepb.ScheduleSpec {
	pb := &schedulepb.ScheduleSpec{StartTime: timestamp(s.StartAt), EndTime: timestamp(s.EndAt)}
	for _, c := range s.Calendars {
		pb.StructuredCalendar = append(pb.StructuredCalendar, &schedulepb.StructuredCalendarSpec{
			Second: ranges(c.Second), Minute: ranges(c.Minute), Hour: ranges(c.Hour),
			DayOfMonth: ranges(c.DayOfMonth), Month: ranges(c.Month), Year: ranges(c.Year),
			DayOfWeek: []*schedulepb.Range{{End: 6}},
		})
	}
	for _, i := range s.Intervals {
		pb.Interval = append(pb.Interval, &schedulepb.IntervalSpec{Interval: durationpb.New(i.Every), Phase: durationpb.New(i.Offset)})
	}
	return pb
}

func ranges(all []client.ScheduleRange) (pb []*schedulepb.Range) {
	for _, r := range all {
		pb = append(pb, &schedulepb.Range{Start: int32(r.Start), End: int32(r.End), Step: int32(r.Step)})
	}
	return pb
}

func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// Size returns how many bytes a spec takes on its way to the server and in its
// database.
func Size(s client.ScheduleSpec) int { return pb.Size(proto(s)) }
