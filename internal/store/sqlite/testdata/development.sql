-- A file as a development version of Rota wrote it before there was one first
-- migration, with one agent.
BEGIN TRANSACTION;
CREATE TABLE agents (
  id                  TEXT PRIMARY KEY,
  account             TEXT NOT NULL,
  end_user            TEXT NOT NULL,
  name                TEXT NOT NULL,
  description         TEXT,
  model               TEXT NOT NULL,
  instructions        TEXT,
  tools               TEXT NOT NULL,
  tool_choice         TEXT NOT NULL,
  parallel_tool_calls INTEGER NOT NULL,
  max_tool_calls      INTEGER,
  text                TEXT NOT NULL,
  reasoning           TEXT NOT NULL,
  metadata            TEXT NOT NULL,
  version             INTEGER NOT NULL,
  created_at          INTEGER NOT NULL,
  updated_at          INTEGER NOT NULL,
  deleted_at          INTEGER
) STRICT;
INSERT INTO "agents" VALUES('agt_019ad000000070008000000000000001','default','','Digest',NULL,'mock/m',NULL,'[]','"auto"',1,NULL,'{}','{}','{}',1,1764460800000,1764460800000,NULL);
CREATE TABLE answers (
  account     TEXT NOT NULL,
  end_user    TEXT NOT NULL,
  key         TEXT NOT NULL,
  fingerprint BLOB NOT NULL,
  body        BLOB NOT NULL,
  at          INTEGER NOT NULL,
  PRIMARY KEY (account, end_user, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE engine (
  id           INTEGER PRIMARY KEY CHECK (id = 1),
  kind         TEXT NOT NULL,     -- embedded or temporal; empty until the first one has begun
  installation TEXT NOT NULL,     -- names this database's schedules where several share an engine outside
  since        INTEGER NOT NULL,  -- when somebody began to look at what is due
  seen_at      INTEGER NOT NULL   -- when somebody last did
, namespace TEXT NOT NULL DEFAULT '', queue TEXT NOT NULL DEFAULT '') STRICT;
INSERT INTO "engine" VALUES(1,'','',0,0,'','');
CREATE TABLE goose_db_version (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);
INSERT INTO "goose_db_version" VALUES(1,0,1,'2026-11-30 00:00:00');
INSERT INTO "goose_db_version" VALUES(2,1,1,'2026-11-30 00:00:00');
INSERT INTO "goose_db_version" VALUES(3,2,1,'2026-11-30 00:00:00');
INSERT INTO "goose_db_version" VALUES(4,3,1,'2026-11-30 00:00:00');
INSERT INTO "goose_db_version" VALUES(5,4,1,'2026-11-30 00:00:00');
INSERT INTO "goose_db_version" VALUES(6,5,1,'2026-11-30 00:00:00');
INSERT INTO "goose_db_version" VALUES(7,6,1,'2026-11-30 00:00:00');
CREATE TABLE keys (
  id         TEXT PRIMARY KEY,
  account    TEXT NOT NULL,
  name       TEXT NOT NULL,
  hint       TEXT NOT NULL,
  hash       BLOB NOT NULL UNIQUE,  -- SHA-256 of the secret
  scopes     TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  revoked_at INTEGER
, rate_limits TEXT NOT NULL DEFAULT '[]', spent TEXT NOT NULL DEFAULT '{}') STRICT;
CREATE TABLE occurrences (
  schedule_id     TEXT NOT NULL,
  scheduled_for   INTEGER NOT NULL,
  scheduled_until INTEGER,
  id              TEXT NOT NULL,
  count           INTEGER NOT NULL,
  outcome         TEXT NOT NULL,
  reason          TEXT,
  run_id          TEXT,
  trigger         TEXT NOT NULL,
  lateness_ms     INTEGER,
  recorded_at     INTEGER NOT NULL,
  PRIMARY KEY (schedule_id, scheduled_for)
) STRICT, WITHOUT ROWID;
CREATE TABLE open_runs (
  run_id       TEXT PRIMARY KEY,
  schedule_id  TEXT,
  provider     TEXT NOT NULL,
  phase        TEXT NOT NULL,     -- queued (not started yet), running, waiting (to go on)
  ready_at     INTEGER NOT NULL,  -- the place in the queue; of a waiting run, when it may go on
  started_at   INTEGER,
  first_start  INTEGER,
  attempts     INTEGER NOT NULL,
  failures     INTEGER NOT NULL,  -- attempts that the provider answered with a failure
  response_id  TEXT
, carried INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
CREATE TABLE runs (
  id                   TEXT PRIMARY KEY,
  account              TEXT NOT NULL,
  end_user             TEXT NOT NULL,
  agent_id             TEXT NOT NULL,
  schedule_id          TEXT,
  scheduled_for        INTEGER,
  trigger              TEXT NOT NULL,
  fire                 TEXT,  -- what the run may tell its agent of the occurrence
  input                TEXT NOT NULL,
  conversation         TEXT,
  previous_response_id TEXT,
  metadata             TEXT NOT NULL,
  created_at           INTEGER NOT NULL,
  phase                TEXT NOT NULL,  -- queued until the run has ended; open_runs says more
  started_at           INTEGER,
  attempts             INTEGER NOT NULL,
  lateness_ms          INTEGER,
  response_id          TEXT,
  response             TEXT,
  usage                TEXT,
  error                TEXT,
  completed_at         INTEGER
) STRICT;
CREATE TABLE schedules (
  id                   TEXT PRIMARY KEY,
  account              TEXT NOT NULL,
  end_user             TEXT NOT NULL,
  agent_id             TEXT NOT NULL REFERENCES agents (id),
  name                 TEXT,
  input                TEXT NOT NULL,
  conversation         TEXT,
  previous_response_id TEXT,
  metadata             TEXT NOT NULL,
  temporal_schedule_id TEXT,
  version              INTEGER NOT NULL,
  created_at           INTEGER NOT NULL,
  updated_at           INTEGER NOT NULL,
  deleted_at           INTEGER
, key_id TEXT) STRICT;
CREATE TABLE timers (
  schedule_id          TEXT PRIMARY KEY REFERENCES schedules (id),
  agent_id             TEXT NOT NULL,
  account              TEXT NOT NULL,
  end_user             TEXT NOT NULL,
  status               TEXT NOT NULL,
  spec                 TEXT NOT NULL,
  policy               TEXT NOT NULL,
  anchor               INTEGER NOT NULL,
  next_run_at          INTEGER,  -- the earliest nominal time without an outcome
  due_at               INTEGER,  -- when to act: next_run_at and its jitter
  open_runs            INTEGER NOT NULL,
  buffered             INTEGER,
  run_count            INTEGER NOT NULL,
  consecutive_failures INTEGER NOT NULL,
  last_run_at          INTEGER,
  last_run_id          TEXT,
  last_response_id     TEXT,
  pause_reason         TEXT,
  skips                TEXT      -- nominal times ahead that somebody asked to skip
, backlog INTEGER NOT NULL DEFAULT 0, backlog_to INTEGER, catch_up INTEGER, tell_at INTEGER) STRICT;
CREATE INDEX keys_by_account ON keys (account, id);
CREATE INDEX agents_by_owner ON agents (account, end_user, id) WHERE deleted_at IS NULL;
CREATE INDEX schedules_by_owner ON schedules (account, end_user, id) WHERE deleted_at IS NULL;
CREATE INDEX schedules_by_agent ON schedules (agent_id, id) WHERE deleted_at IS NULL;
CREATE INDEX timers_due ON timers (due_at, schedule_id) WHERE due_at IS NOT NULL;
CREATE INDEX occurrences_unfired ON occurrences (schedule_id, outcome, scheduled_for) WHERE outcome <> 'fired';
CREATE INDEX runs_by_agent ON runs (agent_id, id);
CREATE INDEX open_runs_queue ON open_runs (provider, ready_at, run_id) WHERE phase <> 'running';
CREATE INDEX open_runs_waiting ON open_runs (ready_at) WHERE phase = 'waiting';
CREATE INDEX open_runs_unstarted ON open_runs (schedule_id) WHERE phase = 'queued';
CREATE INDEX answers_by_age ON answers (at);
CREATE INDEX timers_catch_up ON timers (catch_up, schedule_id) WHERE catch_up IS NOT NULL;
CREATE INDEX schedules_by_key ON schedules (key_id, id) WHERE deleted_at IS NULL;
CREATE INDEX timers_tell ON timers (tell_at, schedule_id) WHERE tell_at IS NOT NULL;
CREATE INDEX open_runs_running ON open_runs (provider, carried) WHERE phase = 'running';
COMMIT;
