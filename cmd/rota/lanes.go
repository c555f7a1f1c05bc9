package main

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
)

type lanesCmd struct {
	endUserFlag
	betweenFlags
	Sort  string `enum:"trouble,next,name" default:"trouble" placeholder:"ORDER" help:"Which schedules come first: those with the most trouble, those that run next, or by name [${default}]."`
	Limit int    `default:"20" placeholder:"N" help:"How many schedules, 1 to 50 [${default}]."`
}

// laneSlots is how many characters a lane has.
const laneSlots = 48

// Run by default shows a day back and a day ahead.
func (c *lanesCmd) Run(ctx context.Context, s *session) error {
	from, to, zone, err := c.betweenFlags.read()
	if err != nil {
		return err
	}
	q := client.LaneQuery{From: from, To: to, Sort: rota.LaneSort(c.Sort), Limit: c.Limit, Slots: laneSlots}
	card := func(l rota.Lanes) []line { return lanesCard(l, zone) }
	return show(s, card)(s.Schedules.Lanes(ctx, q, c.options(s)...))
}

func lanesCard(l rota.Lanes, zone *time.Location) []line {
	return []line{
		{"from", nominal(l.From.In(zone))},
		{"to", nominal(l.To.In(zone))},
		{"signs", laneLegend},
		{"lanes", tableText(laneColumns(l), l.Data)},
	}
}

func laneColumns(l rota.Lanes) []column[rota.Lane] {
	return []column[rota.Lane]{
		{"SCHEDULE", laneName},
		{"LANE", func(v rota.Lane) string { return drawLane(l, v) }},
		{"TROUBLE", func(v rota.Lane) string { return strconv.FormatInt(v.Trouble, 10) }},
	}
}

// laneSigns are what a lane is drawn with. Where several things are in one place, the last one
// of them is seen.
const laneSigns = " .-~o#!x"

// laneKinds is what the signs stand for.
var laneKinds = []rota.LaneKind{"", rota.LaneAhead, rota.LaneSkipped, rota.LaneRunning, rota.LaneRan, rota.LaneBlocked, rota.LaneMissed, rota.LaneFailed}

// laneLegend says what the signs mean.
const laneLegend = "o ran, x failed, ! missed, # blocked, - skipped, ~ under way, . to come, | now"

func laneName(v rota.Lane) string {
	if v.Name != nil {
		return *v.Name
	}
	return string(v.ScheduleID)
}

// drawLane draws a lane as text.
func drawLane(l rota.Lanes, v rota.Lane) string {
	drawn := []byte(strings.Repeat(" ", laneSlots))
	place := func(at time.Time) int {
		return min(max(int(int64(at.Sub(l.From.Time))*laneSlots/max(int64(l.To.Sub(l.From.Time)), 1)), 0), laneSlots-1)
	}
	for _, p := range slices.Concat(v.Ahead, v.Past) {
		sign := laneSigns[slices.Index(laneKinds, p.Kind())]
		for at := place(p.From.Time); at <= place(p.To.Time); at++ {
			if strings.IndexByte(laneSigns, sign) > strings.IndexByte(laneSigns, drawn[at]) {
				drawn[at] = sign
			}
		}
	}
	now := place(l.Now.Time)
	return string(drawn[:now]) + "|" + string(drawn[now:])
}
