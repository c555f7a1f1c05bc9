package main

func occurrenceVerbs() []verbCase {
	return []verbCase{
		{"agent-schedules|occurrences|--agent-id|agt_1|--schedule-id|asch_1", `GET /api/v1/agents/agt_1/schedules/asch_1/occurrences `},
		{"agent-schedules|occurrences|--agent-id|agt_1|--schedule-id|asch_1|--outcome|missed|--from|2026-12-01T09:00|--to|2026-12-02 09:00|--timezone|Europe/Madrid|--order|asc", `GET /api/v1/agents/agt_1/schedules/asch_1/occurrences?from=2026-12-01T08%3A00%3A00.000Z&order=asc&outcome=missed&to=2026-12-02T08%3A00%3A00.000Z `},
		{"agent-schedules|occurrences|--agent-id|agt_1|--schedule-id|asch_1|--from|2026-12-01T09:00|--to|2026-12-01T09:00:00.5-05:00|--all", `GET /api/v1/agents/agt_1/schedules/asch_1/occurrences?from=2026-12-01T09%3A00%3A00.000Z&limit=100&to=2026-12-01T14%3A00%3A00.500Z `},
		{"agent-schedules|versions|--agent-id|agt_1|--schedule-id|asch_1|--order|asc", `GET /api/v1/agents/agt_1/schedules/asch_1/versions?order=asc `},
		{"agent-schedules|version|--agent-id|agt_1|--schedule-id|asch_1|--version|3", `GET /api/v1/agents/agt_1/schedules/asch_1/versions/3 `},
		{"agent-schedules|update|--agent-id|agt_1|--schedule-id|asch_1|--agent-version|4", `POST /api/v1/agents/agt_1/schedules/asch_1 {"agent_version":4}`},
		{"agent-schedules|update|--agent-id|agt_1|--schedule-id|asch_1|--agent-version|0", `POST /api/v1/agents/agt_1/schedules/asch_1 {"agent_version":null}`},
		{"schedules|list|--pause-reason|failures|--name|a b|--search|x|--metadata|k=v|--sort|name|--count", `GET /api/v1/schedules?count=true&metadata%5Bk%5D=v&name=a+b&pause_reason=failures&q=x&sort=name `},
		{"schedules|list|--sort|next_run_at|--order|desc", `GET /api/v1/schedules?order=desc&sort=next_run_at `},
		{"schedules|list|--order|asc", `GET /api/v1/schedules?order=asc `},
		{"runs|list|--search|x|--metadata|k=v|--count", `GET /api/v1/runs?count=true&metadata%5Bk%5D=v&q=x `},
		{"occurrences|list|--phase|failed|--error-code|timeout|--search|x|--count", `GET /api/v1/occurrences?count=true&error_code=timeout&phase=failed&q=x `},
		{"occurrences|list|--reason|late|--unseen", `GET /api/v1/occurrences?reason=late&unseen=true `},
		{"runs|list|--unseen", `GET /api/v1/runs?unseen=true `},
		{"occurrences|acknowledge|occ_1", `POST /api/v1/occurrences/occ_1/acknowledge `},
		{"occurrences|acknowledge|--all|--end-user|*|--dry-run", `POST /api/v1/occurrences/acknowledge {"end_user":"*","dry_run":true}`},
		{"occurrences|acknowledge|--outcome|missed|--reason|late|--from|2026-12-01T00:00Z", `POST /api/v1/occurrences/acknowledge {"outcome":"missed","reason":"late","from":"2026-12-01T00:00:00.000Z"}`},
		{"runs|acknowledge|arun_1", `POST /api/v1/runs/arun_1/acknowledge `},
		{"runs|acknowledge|--error-code|timeout|--phase|failed|--metadata|a=b|--search|x", `POST /api/v1/runs/acknowledge {"phase":"failed","error_code":"timeout","metadata":{"a":"b"},"q":"x"}`},
		{"schedules|pause|--all|--end-user|*|--dry-run", `POST /api/v1/schedules/pause {"end_user":"*","dry_run":true}`},
		{"schedules|pause|--name|a|--search|b", `POST /api/v1/schedules/pause {"name":"a","q":"b"}`},
		{"schedules|trigger|--all|--end-user|ana|--dry-run", `POST /api/v1/schedules/trigger {"end_user":"ana","dry_run":true}`},
		{"schedules|resume|--all|--end-user|ana", `POST /api/v1/schedules/resume {"end_user":"ana"}`},
		{"forecast|--end-user|*", `GET /api/v1/forecast?end_user=%2A `},
		{"agent-schedules|upcoming|--agent-id|agt_1|--schedule-id|asch_1", `GET /api/v1/agents/agt_1/schedules/asch_1/upcoming `},
		{"agent-schedules|upcoming|--agent-id|agt_1|--schedule-id|asch_1|--count|3", `GET /api/v1/agents/agt_1/schedules/asch_1/upcoming?count=3 `},
		{"agent-schedules|trigger|--agent-id|agt_1|--schedule-id|asch_1", `POST /api/v1/agents/agt_1/schedules/asch_1/trigger `},
		{"agent-schedules|backfill|--agent-id|agt_1|--schedule-id|asch_1|--from|2026-12-01T09:00|--to|2026-12-02 09:00|--timezone|Europe/Madrid", `POST /api/v1/agents/agt_1/schedules/asch_1/backfill {"from":"2026-12-01T08:00:00.000Z","to":"2026-12-02T08:00:00.000Z","dry_run":true}`},
		{"agent-schedules|backfill|--agent-id|agt_1|--schedule-id|asch_1|--from|2026-12-01T09:00Z|--to|2026-12-02T09:00Z|--start", `POST /api/v1/agents/agt_1/schedules/asch_1/backfill {"from":"2026-12-01T09:00:00.000Z","to":"2026-12-02T09:00:00.000Z","dry_run":false}`},
		{"agent-schedules|skip|--agent-id|agt_1|--schedule-id|asch_1|--scheduled-for|2026-12-24T09:00|--timezone|Europe/Madrid", `POST /api/v1/agents/agt_1/schedules/asch_1/skip {"scheduled_for":"2026-12-24T08:00:00.000Z"}`},
		{"agent-schedules|unskip|--agent-id|agt_1|--schedule-id|asch_1|--scheduled-for|2026-12-24T08:00:00.123Z", `POST /api/v1/agents/agt_1/schedules/asch_1/unskip {"scheduled_for":"2026-12-24T08:00:00.123Z"}`},
	}
}

func allSchedulesVerbs() []verbCase {
	return []verbCase{
		{"schedules|list", `GET /api/v1/schedules `},
		{"schedules|list|--agent-id|agt_1|--status|paused|--limit|5", `GET /api/v1/schedules?agent_id=agt_1&limit=5&status=paused `},
		{"schedules|preview|--every|1d|--from|2026-12-01T09:00|--timezone|Europe/Madrid", `POST /api/v1/schedules/preview {"schedule":{"type":"interval","interval_seconds":86400,"start_at":"2026-12-01T09:00:00","timezone":"Europe/Madrid"}}`},
		{"schedules|preview|--cron|@daily", `POST /api/v1/schedules/preview {"schedule":{"type":"cron","cron_expression":"@daily","timezone":"UTC"}}`},
		{"schedules|preview|--at|2026-12-01 09:00|--timezone|Europe/Madrid|--count|1|--after|2026-11-30T00:00:00Z|--max-runs|9", `POST /api/v1/schedules/preview {"schedule":{"type":"once","run_at":"2026-12-01T09:00:00","timezone":"Europe/Madrid"},"policy":{"max_runs":9},"count":1,"after":"2026-11-30T00:00:00.000Z"}`},
		{"schedules|preview|--cron|@daily|--timezone|Europe/Madrid|--after|2027-03-27T00:00", `POST /api/v1/schedules/preview {"schedule":{"type":"cron","cron_expression":"@daily","timezone":"Europe/Madrid"},"after":"2027-03-26T23:00:00.000Z"}`},
		{"schedules|preview|--cron|@daily|--after|2027-03-27T00:00Z", `POST /api/v1/schedules/preview {"schedule":{"type":"cron","cron_expression":"@daily","timezone":"UTC"},"after":"2027-03-27T00:00:00.000Z"}`},
		{"schedules|preview|--body|{\"future\":1}", `POST /api/v1/schedules/preview {"future":1}`},
		{"schedules|pause|--all", `POST /api/v1/schedules/pause {}`},
		{"schedules|pause|--agent-id|agt_1|--metadata|team=ops|--metadata|env=live|--note|rest", `POST /api/v1/schedules/pause {"agent_id":"agt_1","metadata":{"env":"live","team":"ops"},"note":"rest"}`},
		{"schedules|resume|--all", `POST /api/v1/schedules/resume {}`},
		{"schedules|resume|--metadata|team=ops|--pause-reason|failures", `POST /api/v1/schedules/resume {"metadata":{"team":"ops"},"pause_reason":"failures"}`},
		{"forecast", `GET /api/v1/forecast `},
		{"summary", `GET /api/v1/summary `},
		{"summary|--end-user|*|--from|2026-12-01T00:00|--to|2026-12-08T00:00|--timezone|Europe/Madrid|--bucket|1d", `GET /api/v1/summary?bucket=86400&end_user=%2A&from=2026-11-30T23%3A00%3A00.000Z&to=2026-12-07T23%3A00%3A00.000Z `},
		{"forecast|--from|2026-12-01T00:00|--to|2026-12-08T00:00|--timezone|Europe/Madrid|--bucket|1d", `GET /api/v1/forecast?bucket=86400&from=2026-11-30T23%3A00%3A00.000Z&to=2026-12-07T23%3A00%3A00.000Z `},
	}
}
