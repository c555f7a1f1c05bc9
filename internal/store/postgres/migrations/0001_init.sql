-- +goose Up

-- Instants are whole milliseconds since 1970 (UTC). JSON is text, so that what
-- was sent comes back byte for byte. What is looked up or ordered is COLLATE
-- "C": identifiers sort as bytes, whatever the locale of the database.

CREATE TABLE keys (
  id          TEXT COLLATE "C" PRIMARY KEY,
  account     TEXT COLLATE "C" NOT NULL,
  name        TEXT NOT NULL,
  hint        TEXT NOT NULL,               -- the first characters of the secret
  hash        BYTEA NOT NULL UNIQUE,       -- SHA-256 of the secret
  scopes      TEXT NOT NULL,
  rate_limits TEXT NOT NULL,
  spent       TEXT NOT NULL DEFAULT '{}',  -- what the key has used of its rate limits
  created_at  BIGINT NOT NULL,
  expires_at  BIGINT,
  revoked_at  BIGINT,
  end_user    TEXT COLLATE "C",               -- the only one for whom the key acts
  team_id     TEXT,
  created_by  TEXT COLLATE "C",               -- the key that made it
  generation  BIGINT NOT NULL  -- counts the secrets that the key has had
);
CREATE INDEX keys_by_account ON keys (account, id);
CREATE INDEX keys_by_maker ON keys (created_by) WHERE created_by IS NOT NULL;

-- The limits that were set for accounts, as JSON.
CREATE TABLE account_limits (
  account TEXT COLLATE "C" PRIMARY KEY,
  limits  TEXT NOT NULL
);

-- What end users and accounts have used of their limits of requests.
CREATE TABLE requests_spent (
  owner      TEXT COLLATE "C" PRIMARY KEY,  -- account/end_user, or the account
  spent      TEXT NOT NULL,
  useless_at BIGINT NOT NULL  -- when all requests have come back, rounded up to a day
);
CREATE INDEX requests_spent_by_end ON requests_spent (useless_at);

-- Browsers that are signed in to the console.
CREATE TABLE sessions (
  hash       BYTEA PRIMARY KEY,  -- SHA-256 of what the browser holds
  key_id     TEXT COLLATE "C" NOT NULL,
  generation BIGINT NOT NULL,    -- of the key's secret: the session ends with it
  expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_end ON sessions (expires_at);

CREATE TABLE signing_keys (
  id         TEXT COLLATE "C" PRIMARY KEY,
  public     BYTEA NOT NULL,    -- an uncompressed point of P-256
  sealed     BYTEA NOT NULL,    -- the private half, sealed with the server's secret
  created_at BIGINT NOT NULL,
  retired_at BIGINT
);
CREATE INDEX signing_keys_by_end ON signing_keys (retired_at);

CREATE TABLE agents (
  id                  TEXT COLLATE "C" PRIMARY KEY,
  account             TEXT COLLATE "C" NOT NULL,
  end_user            TEXT COLLATE "C" NOT NULL,
  key                 TEXT COLLATE "C",  -- the name by which its owner finds it
  name                TEXT NOT NULL,
  description         TEXT,
  model               TEXT NOT NULL,
  instructions        TEXT,
  tools               TEXT NOT NULL,
  tool_choice         TEXT NOT NULL,
  parallel_tool_calls BOOLEAN NOT NULL,
  max_tool_calls      BIGINT,
  fallback_models     TEXT NOT NULL,
  text                TEXT,
  reasoning           TEXT,
  metadata            TEXT NOT NULL,
  version             BIGINT NOT NULL,
  created_at          BIGINT NOT NULL,
  updated_at          BIGINT NOT NULL,
  deleted_at          BIGINT,
  retention_expires_at BIGINT,
  visibility          TEXT NOT NULL,  -- private, or workspace: shared with the end users of the account
  unshared_at         BIGINT         -- since when it is private again; NULL if it was never shared
);
CREATE INDEX agents_by_account ON agents (account, id);
CREATE INDEX agents_by_owner ON agents (account, end_user, id) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX agents_by_own_key ON agents (account, end_user, key) WHERE key IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX agents_by_end_user ON agents (account, end_user); -- with those that are deleted
CREATE INDEX agents_deleted ON agents (account, end_user, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX agents_shared ON agents (account, id) WHERE visibility = 'workspace' AND deleted_at IS NULL;
CREATE INDEX agents_expiring ON agents (retention_expires_at, id) WHERE deleted_at IS NOT NULL;

-- The end users that have used an agent that is shared with them.
CREATE TABLE guests (
  account  TEXT COLLATE "C" NOT NULL,
  end_user TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (account, end_user)
);

-- The configurations that an agent has had, as JSON.
CREATE TABLE agent_versions (
  agent_id              TEXT COLLATE "C" NOT NULL REFERENCES agents (id),
  version               BIGINT NOT NULL,
  id                    TEXT COLLATE "C" NOT NULL,
  restored_from_version BIGINT,
  configuration         TEXT NOT NULL,
  created_at            BIGINT NOT NULL,
  PRIMARY KEY (agent_id, version)
);

-- What the tools of the versions of an agent refer to: function tools, and agents.
CREATE TABLE agent_references (
  agent_id TEXT COLLATE "C" NOT NULL REFERENCES agents (id),
  version  BIGINT NOT NULL,
  target   TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (agent_id, version, target)
);
CREATE INDEX agent_references_by_target ON agent_references (target);

CREATE TABLE function_tools (
  id         TEXT COLLATE "C" PRIMARY KEY,
  account    TEXT COLLATE "C" NOT NULL,
  end_user   TEXT COLLATE "C" NOT NULL,
  definition TEXT NOT NULL,
  version    BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX function_tools_by_owner ON function_tools (account, end_user, id);

-- The vault: MCP servers that agents name by id, and what these are shown.
CREATE TABLE mcp_servers (
  id            TEXT COLLATE "C" PRIMARY KEY,
  account       TEXT COLLATE "C" NOT NULL,
  end_user      TEXT COLLATE "C" NOT NULL,
  configuration TEXT NOT NULL,
  version       BIGINT NOT NULL,
  created_at    BIGINT NOT NULL,
  updated_at    BIGINT NOT NULL
);
CREATE INDEX mcp_servers_by_owner ON mcp_servers (account, end_user, id);

CREATE TABLE mcp_credentials (
  id           TEXT COLLATE "C" PRIMARY KEY,
  account      TEXT COLLATE "C" NOT NULL,
  end_user     TEXT COLLATE "C" NOT NULL,
  server_id    TEXT COLLATE "C" NOT NULL,
  name         TEXT,
  auth_type    TEXT NOT NULL,
  preview      TEXT,
  header_names TEXT NOT NULL,
  sealed       BYTEA,  -- its secrets, sealed with the server's; NULL once it is revoked
  expires_at   BIGINT,
  last_used_at BIGINT,
  created_at   BIGINT NOT NULL,
  updated_at   BIGINT NOT NULL,
  revoked_at   BIGINT
);
CREATE INDEX mcp_credentials_by_server ON mcp_credentials (server_id, id);
CREATE INDEX mcp_credentials_by_owner ON mcp_credentials (account, end_user);

-- Notes that last, each under a path. An entry belongs to whoever has its store.
CREATE TABLE memory_stores (
  id            TEXT PRIMARY KEY,
  account       TEXT NOT NULL,
  end_user      TEXT NOT NULL,
  visibility    TEXT NOT NULL,
  configuration TEXT NOT NULL,
  created_at    BIGINT NOT NULL,
  updated_at    BIGINT NOT NULL
);
CREATE INDEX memory_stores_by_owner ON memory_stores (account, end_user, id);

CREATE TABLE memory_entries (
  id         TEXT PRIMARY KEY,
  account    TEXT NOT NULL,
  end_user   TEXT NOT NULL,
  store_id   TEXT NOT NULL,
  path       TEXT NOT NULL,
  content    TEXT NOT NULL,
  metadata   TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX memory_entries_by_path ON memory_entries (store_id, path);
CREATE INDEX memory_entries_by_store ON memory_entries (store_id, id);
CREATE INDEX memory_entries_by_owner ON memory_entries (account, end_user);

-- The agents that have been purged, or are being purged, and how much of what was theirs.
CREATE TABLE purges (
  agent_id    TEXT COLLATE "C" PRIMARY KEY,
  account     TEXT COLLATE "C" NOT NULL,
  end_user    TEXT COLLATE "C" NOT NULL,
  rule        TEXT NOT NULL,
  at          BIGINT NOT NULL,  -- when it was last worked on
  versions    BIGINT NOT NULL,
  runs        BIGINT NOT NULL,
  schedules   BIGINT NOT NULL,
  occurrences BIGINT NOT NULL
);
CREATE INDEX purges_by_end_user ON purges (account, end_user);

-- End users that are being deleted, and how much of what has gone so far.
CREATE TABLE erasures (
  account        TEXT COLLATE "C" NOT NULL,
  end_user       TEXT COLLATE "C" NOT NULL,
  at             BIGINT NOT NULL,  -- when it was last worked on
  agents         BIGINT NOT NULL,
  versions       BIGINT NOT NULL,
  schedules      BIGINT NOT NULL,
  occurrences    BIGINT NOT NULL,
  runs           BIGINT NOT NULL,
  cancelled_runs BIGINT NOT NULL,
  function_tools BIGINT NOT NULL,
  keys           BIGINT NOT NULL,
  answers        BIGINT NOT NULL,
  responses      BIGINT NOT NULL,
  conversations  BIGINT NOT NULL,
  mcp_servers    BIGINT NOT NULL,
  memory_stores  BIGINT NOT NULL,
  PRIMARY KEY (account, end_user)
);
CREATE INDEX erasures_by_age ON erasures (at);

-- How long accounts keep what has ended, in seconds; 0 is for ever, NULL is as the server says.
CREATE TABLE retentions (
  account     TEXT COLLATE "C" PRIMARY KEY,
  runs        BIGINT,
  occurrences BIGINT
);

-- What became of occurrences, by the hour of the nominal time, and of runs, by that of
-- their end. Whatever is deleted of the record later, these counts stay. What was
-- counted lately is in tally_log.
CREATE TABLE tallies (
  account           TEXT COLLATE "C" NOT NULL,
  end_user          TEXT COLLATE "C" NOT NULL,  -- '' for the account itself, * for all
  hour              BIGINT NOT NULL,
  fired             BIGINT NOT NULL,
  skipped_overlap   BIGINT NOT NULL,
  skipped_requested BIGINT NOT NULL,
  buffered          BIGINT NOT NULL,
  missed            BIGINT NOT NULL,
  blocked           BIGINT NOT NULL,
  completed         BIGINT NOT NULL,
  incomplete        BIGINT NOT NULL,
  failed            BIGINT NOT NULL,
  cancelled         BIGINT NOT NULL,
  input_tokens      BIGINT NOT NULL,
  cached_tokens     BIGINT NOT NULL,
  output_tokens     BIGINT NOT NULL,
  reasoning_tokens  BIGINT NOT NULL,
  total_tokens      BIGINT NOT NULL,
  late_0            BIGINT NOT NULL,  -- fired at most so late: see rota.LatenessBucket
  late_1            BIGINT NOT NULL,
  late_2            BIGINT NOT NULL,
  late_3            BIGINT NOT NULL,
  late_4            BIGINT NOT NULL,
  late_5            BIGINT NOT NULL,
  late_6            BIGINT NOT NULL,
  late_7            BIGINT NOT NULL,
  late_8            BIGINT NOT NULL,
  late_9            BIGINT NOT NULL,
  late_10           BIGINT NOT NULL,
  late_11           BIGINT NOT NULL,
  late_12           BIGINT NOT NULL,
  late_13           BIGINT NOT NULL,
  late_14           BIGINT NOT NULL,
  late_15           BIGINT NOT NULL,
  late_16           BIGINT NOT NULL,
  late_17           BIGINT NOT NULL,
  late_18           BIGINT NOT NULL,
  late_19           BIGINT NOT NULL,
  PRIMARY KEY (account, end_user, hour)
);

CREATE TABLE tally_errors (
  account  TEXT COLLATE "C" NOT NULL,
  end_user TEXT COLLATE "C" NOT NULL,
  hour     BIGINT NOT NULL,
  phase    TEXT COLLATE "C" NOT NULL,
  code     TEXT COLLATE "C" NOT NULL,
  count    BIGINT NOT NULL,
  PRIMARY KEY (account, end_user, hour, phase, code)
);

CREATE INDEX tallies_by_hour ON tallies (hour);
CREATE INDEX tally_errors_by_hour ON tally_errors (hour);

-- What transactions have counted and nobody has added to tallies and tally_errors yet.
CREATE TABLE tally_log (
  account TEXT COLLATE "C" NOT NULL,
  id      BIGINT NOT NULL,  -- a random number
  body    BYTEA NOT NULL,     -- by end user and hour, all that is not zero: see sqlstore/tallylog.go
  PRIMARY KEY (account, id)
);

-- What people write of a schedule, but for its times and its policy: see timers.
CREATE TABLE schedules (
  id                   TEXT COLLATE "C" PRIMARY KEY,
  account              TEXT COLLATE "C" NOT NULL,
  end_user             TEXT COLLATE "C" NOT NULL,
  agent_id             TEXT COLLATE "C" NOT NULL REFERENCES agents (id),
  key_id               TEXT COLLATE "C",  -- the key that made the schedule
  key                  TEXT COLLATE "C",  -- the name by which its owner finds it
  origin               TEXT,  -- of one that an agent has planned itself: agent, run and call
  name                 TEXT,
  description          TEXT,
  input                TEXT NOT NULL,
  conversation         TEXT,
  previous_response_id TEXT,
  context_management   TEXT,
  metadata             TEXT NOT NULL,
  temporal_schedule_id TEXT,              -- NULL unless Temporal has the schedule
  version              BIGINT NOT NULL,
  versioned_at         BIGINT NOT NULL,  -- since when the schedule has the schedule_version of its timer
  created_at           BIGINT NOT NULL,
  updated_at           BIGINT NOT NULL,
  deleted_at           BIGINT
);
CREATE INDEX schedules_by_owner ON schedules (account, end_user, id) WHERE deleted_at IS NULL;
CREATE INDEX schedules_by_account ON schedules (account, id) WHERE deleted_at IS NULL;
CREATE INDEX schedules_by_end_user ON schedules (account, end_user, id); -- with those that are deleted
CREATE INDEX schedules_by_agent ON schedules (agent_id, id);
CREATE UNIQUE INDEX schedules_by_own_key ON schedules (agent_id, end_user, key) WHERE key IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX schedules_by_key ON schedules (key_id, id) WHERE deleted_at IS NULL;
CREATE INDEX schedules_planned ON schedules (account, end_user, agent_id) WHERE origin IS NOT NULL AND deleted_at IS NULL;

-- The configurations that a schedule has had before the one that it has, as JSON: the
-- newest of them.
CREATE TABLE schedule_versions (
  schedule_id   TEXT COLLATE "C" NOT NULL REFERENCES schedules (id),
  version       BIGINT NOT NULL,
  configuration TEXT NOT NULL,
  created_at    BIGINT NOT NULL,
  PRIMARY KEY (schedule_id, version)
);

-- One row for each schedule: what a fire reads and writes, kept apart so that a
-- fire rewrites few bytes.
CREATE TABLE timers (
  schedule_id          TEXT COLLATE "C" PRIMARY KEY REFERENCES schedules (id),
  agent_id             TEXT COLLATE "C" NOT NULL,
  account              TEXT COLLATE "C" NOT NULL,
  end_user             TEXT COLLATE "C" NOT NULL,
  status               TEXT NOT NULL,
  spec                 TEXT NOT NULL,
  policy               TEXT NOT NULL,
  anchor               BIGINT NOT NULL,
  schedule_version     BIGINT NOT NULL,  -- counts the changes of what fires
  agent_version        BIGINT,           -- that of the runs; NULL for the one that the agent has then
  pinned_model         TEXT,              -- the model of agent_version
  next_run_at          BIGINT,           -- the earliest nominal time without an outcome
  due_at               BIGINT,           -- when to act: next_run_at and its jitter
  open_runs            BIGINT NOT NULL,
  buffered             BIGINT,           -- the nominal time that waits for an open run to end
  backlog              BIGINT NOT NULL,  -- how many missed occurrences wait for their turn
  backlog_to           BIGINT,           -- the newest of them
  catch_up             BIGINT,           -- backlog_to, while the next of them may start
  run_count            BIGINT NOT NULL,
  consecutive_failures BIGINT NOT NULL,
  last_run_at          BIGINT,
  last_run_id          TEXT,
  last_response_id     TEXT,
  pause_reason         TEXT,
  skips                TEXT,             -- nominal times ahead that somebody asked to skip
  low_water            BIGINT,           -- the last nominal time whose outcome has been deleted for its age
  sync_at              BIGINT            -- when to sync the schedule to Temporal; NULL if it is in sync
);
-- The engine reads this and nothing else to find what is due.
CREATE INDEX timers_due ON timers (due_at, schedule_id) WHERE due_at IS NOT NULL;
-- Those that are not active are found and counted by these; the active ones are the rest. No index
-- of all has the status, since each fire writes it.
CREATE INDEX timers_paused ON timers (account, end_user, schedule_id) WHERE status = 'paused';
CREATE INDEX timers_completed ON timers (account, end_user) WHERE status = 'completed';
CREATE INDEX timers_catch_up ON timers (catch_up, schedule_id) WHERE catch_up IS NOT NULL;
CREATE INDEX timers_sync ON timers (sync_at, schedule_id) WHERE sync_at IS NOT NULL;

-- The ledger. Its primary key is what makes a double fire impossible.
CREATE TABLE occurrences (
  account         TEXT COLLATE "C" NOT NULL,
  end_user        TEXT COLLATE "C" NOT NULL,
  agent_id        TEXT COLLATE "C" NOT NULL,
  schedule_id     TEXT COLLATE "C" NOT NULL,
  schedule_version BIGINT NOT NULL,
  scheduled_for   BIGINT NOT NULL,
  scheduled_until BIGINT,  -- the last nominal time of a row that stands for several
  id              TEXT COLLATE "C" NOT NULL,
  count           BIGINT NOT NULL,
  outcome         TEXT COLLATE "C" NOT NULL,
  reason          TEXT,
  run_id          TEXT COLLATE "C",
  trigger         TEXT COLLATE "C" NOT NULL,
  lateness_ms     BIGINT,
  recorded_at     BIGINT NOT NULL,
  acknowledged_at BIGINT,
  acknowledged_by TEXT,  -- the key that was used
  PRIMARY KEY (schedule_id, scheduled_for)
);
-- Few occurrences did not fire, and they are what people look for.
CREATE INDEX occurrences_unfired ON occurrences (schedule_id, outcome, scheduled_for) WHERE outcome <> 'fired';
CREATE INDEX occurrences_unfired_by_account ON occurrences (account, outcome, id) WHERE outcome <> 'fired';
CREATE INDEX occurrences_asked ON occurrences (account, trigger, id) WHERE trigger <> 'schedule';
CREATE INDEX occurrences_spans ON occurrences (account, scheduled_until) WHERE scheduled_until IS NOT NULL;
-- It grows at its end, as identifiers sort by time.
CREATE INDEX occurrences_by_account ON occurrences (account, id);

CREATE TABLE runs (
  id                   TEXT COLLATE "C" PRIMARY KEY,
  account              TEXT COLLATE "C" NOT NULL,
  end_user             TEXT COLLATE "C" NOT NULL,
  agent_id             TEXT COLLATE "C" NOT NULL,
  agent_version        BIGINT NOT NULL,
  function_tools       TEXT,           -- the definitions that the agent referred to, by id
  schedule_id          TEXT COLLATE "C",
  schedule_version     BIGINT,
  scheduled_for        BIGINT,
  trigger              TEXT COLLATE "C" NOT NULL,
  fire                 TEXT,           -- what the run may tell its agent of the occurrence
  input                TEXT NOT NULL,
  conversation         TEXT,
  previous_response_id TEXT,
  context_management   TEXT,
  no_deltas            BOOLEAN NOT NULL DEFAULT FALSE,
  guest                BOOLEAN NOT NULL DEFAULT FALSE,  -- whether the agent is not its owner's, but shared with it
  metadata             TEXT NOT NULL,
  created_at           BIGINT NOT NULL,
  phase                TEXT COLLATE "C" NOT NULL,  -- queued until the run has ended; open_runs says more
  started_at           BIGINT,
  attempts             BIGINT NOT NULL,
  lateness_ms          BIGINT,
  response_id          TEXT,
  response             TEXT,
  usage                TEXT,           -- as the provider sent it
  input_tokens         BIGINT,         -- of all attempts; NULL if no provider said
  cached_tokens        BIGINT,
  output_tokens        BIGINT,
  reasoning_tokens     BIGINT,
  total_tokens         BIGINT,
  error                TEXT,
  error_code           TEXT COLLATE "C", -- that of the error
  completed_at         BIGINT,
  model                TEXT,           -- of the last attempt, as the agent names it
  history              TEXT,           -- the attempts, unless there was one and it brought the answer
  request              TEXT,           -- what the last attempt asked, but for what the agent or the input says
  acknowledged_at      BIGINT,
  acknowledged_by      TEXT            -- the key that was used
);
CREATE INDEX runs_by_agent ON runs (agent_id, id);
CREATE INDEX runs_by_guest ON runs (account, end_user, id) WHERE guest;
CREATE INDEX runs_by_account ON runs (account, id);
-- Few runs end otherwise than completed, or were asked for by a call.
CREATE INDEX runs_unusual ON runs (account, phase, id) WHERE phase <> 'queued' AND phase <> 'completed';
CREATE INDEX runs_by_error ON runs (account, error_code, id) WHERE error_code IS NOT NULL;
CREATE INDEX runs_asked ON runs (account, trigger, id) WHERE trigger <> 'schedule';
-- Those that went on from the run of an occurrence, with a decision about a call.
CREATE INDEX runs_continued ON runs (schedule_id, scheduled_for, id) WHERE trigger = 'api' AND schedule_id IS NOT NULL;

-- The runs that have not ended: the queue, kept apart so that the steps of a
-- run rewrite few bytes. A row is deleted when its run ends.
CREATE TABLE open_runs (
  run_id      TEXT COLLATE "C" PRIMARY KEY,
  schedule_id TEXT COLLATE "C",
  owner       TEXT COLLATE "C" NOT NULL,  -- account/end_user
  provider    TEXT COLLATE "C" NOT NULL,
  phase       TEXT COLLATE "C" NOT NULL,  -- queued (not started yet), running, waiting (to go on)
  ready_at    BIGINT NOT NULL,            -- the place in the queue; of a waiting run, when it may go on
  started_at  BIGINT,
  first_start BIGINT,
  attempts    BIGINT NOT NULL,
  failures    BIGINT NOT NULL,            -- attempts that the provider answered with a failure
  worker_since BIGINT,                    -- when a worker of Temporal took the attempt; NULL if none has
  response_id TEXT,
  model       TEXT,                        -- of the attempt that began last, as the agent names it
  history     TEXT,                        -- the attempts before it
  conversation_id TEXT COLLATE "C",        -- that it holds, or waits in line for
  steps       BIGINT NOT NULL DEFAULT 0,   -- of its tool loop, in run_steps
  sleep       TEXT                         -- since and until when it sleeps, and why; NULL if it does not
);
CREATE INDEX open_runs_queue ON open_runs (owner, provider, ready_at, run_id) WHERE phase <> 'running';
CREATE INDEX open_runs_waiting ON open_runs (ready_at, run_id) WHERE phase <> 'running';
CREATE INDEX open_runs_unstarted ON open_runs (schedule_id) WHERE phase = 'queued';
CREATE INDEX open_runs_running ON open_runs (owner, provider, worker_since) WHERE phase = 'running';
CREATE INDEX open_runs_by_conversation ON open_runs (conversation_id, run_id) WHERE conversation_id IS NOT NULL;

-- What has happened in the tool loop of a run that has not ended.
CREATE TABLE run_steps (
  run_id TEXT COLLATE "C" NOT NULL,
  number BIGINT NOT NULL,
  kind   TEXT COLLATE "C" NOT NULL,
  at     BIGINT NOT NULL,
  data   TEXT NOT NULL,
  PRIMARY KEY (run_id, number)
);

-- What runs say, on its way from the process that works on them to those where
-- somebody watches. A row is of no use after some minutes.
CREATE TABLE run_events (
  run_id TEXT COLLATE "C" NOT NULL,
  seq    BIGINT NOT NULL,
  data   BYTEA NOT NULL,  -- the event, as the model sent it
  at     BIGINT NOT NULL,
  PRIMARY KEY (run_id, seq)
);
CREATE INDEX run_events_by_age ON run_events (at);

-- Calls of tools that are made only if somebody approves them.
CREATE TABLE approvals (
  id              TEXT COLLATE "C" PRIMARY KEY,
  account         TEXT COLLATE "C" NOT NULL,
  end_user        TEXT COLLATE "C" NOT NULL,
  agent_id        TEXT COLLATE "C",
  schedule_id     TEXT COLLATE "C",
  run_id          TEXT COLLATE "C",
  response_id     TEXT COLLATE "C",
  server_label    TEXT NOT NULL,
  server_url      TEXT NOT NULL,
  name            TEXT NOT NULL,
  arguments       TEXT NOT NULL,
  created_at      BIGINT NOT NULL,
  expires_at      BIGINT NOT NULL,
  status          TEXT COLLATE "C" NOT NULL,  -- pending, approved or denied
  decided_at      BIGINT,
  decided_by      TEXT,
  reason          TEXT,
  continuation_id TEXT COLLATE "C"  -- the run or response that goes on
);
CREATE INDEX approvals_by_owner ON approvals (account, end_user, id);
CREATE INDEX approvals_by_account ON approvals (account, id);
CREATE INDEX approvals_by_agent ON approvals (agent_id, id) WHERE agent_id IS NOT NULL;
CREATE INDEX approvals_by_run ON approvals (run_id, id) WHERE run_id IS NOT NULL;
CREATE INDEX approvals_by_response ON approvals (response_id, id) WHERE response_id IS NOT NULL;

-- The answers to requests with an Idempotency-Key.
CREATE TABLE answers (
  account     TEXT COLLATE "C" NOT NULL,
  end_user    TEXT COLLATE "C" NOT NULL,
  key         TEXT COLLATE "C" NOT NULL,
  fingerprint BYTEA NOT NULL,  -- SHA-256 of the request
  body        BYTEA NOT NULL,
  at          BIGINT NOT NULL,
  PRIMARY KEY (account, end_user, key)
);
CREATE INDEX answers_by_age ON answers (at);

-- Which engine fires schedules. There is one row.
CREATE TABLE engine (
  id           BIGINT PRIMARY KEY CHECK (id = 1),
  kind         TEXT NOT NULL,    -- embedded or temporal; empty until the first one has begun
  installation TEXT NOT NULL,    -- tells this database's schedules from others in one Temporal
  since        BIGINT NOT NULL,  -- when an engine began to look at what is due
  seen_at      BIGINT NOT NULL,  -- when one last did
  written_at   BIGINT NOT NULL DEFAULT 0,  -- when a server last made sure that it can write
  ahead_until  BIGINT NOT NULL DEFAULT 0,  -- up to when a clock that was ahead has decided, until timers are planned anew; 0: none was
  zone_data    TEXT NOT NULL DEFAULT '',  -- by which timers are planned
  namespace    TEXT NOT NULL DEFAULT '',  -- where Temporal has every schedule; empty until it has
  queue        TEXT NOT NULL DEFAULT ''   -- likewise
);
INSERT INTO engine (id, kind, installation, since, seen_at) VALUES (1, '', '', 0, 0);

-- What models have answered over the Responses API.
CREATE TABLE responses (
  id                   TEXT COLLATE "C" PRIMARY KEY,
  account              TEXT COLLATE "C" NOT NULL,
  end_user             TEXT COLLATE "C" NOT NULL,
  status               TEXT COLLATE "C" NOT NULL,
  background           BOOLEAN NOT NULL,
  model                TEXT NOT NULL,  -- as the caller has named it
  provider             TEXT COLLATE "C" NOT NULL,  -- that is asked, or was asked last
  previous_response_id TEXT COLLATE "C",
  conversation_id      TEXT COLLATE "C",
  agent_id             TEXT COLLATE "C",  -- whose run asked; NULL if a caller did
  created_at           BIGINT NOT NULL,
  ended_at             BIGINT,
  request              TEXT NOT NULL,  -- as it came, without its input
  object               TEXT NOT NULL,  -- as callers see it, without its output
  shape                BYTEA,           -- of its stream, for a replay
  not_sent             TEXT,
  usage                TEXT,           -- as the provider has sent it
  input_tokens         BIGINT,
  cached_tokens        BIGINT,
  output_tokens        BIGINT,
  reasoning_tokens     BIGINT,
  total_tokens         BIGINT,
  error                TEXT
);
CREATE INDEX responses_by_owner ON responses (account, end_user, id);
CREATE INDEX responses_by_account ON responses (account, id);
CREATE INDEX responses_by_agent ON responses (agent_id, id) WHERE agent_id IS NOT NULL;

-- The responses that have not ended. With a worker whose lease is over, a response is
-- as if none had it.
CREATE TABLE open_responses (
  response_id TEXT COLLATE "C" PRIMARY KEY,
  owner       TEXT COLLATE "C" NOT NULL,  -- account/end_user
  background  BOOLEAN NOT NULL,
  worker      TEXT COLLATE "C",
  provider    TEXT COLLATE "C",  -- of what is worked on in the background
  lease_until BIGINT NOT NULL,  -- 0 without a worker, or until when it sleeps
  sleep       TEXT              -- since and until when it sleeps, and why; NULL if it does not
);
CREATE INDEX open_responses_by_lease ON open_responses (lease_until, response_id);
CREATE INDEX open_responses_queue ON open_responses (owner, lease_until, response_id);
CREATE INDEX open_responses_working ON open_responses (worker, owner, provider) WHERE worker IS NOT NULL;

-- What happened on the way to the end of a response.
CREATE TABLE response_steps (
  response_id TEXT COLLATE "C" NOT NULL,
  number      BIGINT NOT NULL,
  kind        TEXT COLLATE "C" NOT NULL,
  at          BIGINT NOT NULL,
  data        TEXT NOT NULL,
  PRIMARY KEY (response_id, number)
);

CREATE TABLE conversations (
  id         TEXT COLLATE "C" PRIMARY KEY,
  account    TEXT COLLATE "C" NOT NULL,
  end_user   TEXT COLLATE "C" NOT NULL,
  metadata   TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  deleted_at BIGINT,
  items      BIGINT NOT NULL,  -- how many it has had: the position of the next
  busy       TEXT COLLATE "C",           -- the response or run that holds it
  agent_id   TEXT COLLATE "C"            -- for whose runs it was made; NULL if a caller made it
);
CREATE INDEX conversations_by_owner ON conversations (account, end_user, id);
CREATE INDEX conversations_by_account ON conversations (account, id);
CREATE INDEX conversations_by_agent ON conversations (agent_id, id) WHERE agent_id IS NOT NULL;

-- Items of responses and conversations, as they came. A log is a conversation, or a
-- response. The items of a response come into the log of its conversation when it has
-- ended well.
CREATE TABLE items (
  log         TEXT COLLATE "C" NOT NULL,
  position    BIGINT NOT NULL,
  id          TEXT COLLATE "C" NOT NULL,
  response_id TEXT COLLATE "C",
  output      BOOLEAN NOT NULL,
  hidden      BOOLEAN NOT NULL DEFAULT FALSE,  -- taken out of the conversation
  item        TEXT NOT NULL,
  PRIMARY KEY (log, position)
);
CREATE INDEX items_by_id ON items (id, log);
CREATE INDEX items_by_response ON items (response_id, position) WHERE response_id IS NOT NULL;
