package calendar

import (
	"slices"
	"testing"
	"time"

	"github.com/rota-run/rota"
)

func TestDescribeCron(t *testing.T) {
	for _, tt := range []struct{ expression, zone, want string }{
		{"* * * * *", "UTC", "every minute, UTC"},
		{"*/5 * * * *", "UTC", "every 5 minutes, UTC"},
		{"0 * * * *", "UTC", "every hour, UTC"},
		{"7 * * * *", "UTC", "at 7 minutes past every hour, UTC"},
		{"1 * * * *", "UTC", "at 1 minute past every hour, UTC"},
		{"*/13 * * * *", "UTC", "at 0, 13, 26, 39 and 52 minutes past every hour, UTC"},
		{"*/7 * * * *", "Etc/GMT+5", "every 7 minutes from 0 to 56 past every hour, Etc/GMT+5"},
		{"0-30 * * * *", "UTC", "every minute from 0 to 30 past every hour, UTC"},
		{"10,40 * * * *", "UTC", "at 10 and 40 minutes past every hour, UTC"},
		{"0 9 * * 1-5", "Europe/Madrid", "every weekday at 09:00, Madrid time"},
		{"0 9 * * *", "America/New_York", "every day at 09:00, New York time"},
		{"0 9,17 * * *", "America/Argentina/Buenos_Aires", "every day at 09:00 and 17:00, Buenos Aires time"},
		{"30 8-18 * * MON-FRI", "Europe/Madrid", "every hour from 08:30 to 18:30, every weekday, Madrid time"},
		{"*/15 9-17 * * 1-5", "Europe/Madrid", "every 15 minutes from 09:00 to 17:45, every weekday, Madrid time"},
		{"5,35 9-17 * * *", "UTC", "every day at 5 and 35 minutes past the hour from 09:05 to 17:35, UTC"},
		{"*/5 9 * * *", "UTC", "every 5 minutes from 09:00 to 09:55, UTC"},
		{"0-30 9 * * *", "UTC", "every minute from 09:00 to 09:30, UTC"},
		{"0 */2 * * *", "UTC", "every 2 hours from 00:00 to 22:00, UTC"},
		{"30 */5 * * *", "UTC", "every 5 hours from 00:30 to 20:30, UTC"},
		{"0 0,1,2,5,6,9,12 * * *", "UTC", "every day at 00:00, 01:00, 02:00, 05:00, 06:00, 09:00 and 12:00, UTC"},
		{"*/10 8,12,18 * * *", "UTC", "every 10 minutes, in the hours 08, 12 and 18, UTC"},
		{"*/10 */8 * * *", "UTC", "every 10 minutes, in the hours 00, 08 and 16, UTC"},
		{"0 9 * * SAT,SUN", "UTC", "every Saturday and Sunday at 09:00, UTC"},
		{"0 9 * * 1,3,5", "UTC", "every Monday, Wednesday and Friday at 09:00, UTC"},
		{"0 9 * * 1-6", "UTC", "every Monday to Saturday at 09:00, UTC"},
		{"0 9 * * SUN", "UTC", "every Sunday at 09:00, UTC"},
		{"0 9 * * FRI-SUN", "UTC", "every Friday to Sunday at 09:00, UTC"},
		{"0 0 1 * *", "UTC", "on the 1st of every month at 00:00, UTC"},
		{"0 0 1,15 * *", "UTC", "on the 1st and 15th of every month at 00:00, UTC"},
		{"0 0 28-31 * *", "UTC", "on the 28th to 31st of every month at 00:00, UTC"},
		{"0 0 */2 * *", "UTC", "on every 2nd day from the 1st to the 31st of every month at 00:00, UTC"},
		{"0 0 1 1 *", "UTC", "on the 1st of January at 00:00, UTC"},
		{"0 0 1,22 3,6 *", "UTC", "on the 1st and 22nd of March and June at 00:00, UTC"},
		{"0 0 13 * FRI", "UTC", "on the 13th of every month and on every Friday at 00:00, UTC"},
		{"0 0 13 1-3 FRI", "UTC", "on the 13th of January to March and on every Friday from January to March at 00:00, UTC"},
		{"45 2 */7 * SUN", "UTC", "every Sunday that is the 1st, 8th, 15th, 22nd and 29th of every month at 02:45, UTC"},
		{"0 9 * 6-8 1-5", "UTC", "every weekday from June to August at 09:00, UTC"},
		{"0 9 * JAN *", "UTC", "every day in January at 09:00, UTC"},
		{"* * 1 * *", "UTC", "every minute, on the 1st of every month, UTC"},
		{"@weekly", "Asia/Tokyo", "every Sunday at 00:00, Tokyo time"},
	} {
		if got := mustParse(t, cronSpec(tt.expression, tt.zone), time.Time{}).Describe(); got != tt.want {
			t.Errorf("%q in %s:\n got %s\nwant %s", tt.expression, tt.zone, got, tt.want)
		}
	}
}

func TestDescribe(t *testing.T) {
	for _, tt := range []struct {
		spec rota.Spec
		want string
	}{
		{rota.Spec{Type: rota.Interval, IntervalSeconds: 1}, "every second"},
		{rota.Spec{Type: rota.Interval, IntervalSeconds: 60}, "every minute"},
		{rota.Spec{Type: rota.Interval, IntervalSeconds: 90}, "every 1 minute and 30 seconds"},
		{rota.Spec{Type: rota.Interval, IntervalSeconds: 7200}, "every 2 hours"},
		{rota.Spec{Type: rota.Interval, IntervalSeconds: 93_784}, "every 1 day, 2 hours, 3 minutes and 4 seconds"},
		{rota.Spec{Type: rota.Interval, IntervalSeconds: rota.MaxIntervalSeconds}, "every 366 days"},
		{rota.Spec{Type: rota.Once, RunAt: "2026-12-01T09:00", Timezone: "Europe/Madrid"}, "once, on Tuesday 1 December 2026 at 09:00, Madrid time"},
		{rota.Spec{Type: rota.Once, RunAt: "2026-12-01T09:00:05.5Z"}, "once, on Tuesday 1 December 2026 at 09:00:05.500, UTC"},
	} {
		if got := mustParse(t, tt.spec, time.Time{}).Describe(); got != tt.want {
			t.Errorf("%+v:\n got %s\nwant %s", tt.spec, got, tt.want)
		}
	}
}

func TestWarnings(t *testing.T) {
	const herd = "many schedules run at minute 0; another minute finds the model's provider less busy"
	from := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		expression, zone string
		want             []Warning
	}{
		{"30 9 * * *", "Europe/Madrid", nil},
		{"30 2 * * *", "Europe/Madrid", []Warning{
			{ClockChange, "on 2027-03-28 the clock of Europe/Madrid moves from 02:00 to 03:00: 02:30 does not happen, and its run starts at 03:00"},
			{ClockChange, "on 2027-10-31 the clock of Europe/Madrid moves from 03:00 to 02:00: 02:30 happens twice, with a run the first time only"},
		}},
		{"30 2 * * 1-5", "Europe/Madrid", nil},
		{"0 3 * * *", "Europe/Madrid", []Warning{
			{TopOfHour, herd},
		}},
		{"45 */2 * * *", "Europe/Madrid", []Warning{
			{ClockChange, "on 2027-03-28 the clock of Europe/Madrid moves from 02:00 to 03:00: 02:45 does not happen, and there is no run for it"},
			{ClockChange, "on 2027-10-31 the clock of Europe/Madrid moves from 03:00 to 02:00: 02:45 happens twice, with a run each time"},
		}},
		{"30 1,2 * * *", "America/New_York", []Warning{
			{ClockChange, "on 2027-03-14 the clock of America/New_York moves from 02:00 to 03:00: 02:30 does not happen, and its run starts at 03:00"},
			{ClockChange, "on 2027-11-07 the clock of America/New_York moves from 02:00 to 01:00: 01:30 happens twice, with a run the first time only"},
		}},
		{"15 2 * * *", "Australia/Lord_Howe", []Warning{
			{ClockChange, "on 2027-10-03 the clock of Australia/Lord_Howe moves from 02:00 to 02:30: 02:15 does not happen, and its run starts at 02:30"},
		}},
		{"30 0 * * *", "Africa/Cairo", []Warning{
			{ClockChange, "on 2027-04-30 the clock of Africa/Cairo moves from 00:00 to 01:00: 00:30 does not happen, and its run starts at 01:00"},
		}},
		{"5 2 * * *", "UTC", nil},
		{"30 * * * *", "Europe/Madrid", nil},
		{"@hourly", "UTC", []Warning{
			{TopOfHour, herd},
		}},
		{"*/15 * * * *", "UTC", nil},
		{"*/13 */5 * * *", "UTC", []Warning{
			{UnevenStep, "*/13 in the field minute stands for 0, 13, 26, 39 and 52 and then starts again at 0: the distances are not all 13"},
			{UnevenStep, "*/5 in the field hour stands for 0, 5, 10, 15 and 20 and then starts again at 0: the distances are not all 5"},
		}},
		{"5 0 */2 * *", "UTC", []Warning{
			{UnevenStep, "*/2 in the field day-of-month stands for 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29 and 31 and then starts again at 1: the distances are not all 2"},
		}},
		{"*/99 0 * * *", "UTC", []Warning{
			{TopOfHour, herd},
			{UnevenStep, "*/99 in the field minute stands for 0 and then starts again at 0: the distances are not all 99"},
		}},
		{"5 0 31 * *", "UTC", []Warning{
			{ShortMonths, "there is no 31st in February, April, June, September and November"},
		}},
		{"5 0 30,31 * *", "UTC", []Warning{
			{ShortMonths, "there is no 30th in February; there is no 31st in February, April, June, September and November"},
		}},
		{"5 0 29 2 *", "UTC", []Warning{
			{ShortMonths, "there is no 29th in February except in leap years"},
		}},
		{"5 0 29 * *", "UTC", []Warning{
			{ShortMonths, "there is no 29th in February except in leap years"},
		}},
		{"5 0 31 1,3 *", "UTC", nil},
		{"0 0 31 * FRI", "UTC", []Warning{
			{TopOfHour, herd},
			{ShortMonths, "there is no 31st in February, April, June, September and November"},
		}},
	} {
		got := mustParse(t, cronSpec(tt.expression, tt.zone), time.Time{}).Warnings(from)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%q in %s:\n got %+v\nwant %+v", tt.expression, tt.zone, got, tt.want)
		}
	}
}
