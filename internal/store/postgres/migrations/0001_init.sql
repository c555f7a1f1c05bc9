-- +goose Up

-- Instants are whole milliseconds since 1970 (UTC). JSON is text, so that what
-- was sent comes back byte for byte. What is looked up or ordered is COLLATE
-- "C": identifiers sort as bytes, whatever the locale of the database.

CREATE TABLE keys (
  id         TEXT COLLATE "C" PRIMARY KEY,
  account    TEXT COLLATE "C" NOT NULL,
  name       TEXT NOT NULL,
  hint       TEXT NOT NULL,
  hash       BYTEA NOT NULL UNIQUE,  -- SHA-256 of the secret
  scopes     TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT,
  revoked_at BIGINT
);
CREATE INDEX keys_by_account ON keys (account, id);

CREATE TABLE agents (
  id                  TEXT COLLATE "C" PRIMARY KEY,
  account             TEXT COLLATE "C" NOT NULL,
  end_user            TEXT COLLATE "C" NOT NULL,
  name                TEXT NOT NULL,
  description         TEXT,
  model               TEXT NOT NULL,
  instructions        TEXT,
  tools               TEXT NOT NULL,
  tool_choice         TEXT NOT NULL,
  parallel_tool_calls BOOLEAN NOT NULL,
  max_tool_calls      BIGINT,
  text                TEXT NOT NULL,
  reasoning           TEXT NOT NULL,
  metadata            TEXT NOT NULL,
  version             BIGINT NOT NULL,
  created_at          BIGINT NOT NULL,
  updated_at          BIGINT NOT NULL,
  deleted_at          BIGINT
);
CREATE INDEX agents_by_owner ON agents (account, end_user, id) WHERE deleted_at IS NULL;

-- What people write of a schedule. What firing touches is in timers.
CREATE TABLE schedules (
  id                   TEXT COLLATE "C" PRIMARY KEY,
  account              TEXT COLLATE "C" NOT NULL,
  end_user             TEXT COLLATE "C" NOT NULL,
  agent_id             TEXT COLLATE "C" NOT NULL REFERENCES agents (id),
  name                 TEXT,
  input                TEXT NOT NULL,
  conversation         TEXT,
  previous_response_id TEXT,
  metadata             TEXT NOT NULL,
  temporal_schedule_id TEXT,
  version              BIGINT NOT NULL,
  created_at           BIGINT NOT NULL,
  updated_at           BIGINT NOT NULL,
  deleted_at           BIGINT
);
CREATE INDEX schedules_by_owner ON schedules (account, end_user, id) WHERE deleted_at IS NULL;
CREATE INDEX schedules_by_agent ON schedules (agent_id, id) WHERE deleted_at IS NULL;

CREATE TABLE timers (
  schedule_id          TEXT COLLATE "C" PRIMARY KEY REFERENCES schedules (id),
  agent_id             TEXT COLLATE "C" NOT NULL,
  account              TEXT COLLATE "C" NOT NULL,
  end_user             TEXT COLLATE "C" NOT NULL,
  status               TEXT NOT NULL,
  spec                 TEXT NOT NULL,
  policy               TEXT NOT NULL,
  anchor               BIGINT NOT NULL,
  next_run_at          BIGINT,  -- the earliest nominal time without an outcome
  due_at               BIGINT,  -- when to act: next_run_at and its jitter
  open_runs            BIGINT NOT NULL,
  buffered             BIGINT,
  run_count            BIGINT NOT NULL,
  consecutive_failures BIGINT NOT NULL,
  last_run_at          BIGINT,
  last_run_id          TEXT,
  last_response_id     TEXT,
  pause_reason         TEXT,
  skips                TEXT     -- nominal times ahead that somebody asked to skip
);
-- The engine walks this and nothing else to find what to do.
CREATE INDEX timers_due ON timers (due_at, schedule_id) WHERE due_at IS NOT NULL;

-- The ledger. Its key is what makes a double fire impossible.
CREATE TABLE occurrences (
  schedule_id     TEXT COLLATE "C" NOT NULL,
  scheduled_for   BIGINT NOT NULL,
  scheduled_until BIGINT,
  id              TEXT COLLATE "C" NOT NULL,
  count           BIGINT NOT NULL,
  outcome         TEXT COLLATE "C" NOT NULL,
  reason          TEXT,
  run_id          TEXT COLLATE "C",
  trigger         TEXT NOT NULL,
  lateness_ms     BIGINT,
  recorded_at     BIGINT NOT NULL,
  PRIMARY KEY (schedule_id, scheduled_for)
);
-- What did not fire is little beside what did, and what people look for.
CREATE INDEX occurrences_unfired ON occurrences (schedule_id, outcome, scheduled_for) WHERE outcome <> 'fired';

CREATE TABLE runs (
  id                   TEXT COLLATE "C" PRIMARY KEY,
  account              TEXT COLLATE "C" NOT NULL,
  end_user             TEXT COLLATE "C" NOT NULL,
  agent_id             TEXT COLLATE "C" NOT NULL,
  schedule_id          TEXT COLLATE "C",
  scheduled_for        BIGINT,
  trigger              TEXT NOT NULL,
  fire                 TEXT,  -- what the run may tell its agent of the occurrence
  input                TEXT NOT NULL,
  conversation         TEXT,
  previous_response_id TEXT,
  metadata             TEXT NOT NULL,
  created_at           BIGINT NOT NULL,
  phase                TEXT NOT NULL,  -- queued until the run has ended; open_runs says more
  started_at           BIGINT,
  attempts             BIGINT NOT NULL,
  lateness_ms          BIGINT,
  response_id          TEXT,
  response             TEXT,
  usage                TEXT,
  error                TEXT,
  completed_at         BIGINT
);
CREATE INDEX runs_by_agent ON runs (agent_id, id);

-- The runs that have not ended: the work of the engine, kept apart so that the
-- steps of a run rewrite few bytes. A row goes when its run ends.
CREATE TABLE open_runs (
  run_id       TEXT COLLATE "C" PRIMARY KEY,
  schedule_id  TEXT COLLATE "C",
  provider     TEXT COLLATE "C" NOT NULL,
  phase        TEXT COLLATE "C" NOT NULL,  -- queued (not started yet), running, waiting (to go on)
  ready_at     BIGINT NOT NULL,  -- the place in the queue; of a waiting run, when it may go on
  started_at   BIGINT,
  first_start  BIGINT,
  attempts     BIGINT NOT NULL,
  failures     BIGINT NOT NULL,  -- attempts that the provider answered with a failure
  response_id  TEXT
);
CREATE INDEX open_runs_queue ON open_runs (provider, ready_at, run_id) WHERE phase <> 'running';
CREATE INDEX open_runs_waiting ON open_runs (ready_at) WHERE phase = 'waiting';
CREATE INDEX open_runs_unstarted ON open_runs (schedule_id) WHERE phase = 'queued';

-- The remembered answers to requests with an Idempotency-Key.
CREATE TABLE answers (
  account     TEXT COLLATE "C" NOT NULL,
  end_user    TEXT COLLATE "C" NOT NULL,
  key         TEXT COLLATE "C" NOT NULL,
  fingerprint BYTEA NOT NULL,
  body        BYTEA NOT NULL,
  at          BIGINT NOT NULL,
  PRIMARY KEY (account, end_user, key)
);
CREATE INDEX answers_by_age ON answers (at);
