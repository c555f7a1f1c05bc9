-- The schema after all migrations. Written by go test ./internal/store/sqlite -run Golden -update.

CREATE TABLE account_limits (
  account TEXT PRIMARY KEY,
  limits  TEXT NOT NULL
) STRICT;

CREATE TABLE agent_references (
  agent_id TEXT NOT NULL REFERENCES agents (id),
  version  INTEGER NOT NULL,
  target   TEXT NOT NULL,
  PRIMARY KEY (agent_id, version, target)
) STRICT, WITHOUT ROWID;

CREATE INDEX agent_references_by_target ON agent_references (target);

CREATE TABLE agent_versions (
  agent_id              TEXT NOT NULL REFERENCES agents (id),
  version               INTEGER NOT NULL,
  id                    TEXT NOT NULL,
  restored_from_version INTEGER,
  configuration         TEXT NOT NULL,
  created_at            INTEGER NOT NULL,
  PRIMARY KEY (agent_id, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE agents (
  id                  TEXT PRIMARY KEY,
  account             TEXT NOT NULL,
  end_user            TEXT NOT NULL,
  key                 TEXT,  -- the name by which its owner finds it
  name                TEXT NOT NULL,
  description         TEXT,
  model               TEXT NOT NULL,
  instructions        TEXT,
  tools               TEXT NOT NULL,
  tool_choice         TEXT NOT NULL,
  parallel_tool_calls INTEGER NOT NULL,
  max_tool_calls      INTEGER,
  fallback_models     TEXT NOT NULL,
  text                TEXT,
  reasoning           TEXT,
  metadata            TEXT NOT NULL,
  version             INTEGER NOT NULL,
  created_at          INTEGER NOT NULL,
  updated_at          INTEGER NOT NULL,
  deleted_at          INTEGER,
  retention_expires_at INTEGER,
  visibility          TEXT NOT NULL,  -- private, or workspace: shared with the end users of the account
  unshared_at         INTEGER         -- since when it is private again; NULL if it was never shared
) STRICT;

CREATE INDEX agents_by_account ON agents (account, id);

CREATE INDEX agents_by_end_user ON agents (account, end_user);

CREATE UNIQUE INDEX agents_by_own_key ON agents (account, end_user, key) WHERE key IS NOT NULL AND deleted_at IS NULL;

CREATE INDEX agents_by_owner ON agents (account, end_user, id) WHERE deleted_at IS NULL;

CREATE INDEX agents_deleted ON agents (account, end_user, id) WHERE deleted_at IS NOT NULL;

CREATE INDEX agents_expiring ON agents (retention_expires_at, id) WHERE deleted_at IS NOT NULL;

CREATE INDEX agents_shared ON agents (account, id) WHERE visibility = 'workspace' AND deleted_at IS NULL;

CREATE TABLE answers (
  account     TEXT NOT NULL,
  end_user    TEXT NOT NULL,
  key         TEXT NOT NULL,
  fingerprint BLOB NOT NULL,  -- SHA-256 of the request
  body        BLOB NOT NULL,
  at          INTEGER NOT NULL,
  PRIMARY KEY (account, end_user, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX answers_by_age ON answers (at);

CREATE TABLE approvals (
  id              TEXT PRIMARY KEY,
  account         TEXT NOT NULL,
  end_user        TEXT NOT NULL,
  agent_id        TEXT,
  schedule_id     TEXT,
  run_id          TEXT,
  response_id     TEXT,
  server_label    TEXT NOT NULL,
  server_url      TEXT NOT NULL,
  name            TEXT NOT NULL,
  arguments       TEXT NOT NULL,
  created_at      INTEGER NOT NULL,
  expires_at      INTEGER NOT NULL,
  status          TEXT NOT NULL,  -- pending, approved or denied
  decided_at      INTEGER,
  decided_by      TEXT,
  reason          TEXT,
  continuation_id TEXT  -- the run or response that goes on
) STRICT;

CREATE INDEX approvals_by_account ON approvals (account, id);

CREATE INDEX approvals_by_agent ON approvals (agent_id, id) WHERE agent_id IS NOT NULL;

CREATE INDEX approvals_by_owner ON approvals (account, end_user, id);

CREATE INDEX approvals_by_response ON approvals (response_id, id) WHERE response_id IS NOT NULL;

CREATE INDEX approvals_by_run ON approvals (run_id, id) WHERE run_id IS NOT NULL;

CREATE TABLE conversations (
  id         TEXT PRIMARY KEY,
  account    TEXT NOT NULL,
  end_user   TEXT NOT NULL,
  metadata   TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  deleted_at INTEGER,
  items      INTEGER NOT NULL,  -- how many it has had: the position of the next
  busy       TEXT,           -- the response or run that holds it
  agent_id   TEXT            -- for whose runs it was made; NULL if a caller made it
) STRICT;

CREATE INDEX conversations_by_account ON conversations (account, id);

CREATE INDEX conversations_by_agent ON conversations (agent_id, id) WHERE agent_id IS NOT NULL;

CREATE INDEX conversations_by_owner ON conversations (account, end_user, id);

CREATE TABLE engine (
  id           INTEGER PRIMARY KEY CHECK (id = 1),
  kind         TEXT NOT NULL,     -- embedded or temporal; empty until the first one has begun
  installation TEXT NOT NULL,     -- tells this database's schedules from others in one Temporal
  since        INTEGER NOT NULL,  -- when an engine began to look at what is due
  seen_at      INTEGER NOT NULL,  -- when one last did
  written_at   INTEGER NOT NULL DEFAULT 0,  -- when a server last made sure that it can write
  ahead_until  INTEGER NOT NULL DEFAULT 0,  -- up to when a clock that was ahead has decided, until timers are planned anew; 0: none was
  zone_data    TEXT NOT NULL DEFAULT ''  -- by which timers are planned
) STRICT;

CREATE TABLE erasures (
  account        TEXT NOT NULL,
  end_user       TEXT NOT NULL,
  at             INTEGER NOT NULL,  -- when it was last worked on
  agents         INTEGER NOT NULL,
  versions       INTEGER NOT NULL,
  schedules      INTEGER NOT NULL,
  occurrences    INTEGER NOT NULL,
  runs           INTEGER NOT NULL,
  cancelled_runs INTEGER NOT NULL,
  function_tools INTEGER NOT NULL,
  keys           INTEGER NOT NULL,
  answers        INTEGER NOT NULL,
  responses      INTEGER NOT NULL,
  conversations  INTEGER NOT NULL,
  mcp_servers    INTEGER NOT NULL,
  memory_stores  INTEGER NOT NULL,
  PRIMARY KEY (account, end_user)
) STRICT;

CREATE INDEX erasures_by_age ON erasures (at);

CREATE TABLE function_tools (
  id         TEXT PRIMARY KEY,
  account    TEXT NOT NULL,
  end_user   TEXT NOT NULL,
  definition TEXT NOT NULL,
  version    INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

CREATE INDEX function_tools_by_owner ON function_tools (account, end_user, id);

CREATE TABLE guests (
  account  TEXT NOT NULL,
  end_user TEXT NOT NULL,
  PRIMARY KEY (account, end_user)
) STRICT, WITHOUT ROWID;

CREATE TABLE items (
  log         TEXT NOT NULL,
  position    INTEGER NOT NULL,
  id          TEXT NOT NULL,
  response_id TEXT,
  output      INTEGER NOT NULL,
  hidden      INTEGER NOT NULL DEFAULT 0,  -- taken out of the conversation
  item        TEXT NOT NULL,
  PRIMARY KEY (log, position)
) STRICT;

CREATE INDEX items_by_id ON items (id, log);

CREATE INDEX items_by_response ON items (response_id, position) WHERE response_id IS NOT NULL;

CREATE TABLE keys (
  id          TEXT PRIMARY KEY,
  account     TEXT NOT NULL,
  name        TEXT NOT NULL,
  hint        TEXT NOT NULL,               -- the first characters of the secret
  hash        BLOB NOT NULL UNIQUE,        -- SHA-256 of the secret
  scopes      TEXT NOT NULL,
  rate_limits TEXT NOT NULL,
  spent       TEXT NOT NULL DEFAULT '{}',  -- what the key has used of its rate limits
  created_at  INTEGER NOT NULL,
  expires_at  INTEGER,
  revoked_at  INTEGER,
  end_user    TEXT,               -- the only one for whom the key acts
  team_id     TEXT,
  created_by  TEXT,               -- the key that made it
  generation  INTEGER NOT NULL  -- counts the secrets that the key has had
) STRICT;

CREATE INDEX keys_by_account ON keys (account, id);

CREATE INDEX keys_by_maker ON keys (created_by) WHERE created_by IS NOT NULL;

CREATE TABLE mcp_credentials (
  id           TEXT PRIMARY KEY,
  account      TEXT NOT NULL,
  end_user     TEXT NOT NULL,
  server_id    TEXT NOT NULL,
  name         TEXT,
  auth_type    TEXT NOT NULL,
  preview      TEXT,
  header_names TEXT NOT NULL,
  sealed       BLOB,  -- its secrets, sealed with the server's; NULL once it is revoked
  expires_at   INTEGER,
  last_used_at INTEGER,
  created_at   INTEGER NOT NULL,
  updated_at   INTEGER NOT NULL,
  revoked_at   INTEGER
) STRICT;

CREATE INDEX mcp_credentials_by_owner ON mcp_credentials (account, end_user);

CREATE INDEX mcp_credentials_by_server ON mcp_credentials (server_id, id);

CREATE TABLE mcp_servers (
  id            TEXT PRIMARY KEY,
  account       TEXT NOT NULL,
  end_user      TEXT NOT NULL,
  configuration TEXT NOT NULL,
  version       INTEGER NOT NULL,
  created_at    INTEGER NOT NULL,
  updated_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX mcp_servers_by_owner ON mcp_servers (account, end_user, id);

CREATE TABLE memory_entries (
  id         TEXT PRIMARY KEY,
  account    TEXT NOT NULL,
  end_user   TEXT NOT NULL,
  store_id   TEXT NOT NULL,
  path       TEXT NOT NULL,
  content    TEXT NOT NULL,
  metadata   TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

CREATE INDEX memory_entries_by_owner ON memory_entries (account, end_user);

CREATE UNIQUE INDEX memory_entries_by_path ON memory_entries (store_id, path);

CREATE INDEX memory_entries_by_store ON memory_entries (store_id, id);

CREATE TABLE memory_stores (
  id            TEXT PRIMARY KEY,
  account       TEXT NOT NULL,
  end_user      TEXT NOT NULL,
  visibility    TEXT NOT NULL,
  configuration TEXT NOT NULL,
  created_at    INTEGER NOT NULL,
  updated_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX memory_stores_by_owner ON memory_stores (account, end_user, id);

CREATE TABLE occurrences (
  account         TEXT NOT NULL,
  end_user        TEXT NOT NULL,
  agent_id        TEXT NOT NULL,
  schedule_id     TEXT NOT NULL,
  schedule_version INTEGER NOT NULL,
  scheduled_for   INTEGER NOT NULL,
  scheduled_until INTEGER,  -- the last nominal time of a row that stands for several
  id              TEXT NOT NULL,
  count           INTEGER NOT NULL,
  outcome         TEXT NOT NULL,
  reason          TEXT,
  run_id          TEXT,
  trigger         TEXT NOT NULL,
  lateness_ms     INTEGER,
  recorded_at     INTEGER NOT NULL,
  acknowledged_at INTEGER,
  acknowledged_by TEXT,  -- the key that was used
  PRIMARY KEY (schedule_id, scheduled_for)
) STRICT, WITHOUT ROWID;

CREATE INDEX occurrences_asked ON occurrences (account, trigger, id) WHERE trigger <> 'schedule';

CREATE INDEX occurrences_by_account ON occurrences (account, id);

CREATE INDEX occurrences_spans ON occurrences (account, scheduled_until) WHERE scheduled_until IS NOT NULL;

CREATE INDEX occurrences_unfired ON occurrences (schedule_id, outcome, scheduled_for) WHERE outcome <> 'fired';

CREATE INDEX occurrences_unfired_by_account ON occurrences (account, outcome, id) WHERE outcome <> 'fired';

CREATE TABLE open_responses (
  response_id TEXT PRIMARY KEY,
  owner       TEXT NOT NULL,  -- account/end_user
  background  INTEGER NOT NULL,
  worker      TEXT,
  provider    TEXT,  -- of what is worked on in the background
  lease_until INTEGER NOT NULL,  -- 0 without a worker, or until when it sleeps
  sleep       TEXT               -- since and until when it sleeps, and why; NULL if it does not
) STRICT;

CREATE INDEX open_responses_by_lease ON open_responses (lease_until, response_id);

CREATE INDEX open_responses_queue ON open_responses (owner, lease_until, response_id);

CREATE INDEX open_responses_working ON open_responses (worker, owner, provider) WHERE worker IS NOT NULL;

CREATE TABLE open_runs (
  run_id      TEXT PRIMARY KEY,
  schedule_id TEXT,
  owner       TEXT NOT NULL,               -- account/end_user
  provider    TEXT NOT NULL,
  phase       TEXT NOT NULL,               -- queued (not started yet), running, waiting (to go on)
  ready_at    INTEGER NOT NULL,            -- the place in the queue; of a waiting run, when it may go on
  started_at  INTEGER,
  first_start INTEGER,
  attempts    INTEGER NOT NULL,
  failures    INTEGER NOT NULL,            -- attempts that the provider answered with a failure
  response_id TEXT,
  model       TEXT,                        -- of the attempt that began last, as the agent names it
  history     TEXT,                        -- the attempts before it
  conversation_id TEXT,                    -- that it holds, or waits in line for
  steps       INTEGER NOT NULL DEFAULT 0,  -- of its tool loop, in run_steps
  sleep       TEXT                         -- since and until when it sleeps, and why; NULL if it does not
) STRICT, WITHOUT ROWID;

CREATE INDEX open_runs_by_conversation ON open_runs (conversation_id, run_id) WHERE conversation_id IS NOT NULL;

CREATE INDEX open_runs_queue ON open_runs (owner, provider, ready_at, run_id, phase) WHERE phase <> 'running';

CREATE INDEX open_runs_running ON open_runs (owner, provider) WHERE phase = 'running';

CREATE INDEX open_runs_unstarted ON open_runs (schedule_id) WHERE phase = 'queued';

CREATE INDEX open_runs_waiting ON open_runs (ready_at) WHERE phase <> 'running';

CREATE TABLE purges (
  agent_id    TEXT PRIMARY KEY,
  account     TEXT NOT NULL,
  end_user    TEXT NOT NULL,
  rule        TEXT NOT NULL,
  at          INTEGER NOT NULL,  -- when it was last worked on
  versions    INTEGER NOT NULL,
  runs        INTEGER NOT NULL,
  schedules   INTEGER NOT NULL,
  occurrences INTEGER NOT NULL
) STRICT;

CREATE INDEX purges_by_end_user ON purges (account, end_user);

CREATE TABLE requests_spent (
  owner      TEXT PRIMARY KEY,  -- account/end_user, or the account
  spent      TEXT NOT NULL,
  useless_at INTEGER NOT NULL  -- when all requests have come back, rounded up to a day
) STRICT;

CREATE INDEX requests_spent_by_end ON requests_spent (useless_at);

CREATE TABLE response_steps (
  response_id TEXT NOT NULL,
  number      INTEGER NOT NULL,
  kind        TEXT NOT NULL,
  at          INTEGER NOT NULL,
  data        TEXT NOT NULL,
  PRIMARY KEY (response_id, number)
) STRICT;

CREATE TABLE responses (
  id                   TEXT PRIMARY KEY,
  account              TEXT NOT NULL,
  end_user             TEXT NOT NULL,
  status               TEXT NOT NULL,
  background           INTEGER NOT NULL,
  model                TEXT NOT NULL,  -- as the caller has named it
  provider             TEXT NOT NULL,  -- that is asked, or was asked last
  previous_response_id TEXT,
  conversation_id      TEXT,
  agent_id             TEXT,  -- whose run asked; NULL if a caller did
  created_at           INTEGER NOT NULL,
  ended_at             INTEGER,
  request              TEXT NOT NULL,  -- as it came, without its input
  object               TEXT NOT NULL,  -- as callers see it, without its output
  shape                BLOB,           -- of its stream, for a replay
  not_sent             TEXT,
  usage                TEXT,           -- as the provider has sent it
  input_tokens         INTEGER,
  cached_tokens        INTEGER,
  output_tokens        INTEGER,
  reasoning_tokens     INTEGER,
  total_tokens         INTEGER,
  error                TEXT
) STRICT;

CREATE INDEX responses_by_account ON responses (account, id);

CREATE INDEX responses_by_agent ON responses (agent_id, id) WHERE agent_id IS NOT NULL;

CREATE INDEX responses_by_owner ON responses (account, end_user, id);

CREATE TABLE retentions (
  account     TEXT PRIMARY KEY,
  runs        INTEGER,
  occurrences INTEGER
) STRICT;

CREATE TABLE run_steps (
  run_id TEXT NOT NULL,
  number INTEGER NOT NULL,
  kind   TEXT NOT NULL,
  at     INTEGER NOT NULL,
  data   TEXT NOT NULL,
  PRIMARY KEY (run_id, number)
) STRICT;

CREATE TABLE runs (
  id                   TEXT PRIMARY KEY,
  account              TEXT NOT NULL,
  end_user             TEXT NOT NULL,
  agent_id             TEXT NOT NULL,
  agent_version        INTEGER NOT NULL,
  function_tools       TEXT,           -- the definitions that the agent referred to, by id
  schedule_id          TEXT,
  schedule_version     INTEGER,
  scheduled_for        INTEGER,
  trigger              TEXT NOT NULL,
  fire                 TEXT,           -- what the run may tell its agent of the occurrence
  input                TEXT NOT NULL,
  conversation         TEXT,
  previous_response_id TEXT,
  context_management   TEXT,
  no_deltas            INTEGER NOT NULL DEFAULT 0,
  guest                INTEGER NOT NULL DEFAULT 0,  -- whether the agent is not its owner's, but shared with it
  metadata             TEXT NOT NULL,
  created_at           INTEGER NOT NULL,
  phase                TEXT NOT NULL,  -- queued until the run has ended; open_runs says more
  started_at           INTEGER,
  attempts             INTEGER NOT NULL,
  lateness_ms          INTEGER,
  response_id          TEXT,
  response             TEXT,
  usage                TEXT,           -- as the provider sent it
  input_tokens         INTEGER,        -- of all attempts; NULL if no provider said
  cached_tokens        INTEGER,
  output_tokens        INTEGER,
  reasoning_tokens     INTEGER,
  total_tokens         INTEGER,
  error                TEXT,
  error_code           TEXT,           -- that of the error
  completed_at         INTEGER,
  model                TEXT,           -- of the last attempt, as the agent names it
  history              TEXT,           -- the attempts, unless there was one and it brought the answer
  request              TEXT,           -- what the last attempt asked, but for what the agent or the input says
  acknowledged_at      INTEGER,
  acknowledged_by      TEXT            -- the key that was used
) STRICT;

CREATE INDEX runs_asked ON runs (account, trigger, id) WHERE trigger <> 'schedule';

CREATE INDEX runs_by_account ON runs (account, id);

CREATE INDEX runs_by_agent ON runs (agent_id, id);

CREATE INDEX runs_by_error ON runs (account, error_code, id) WHERE error_code IS NOT NULL;

CREATE INDEX runs_by_guest ON runs (account, end_user, id) WHERE guest;

CREATE INDEX runs_continued ON runs (schedule_id, scheduled_for, id) WHERE trigger = 'api' AND schedule_id IS NOT NULL;

CREATE INDEX runs_unusual ON runs (account, phase, id) WHERE phase <> 'queued' AND phase <> 'completed';

CREATE TABLE schedule_versions (
  schedule_id   TEXT NOT NULL REFERENCES schedules (id),
  version       INTEGER NOT NULL,
  configuration TEXT NOT NULL,
  created_at    INTEGER NOT NULL,
  PRIMARY KEY (schedule_id, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE schedules (
  id                   TEXT PRIMARY KEY,
  account              TEXT NOT NULL,
  end_user             TEXT NOT NULL,
  agent_id             TEXT NOT NULL REFERENCES agents (id),
  key_id               TEXT,  -- the key that made the schedule
  key                  TEXT,  -- the name by which its owner finds it
  origin               TEXT,  -- of one that an agent has planned itself: agent, run and call
  name                 TEXT,
  description          TEXT,
  input                TEXT NOT NULL,
  conversation         TEXT,
  previous_response_id TEXT,
  context_management   TEXT,
  metadata             TEXT NOT NULL,
  temporal_schedule_id TEXT,  -- NULL unless Temporal has the schedule
  version              INTEGER NOT NULL,
  versioned_at         INTEGER NOT NULL,  -- since when the schedule has the schedule_version of its timer
  created_at           INTEGER NOT NULL,
  updated_at           INTEGER NOT NULL,
  deleted_at           INTEGER
) STRICT;

CREATE INDEX schedules_by_account ON schedules (account, id) WHERE deleted_at IS NULL;

CREATE INDEX schedules_by_agent ON schedules (agent_id, id);

CREATE INDEX schedules_by_end_user ON schedules (account, end_user, id);

CREATE INDEX schedules_by_key ON schedules (key_id, id) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX schedules_by_own_key ON schedules (agent_id, end_user, key) WHERE key IS NOT NULL AND deleted_at IS NULL;

CREATE INDEX schedules_by_owner ON schedules (account, end_user, id) WHERE deleted_at IS NULL;

CREATE INDEX schedules_planned ON schedules (account, end_user, agent_id) WHERE origin IS NOT NULL AND deleted_at IS NULL;

CREATE TABLE schema_versions (
  version     INTEGER PRIMARY KEY,  -- the number of the migration
  fingerprint TEXT NOT NULL,        -- SHA-256 of its statements
  written_by  TEXT NOT NULL         -- the version of Rota that carried it out
);

CREATE TABLE sessions (
  hash       BLOB PRIMARY KEY,  -- SHA-256 of what the browser holds
  key_id     TEXT NOT NULL,
  generation INTEGER NOT NULL,  -- of the key's secret: the session ends with it
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_by_end ON sessions (expires_at);

CREATE TABLE signing_keys (
  id         TEXT PRIMARY KEY,
  public     BLOB NOT NULL,    -- an uncompressed point of P-256
  sealed     BLOB NOT NULL,    -- the private half, sealed with the server's secret
  created_at INTEGER NOT NULL,
  retired_at INTEGER
) STRICT;

CREATE INDEX signing_keys_by_end ON signing_keys (retired_at);

CREATE TABLE tallies (
  account           TEXT NOT NULL,
  end_user          TEXT NOT NULL,  -- '' for the account itself, * for all
  hour              INTEGER NOT NULL,
  fired             INTEGER NOT NULL,
  skipped_overlap   INTEGER NOT NULL,
  skipped_requested INTEGER NOT NULL,
  buffered          INTEGER NOT NULL,
  missed            INTEGER NOT NULL,
  blocked           INTEGER NOT NULL,
  completed         INTEGER NOT NULL,
  incomplete        INTEGER NOT NULL,
  failed            INTEGER NOT NULL,
  cancelled         INTEGER NOT NULL,
  input_tokens      INTEGER NOT NULL,
  cached_tokens     INTEGER NOT NULL,
  output_tokens     INTEGER NOT NULL,
  reasoning_tokens  INTEGER NOT NULL,
  total_tokens      INTEGER NOT NULL,
  late_0            INTEGER NOT NULL,  -- fired at most so late: see rota.LatenessBucket
  late_1            INTEGER NOT NULL,
  late_2            INTEGER NOT NULL,
  late_3            INTEGER NOT NULL,
  late_4            INTEGER NOT NULL,
  late_5            INTEGER NOT NULL,
  late_6            INTEGER NOT NULL,
  late_7            INTEGER NOT NULL,
  late_8            INTEGER NOT NULL,
  late_9            INTEGER NOT NULL,
  late_10           INTEGER NOT NULL,
  late_11           INTEGER NOT NULL,
  late_12           INTEGER NOT NULL,
  late_13           INTEGER NOT NULL,
  late_14           INTEGER NOT NULL,
  late_15           INTEGER NOT NULL,
  late_16           INTEGER NOT NULL,
  late_17           INTEGER NOT NULL,
  late_18           INTEGER NOT NULL,
  late_19           INTEGER NOT NULL,
  PRIMARY KEY (account, end_user, hour)
) STRICT, WITHOUT ROWID;

CREATE INDEX tallies_by_hour ON tallies (hour);

CREATE TABLE tally_errors (
  account  TEXT NOT NULL,
  end_user TEXT NOT NULL,
  hour     INTEGER NOT NULL,
  phase    TEXT NOT NULL,
  code     TEXT NOT NULL,
  count    INTEGER NOT NULL,
  PRIMARY KEY (account, end_user, hour, phase, code)
) STRICT, WITHOUT ROWID;

CREATE INDEX tally_errors_by_hour ON tally_errors (hour);

CREATE TABLE tally_log (
  account TEXT NOT NULL,
  id      INTEGER NOT NULL,  -- a random number
  body    BLOB NOT NULL,     -- by end user and hour, all that is not zero: see sqlstore/tallylog.go
  PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE timers (
  schedule_id          TEXT PRIMARY KEY REFERENCES schedules (id),
  agent_id             TEXT NOT NULL,
  account              TEXT NOT NULL,
  end_user             TEXT NOT NULL,
  status               TEXT NOT NULL,
  spec                 TEXT NOT NULL,
  policy               TEXT NOT NULL,
  anchor               INTEGER NOT NULL,
  schedule_version     INTEGER NOT NULL,  -- counts the changes of what fires
  agent_version        INTEGER,           -- that of the runs; NULL for the one that the agent has then
  pinned_model         TEXT,              -- the model of agent_version
  next_run_at          INTEGER,           -- the earliest nominal time without an outcome
  due_at               INTEGER,           -- when to act: next_run_at and its jitter
  open_runs            INTEGER NOT NULL,
  buffered             INTEGER,           -- the nominal time that waits for an open run to end
  backlog              INTEGER NOT NULL,  -- how many missed occurrences wait for their turn
  backlog_to           INTEGER,           -- the newest of them
  catch_up             INTEGER,           -- backlog_to, while the next of them may start
  run_count            INTEGER NOT NULL,
  consecutive_failures INTEGER NOT NULL,
  last_run_at          INTEGER,
  last_run_id          TEXT,
  last_response_id     TEXT,
  pause_reason         TEXT,
  skips                TEXT,              -- nominal times ahead that somebody asked to skip
  low_water            INTEGER            -- the last nominal time whose outcome has been deleted for its age
) STRICT;

CREATE INDEX timers_catch_up ON timers (catch_up, schedule_id) WHERE catch_up IS NOT NULL;

CREATE INDEX timers_completed ON timers (account, end_user) WHERE status = 'completed';

CREATE INDEX timers_due ON timers (due_at, schedule_id) WHERE due_at IS NOT NULL;

CREATE INDEX timers_paused ON timers (account, end_user, schedule_id) WHERE status = 'paused';
