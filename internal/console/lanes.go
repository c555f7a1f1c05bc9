package console

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
)

// laneMore is the kind of a shape where there are others, which are not shown one by one.
const laneMore rota.LaneKind = "more"

const (
	shownLanes = 12
	laneSlots  = 96
	laneWidth  = 960 // of the picture, in its own units
)

// A lanePicture is a schedule's times as a picture, and the same in words.
type lanePicture struct {
	place
	Name   string
	Words  string
	Shapes []laneShape
}

// A laneShape is some times of one kind.
type laneShape struct {
	Kind rota.LaneKind
	X, W int
}

// Back is how far it is from the end of the shape to its middle.
func (s laneShape) Back() int { return -s.W / 2 }

// signOf returns the shape of a kind, for what explains the picture.
func signOf(kind string) laneShape { return laneShape{Kind: rota.LaneKind(kind), X: 2, W: 9} }

type lanesData struct {
	Lanes []lanePicture
	Now   int // where the past ends
}

// lanes adds what became of the times of a day, and those of the next.
func (c *console) lanes(v visit, d *todayData) error {
	l, err := c.Control.Lanes(v.Context(), v.who, v.owners(), control.LaneQuery{Sort: rota.LanesByTrouble, Limit: shownLanes, Slots: laneSlots})
	if err != nil {
		return err
	}
	d.Day.Now = placeIn(l, l.Now.Time)
	for _, lane := range l.Data {
		p := lanePicture{
			place: place{lane.ScheduleID, lane.AgentID, lane.EndUser}, Name: cmp.Or(value(lane.Name), string(lane.ScheduleID)), Words: laneWords(lane, v.now),
		}
		for _, part := range slices.Concat(lane.Ahead, lane.Past) {
			x := placeIn(l, part.From.Time)
			p.Shapes = append(p.Shapes, laneShape{part.Kind(), x, max(placeIn(l, part.To.Time)-x, laneWidth/laneSlots-2)})
		}
		if lane.Since != nil {
			p.Shapes = append(p.Shapes, laneShape{laneMore, 0, placeIn(l, lane.Since.Time)})
		}
		if lane.Until != nil {
			x := placeIn(l, lane.Until.Time)
			p.Shapes = append(p.Shapes, laneShape{laneMore, x, laneWidth - x})
		}
		d.Day.Lanes = append(d.Day.Lanes, p)
	}
	return nil
}

// placeIn returns where in the picture a time is.
func placeIn(l rota.Lanes, at time.Time) int {
	length := max(l.To.Sub(l.From.Time), 1)
	return min(max(int(int64(at.Sub(l.From.Time))*laneWidth/int64(length)), 0), laneWidth)
}

func atLeast(more bool) string {
	if more {
		return "at least "
	}
	return ""
}

// laneWords says what a lane shows.
func laneWords(l rota.Lane, now time.Time) string {
	counts := make(map[rota.LaneKind]int64)
	for _, p := range slices.Concat(l.Past, l.Ahead) {
		counts[p.Kind()] += p.Count
	}
	var words []string
	for _, kind := range []struct {
		is   rota.LaneKind
		says string
	}{
		{rota.LaneFailed, "failed"},
		{rota.LaneMissed, "missed"},
		{rota.LaneBlocked, "blocked"},
		{rota.LaneRan, "ran"},
		{rota.LaneSkipped, "skipped"},
		{rota.LaneRunning, "under way"},
		{rota.LaneAhead, "to come"},
	} {
		cut := l.Since
		if kind.is == rota.LaneAhead {
			cut = l.Until
		}
		if n := counts[kind.is]; n > 0 {
			words = append(words, atLeast(cut != nil)+fmt.Sprint(n, " ", kind.says))
		}
	}
	if len(words) == 0 {
		words = append(words, "nothing")
	}
	switch {
	case l.Status == rota.SchedulePaused:
		words = append(words, "paused")
	case l.NextRunAt != nil:
		words = append(words, "next "+until(now, l.NextRunAt))
	}
	return strings.Join(words, ", ")
}
