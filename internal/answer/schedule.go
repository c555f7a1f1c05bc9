package answer

import (
	"time"

	"github.com/rota-run/rota/internal/responses"
)

// scheduleName is the name of the tool that models know.
const scheduleName = "schedule"

// scheduleTool is called again after a crash: a call that has made a schedule finds it.
var scheduleTool = Tool{Kind: Schedule, Name: scheduleName, Server: responses.OwnServer, Title: scheduleName, Timeout: 30 * time.Second, Repeatable: true}

// toldSchedule is the tool as models are told it.
const toldSchedule = `{"type":"function","name":"` + scheduleName + `","description":"Plan your own follow-ups: runs of yourself, later. Each starts with the input that you write now, and remembers nothing else. create needs input and one of run_at, interval_seconds and cron_expression; list shows the schedules that you have planned; update changes one by its schedule_id; stop ends one.","parameters":{"type":"object","properties":{"action":{"type":"string","enum":["create","list","update","stop"]},"schedule_id":{"type":"string","description":"Of update and stop."},"input":{"type":"string","description":"What the run is to do."},"name":{"type":"string","description":"For people."},"run_at":{"type":"string","description":"Once, at this time: RFC 3339, at least 5 minutes ahead."},"interval_seconds":{"type":"integer","description":"Again and again: at least 300."},"cron_expression":{"type":"string","description":"Again and again: five fields, such as 0 9 * * MON-FRI; at least 5 minutes apart."},"timezone":{"type":"string","description":"Of run_at without an offset and of cron_expression: an IANA name; UTC if left out."},"max_runs":{"type":"integer","description":"After how many runs it is over."}},"required":["action"]},"strict":false}`
