package main

import (
	"bufio"
	"encoding/json"
	"io"
	"time"

	schedulepb "go.temporal.io/api/schedule/v1"
	"go.temporal.io/server/service/worker/scheduler"
	"google.golang.org/protobuf/encoding/protojson"
)

// A question asks for the times of a spec after a time up to another, both in
// Unix seconds; one line of JSON each.
type question struct {
	Spec         json.RawMessage // of temporal.api.schedule.v1.ScheduleSpec
	After, Until int64
}

// An answer is one line of JSON.
type answer struct {
	Times []int64 // Unix seconds
	Error string
}

// times answers questions with the code by which the server computes when a
// schedule is due.
func times(in io.Reader, out io.Writer) error {
	noLimit := func() int { return 0 }
	b := scheduler.NewSpecBuilder(noLimit, noLimit)
	w := bufio.NewWriter(out)
	questions, answers := json.NewDecoder(in), json.NewEncoder(w)
	for {
		var q question
		if err := questions.Decode(&q); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		var a answer
		if err := a.compute(b, q); err != nil {
			a.Error = err.Error()
		}
		if err := answers.Encode(a); err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
}

func (a *answer) compute(b *scheduler.SpecBuilder, q question) error {
	var pb schedulepb.ScheduleSpec
	if err := protojson.Unmarshal(q.Spec, &pb); err != nil {
		return err
	}
	spec, err := b.NewCompiledSpec(&pb)
	if err != nil {
		return err
	}
	after, until := time.Unix(q.After, 0), time.Unix(q.Until, 0)
	for {
		next, err := spec.GetNextTime("", after)
		if err != nil || next.Next.IsZero() || next.Next.After(until) {
			return err
		}
		a.Times = append(a.Times, next.Next.Unix())
		after = next.Next
	}
}
