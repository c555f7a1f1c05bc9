-- The schema after all migrations. Written by go test ./internal/store/postgres -run Golden -update.

CREATE TABLE account_limits (
  account text COLLATE "C" NOT NULL,
  limits text NOT NULL,
  PRIMARY KEY (account)
);

CREATE TABLE agent_references (
  agent_id text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  target text COLLATE "C" NOT NULL,
  PRIMARY KEY (agent_id, version, target),
  FOREIGN KEY (agent_id) REFERENCES agents(id)
);
CREATE INDEX agent_references_by_target ON agent_references USING btree (target);

CREATE TABLE agent_versions (
  agent_id text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  id text COLLATE "C" NOT NULL,
  restored_from_version bigint,
  configuration text NOT NULL,
  created_at bigint NOT NULL,
  PRIMARY KEY (agent_id, version),
  FOREIGN KEY (agent_id) REFERENCES agents(id)
);

CREATE TABLE agents (
  id text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  end_user text COLLATE "C" NOT NULL,
  key text COLLATE "C",
  name text NOT NULL,
  description text,
  model text NOT NULL,
  instructions text,
  tools text NOT NULL,
  tool_choice text NOT NULL,
  parallel_tool_calls boolean NOT NULL,
  max_tool_calls bigint,
  fallback_models text NOT NULL,
  text text,
  reasoning text,
  metadata text NOT NULL,
  version bigint NOT NULL,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  deleted_at bigint,
  retention_expires_at bigint,
  visibility text NOT NULL,
  unshared_at bigint,
  PRIMARY KEY (id)
);
CREATE INDEX agents_by_account ON agents USING btree (account, id);
CREATE INDEX agents_by_end_user ON agents USING btree (account, end_user);
CREATE UNIQUE INDEX agents_by_own_key ON agents USING btree (account, end_user, key) WHERE ((key IS NOT NULL) AND (deleted_at IS NULL));
CREATE INDEX agents_by_owner ON agents USING btree (account, end_user, id) WHERE (deleted_at IS NULL);
CREATE INDEX agents_deleted ON agents USING btree (account, end_user, id) WHERE (deleted_at IS NOT NULL);
CREATE INDEX agents_expiring ON agents USING btree (retention_expires_at, id) WHERE (deleted_at IS NOT NULL);
CREATE INDEX agents_shared ON agents USING btree (account, id) WHERE ((visibility = 'workspace'::text) AND (deleted_at IS NULL));

CREATE TABLE answers (
  account text COLLATE "C" NOT NULL,
  end_user text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  fingerprint bytea NOT NULL,
  body bytea NOT NULL,
  at bigint NOT NULL,
  PRIMARY KEY (account, end_user, key)
);
CREATE INDEX answers_by_age ON answers USING btree (at);

CREATE TABLE approvals (
  id text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  end_user text COLLATE "C" NOT NULL,
  agent_id text COLLATE "C",
  schedule_id text COLLATE "C",
  run_id text COLLATE "C",
  response_id text COLLATE "C",
  server_label text NOT NULL,
  server_url text NOT NULL,
  name text NOT NULL,
  arguments text NOT NULL,
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  status text COLLATE "C" NOT NULL,
  decided_at bigint,
  decided_by text,
  reason text,
  continuation_id text COLLATE "C",
  PRIMARY KEY (id)
);
CREATE INDEX approvals_by_account ON approvals USING btree (account, id);
CREATE INDEX approvals_by_agent ON approvals USING btree (agent_id, id) WHERE (agent_id IS NOT NULL);
CREATE INDEX approvals_by_owner ON approvals USING btree (account, end_user, id);
CREATE INDEX approvals_by_response ON approvals USING btree (response_id, id) WHERE (response_id IS NOT NULL);
CREATE INDEX approvals_by_run ON approvals USING btree (run_id, id) WHERE (run_id IS NOT NULL);

CREATE TABLE conversations (
  id text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  end_user text COLLATE "C" NOT NULL,
  metadata text NOT NULL,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  deleted_at bigint,
  items bigint NOT NULL,
  busy text COLLATE "C",
  agent_id text COLLATE "C",
  PRIMARY KEY (id)
);
CREATE INDEX conversations_by_account ON conversations USING btree (account, id);
CREATE INDEX conversations_by_agent ON conversations USING btree (agent_id, id) WHERE (agent_id IS NOT NULL);
CREATE INDEX conversations_by_owner ON conversations USING btree (account, end_user, id);

CREATE TABLE engine (
  id bigint NOT NULL,
  kind text NOT NULL,
  installation text NOT NULL,
  since bigint NOT NULL,
  seen_at bigint NOT NULL,
  written_at bigint NOT NULL DEFAULT 0,
  ahead_until bigint NOT NULL DEFAULT 0,
  zone_data text NOT NULL DEFAULT ''::text,
  namespace text NOT NULL DEFAULT ''::text,
  queue text NOT NULL DEFAULT ''::text,
  PRIMARY KEY (id),
  CHECK ((id = 1))
);

CREATE TABLE erasures (
  account text COLLATE "C" NOT NULL,
  end_user text COLLATE "C" NOT NULL,
  at bigint NOT NULL,
  agents bigint NOT NULL,
  versions bigint NOT NULL,
  schedules bigint NOT NULL,
  occurrences bigint NOT NULL,
  runs bigint NOT NULL,
  cancelled_runs bigint NOT NULL,
  function_tools bigint NOT NULL,
  keys bigint NOT NULL,
  answers bigint NOT NULL,
  responses bigint NOT NULL,
  conversations bigint NOT NULL,
  mcp_servers bigint NOT NULL,
  memory_stores bigint NOT NULL,
  PRIMARY KEY (account, end_user)
);
CREATE INDEX erasures_by_age ON erasures USING btree (at);

CREATE TABLE function_tools (
  id text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  end_user text COLLATE "C" NOT NULL,
  definition text NOT NULL,
  version bigint NOT NULL,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  PRIMARY KEY (id)
);
CREATE INDEX function_tools_by_owner ON function_tools USING btree (account, end_user, id);

CREATE TABLE guests (
  account text COLLATE "C" NOT NULL,
  end_user text COLLATE "C" NOT NULL,
  PRIMARY KEY (account, end_user)
);

CREATE TABLE items (
  log text COLLATE "C" NOT NULL,
  position bigint NOT NULL,
  id text COLLATE "C" NOT NULL,
  response_id text COLLATE "C",
  output boolean NOT NULL,
  hidden boolean NOT NULL DEFAULT false,
  item text NOT NULL,
  PRIMARY KEY (log, "position")
);
CREATE INDEX items_by_id ON items USING btree (id, log);
CREATE INDEX items_by_response ON items USING btree (response_id, "position") WHERE (response_id IS NOT NULL);

CREATE TABLE keys (
  id text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  name text NOT NULL,
  hint text NOT NULL,
  hash bytea NOT NULL,
  scopes text NOT NULL,
  rate_limits text NOT NULL,
  spent text NOT NULL DEFAULT '{}'::text,
  created_at bigint NOT NULL,
  expires_at bigint,
  revoked_at bigint,
  end_user text COLLATE "C",
  team_id text,
  created_by text COLLATE "C",
  generation bigint NOT NULL,
  UNIQUE (hash),
  PRIMARY KEY (id)
);
CREATE INDEX keys_by_account ON keys USING btree (account, id);
CREATE INDEX keys_by_maker ON keys USING btree (created_by) WHERE (created_by IS NOT NULL);

CREATE TABLE mcp_credentials (
  id text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  end_user text COLLATE "C" NOT NULL,
  server_id text COLLATE "C" NOT NULL,
  name text,
  auth_type text NOT NULL,
  preview text,
  header_names text NOT NULL,
  sealed bytea,
  expires_at bigint,
  last_used_at bigint,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  revoked_at bigint,
  PRIMARY KEY (id)
);
CREATE INDEX mcp_credentials_by_owner ON mcp_credentials USING btree (account, end_user);
CREATE INDEX mcp_credentials_by_server ON mcp_credentials USING btree (server_id, id);

CREATE TABLE mcp_servers (
  id text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  end_user text COLLATE "C" NOT NULL,
  configuration text NOT NULL,
  version bigint NOT NULL,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  PRIMARY KEY (id)
);
CREATE INDEX mcp_servers_by_owner ON mcp_servers USING btree (account, end_user, id);

CREATE TABLE memory_entries (
  id text NOT NULL,
  account text NOT NULL,
  end_user text NOT NULL,
  store_id text NOT NULL,
  path text NOT NULL,
  content text NOT NULL,
  metadata text NOT NULL,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  PRIMARY KEY (id)
);
CREATE INDEX memory_entries_by_owner ON memory_entries USING btree (account, end_user);
CREATE UNIQUE INDEX memory_entries_by_path ON memory_entries USING btree (store_id, path);
CREATE INDEX memory_entries_by_store ON memory_entries USING btree (store_id, id);

CREATE TABLE memory_stores (
  id text NOT NULL,
  account text NOT NULL,
  end_user text NOT NULL,
  visibility text NOT NULL,
  configuration text NOT NULL,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  PRIMARY KEY (id)
);
CREATE INDEX memory_stores_by_owner ON memory_stores USING btree (account, end_user, id);

CREATE TABLE occurrences (
  account text COLLATE "C" NOT NULL,
  end_user text COLLATE "C" NOT NULL,
  agent_id text COLLATE "C" NOT NULL,
  schedule_id text COLLATE "C" NOT NULL,
  schedule_version bigint NOT NULL,
  scheduled_for bigint NOT NULL,
  scheduled_until bigint,
  id text COLLATE "C" NOT NULL,
  count bigint NOT NULL,
  outcome text COLLATE "C" NOT NULL,
  reason text,
  run_id text COLLATE "C",
  trigger text COLLATE "C" NOT NULL,
  lateness_ms bigint,
  recorded_at bigint NOT NULL,
  acknowledged_at bigint,
  acknowledged_by text,
  PRIMARY KEY (schedule_id, scheduled_for)
);
CREATE INDEX occurrences_asked ON occurrences USING btree (account, trigger, id) WHERE (trigger <> 'schedule'::text);
CREATE INDEX occurrences_by_account ON occurrences USING btree (account, id);
CREATE INDEX occurrences_spans ON occurrences USING btree (account, scheduled_until) WHERE (scheduled_until IS NOT NULL);
CREATE INDEX occurrences_unfired ON occurrences USING btree (schedule_id, outcome, scheduled_for) WHERE (outcome <> 'fired'::text);
CREATE INDEX occurrences_unfired_by_account ON occurrences USING btree (account, outcome, id) WHERE (outcome <> 'fired'::text);

CREATE TABLE open_responses (
  response_id text COLLATE "C" NOT NULL,
  owner text COLLATE "C" NOT NULL,
  background boolean NOT NULL,
  worker text COLLATE "C",
  provider text COLLATE "C",
  lease_until bigint NOT NULL,
  sleep text,
  PRIMARY KEY (response_id)
);
CREATE INDEX open_responses_by_lease ON open_responses USING btree (lease_until, response_id);
CREATE INDEX open_responses_queue ON open_responses USING btree (owner, lease_until, response_id);
CREATE INDEX open_responses_working ON open_responses USING btree (worker, owner, provider) WHERE (worker IS NOT NULL);

CREATE TABLE open_runs (
  run_id text COLLATE "C" NOT NULL,
  schedule_id text COLLATE "C",
  owner text COLLATE "C" NOT NULL,
  provider text COLLATE "C" NOT NULL,
  phase text COLLATE "C" NOT NULL,
  ready_at bigint NOT NULL,
  started_at bigint,
  first_start bigint,
  attempts bigint NOT NULL,
  failures bigint NOT NULL,
  worker_since bigint,
  response_id text,
  model text,
  history text,
  conversation_id text COLLATE "C",
  steps bigint NOT NULL DEFAULT 0,
  sleep text,
  PRIMARY KEY (run_id)
);
CREATE INDEX open_runs_by_conversation ON open_runs USING btree (conversation_id, run_id) WHERE (conversation_id IS NOT NULL);
CREATE INDEX open_runs_queue ON open_runs USING btree (owner, provider, ready_at, run_id) WHERE (phase <> 'running'::text);
CREATE INDEX open_runs_running ON open_runs USING btree (owner, provider, worker_since) WHERE (phase = 'running'::text);
CREATE INDEX open_runs_unstarted ON open_runs USING btree (schedule_id) WHERE (phase = 'queued'::text);
CREATE INDEX open_runs_waiting ON open_runs USING btree (ready_at, run_id) WHERE (phase <> 'running'::text);

CREATE TABLE purges (
  agent_id text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  end_user text COLLATE "C" NOT NULL,
  rule text NOT NULL,
  at bigint NOT NULL,
  versions bigint NOT NULL,
  runs bigint NOT NULL,
  schedules bigint NOT NULL,
  occurrences bigint NOT NULL,
  PRIMARY KEY (agent_id)
);
CREATE INDEX purges_by_end_user ON purges USING btree (account, end_user);

CREATE TABLE requests_spent (
  owner text COLLATE "C" NOT NULL,
  spent text NOT NULL,
  useless_at bigint NOT NULL,
  PRIMARY KEY (owner)
);
CREATE INDEX requests_spent_by_end ON requests_spent USING btree (useless_at);

CREATE TABLE response_steps (
  response_id text COLLATE "C" NOT NULL,
  number bigint NOT NULL,
  kind text COLLATE "C" NOT NULL,
  at bigint NOT NULL,
  data text NOT NULL,
  PRIMARY KEY (response_id, number)
);

CREATE TABLE responses (
  id text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  end_user text COLLATE "C" NOT NULL,
  status text COLLATE "C" NOT NULL,
  background boolean NOT NULL,
  model text NOT NULL,
  provider text COLLATE "C" NOT NULL,
  previous_response_id text COLLATE "C",
  conversation_id text COLLATE "C",
  agent_id text COLLATE "C",
  created_at bigint NOT NULL,
  ended_at bigint,
  request text NOT NULL,
  object text NOT NULL,
  shape bytea,
  not_sent text,
  usage text,
  input_tokens bigint,
  cached_tokens bigint,
  output_tokens bigint,
  reasoning_tokens bigint,
  total_tokens bigint,
  error text,
  PRIMARY KEY (id)
);
CREATE INDEX responses_by_account ON responses USING btree (account, id);
CREATE INDEX responses_by_agent ON responses USING btree (agent_id, id) WHERE (agent_id IS NOT NULL);
CREATE INDEX responses_by_owner ON responses USING btree (account, end_user, id);

CREATE TABLE retentions (
  account text COLLATE "C" NOT NULL,
  runs bigint,
  occurrences bigint,
  PRIMARY KEY (account)
);

CREATE TABLE run_events (
  run_id text COLLATE "C" NOT NULL,
  seq bigint NOT NULL,
  data bytea NOT NULL,
  at bigint NOT NULL,
  PRIMARY KEY (run_id, seq)
);
CREATE INDEX run_events_by_age ON run_events USING btree (at);

CREATE TABLE run_steps (
  run_id text COLLATE "C" NOT NULL,
  number bigint NOT NULL,
  kind text COLLATE "C" NOT NULL,
  at bigint NOT NULL,
  data text NOT NULL,
  PRIMARY KEY (run_id, number)
);

CREATE TABLE runs (
  id text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  end_user text COLLATE "C" NOT NULL,
  agent_id text COLLATE "C" NOT NULL,
  agent_version bigint NOT NULL,
  function_tools text,
  schedule_id text COLLATE "C",
  schedule_version bigint,
  scheduled_for bigint,
  trigger text COLLATE "C" NOT NULL,
  fire text,
  input text NOT NULL,
  conversation text,
  previous_response_id text,
  context_management text,
  no_deltas boolean NOT NULL DEFAULT false,
  guest boolean NOT NULL DEFAULT false,
  metadata text NOT NULL,
  created_at bigint NOT NULL,
  phase text COLLATE "C" NOT NULL,
  started_at bigint,
  attempts bigint NOT NULL,
  lateness_ms bigint,
  response_id text,
  response text,
  usage text,
  input_tokens bigint,
  cached_tokens bigint,
  output_tokens bigint,
  reasoning_tokens bigint,
  total_tokens bigint,
  error text,
  error_code text COLLATE "C",
  completed_at bigint,
  model text,
  history text,
  request text,
  acknowledged_at bigint,
  acknowledged_by text,
  PRIMARY KEY (id)
);
CREATE INDEX runs_asked ON runs USING btree (account, trigger, id) WHERE (trigger <> 'schedule'::text);
CREATE INDEX runs_by_account ON runs USING btree (account, id);
CREATE INDEX runs_by_agent ON runs USING btree (agent_id, id);
CREATE INDEX runs_by_error ON runs USING btree (account, error_code, id) WHERE (error_code IS NOT NULL);
CREATE INDEX runs_by_guest ON runs USING btree (account, end_user, id) WHERE guest;
CREATE INDEX runs_continued ON runs USING btree (schedule_id, scheduled_for, id) WHERE ((trigger = 'api'::text) AND (schedule_id IS NOT NULL));
CREATE INDEX runs_unusual ON runs USING btree (account, phase, id) WHERE ((phase <> 'queued'::text) AND (phase <> 'completed'::text));

CREATE TABLE schedule_versions (
  schedule_id text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  configuration text NOT NULL,
  created_at bigint NOT NULL,
  PRIMARY KEY (schedule_id, version),
  FOREIGN KEY (schedule_id) REFERENCES schedules(id)
);

CREATE TABLE schedules (
  id text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  end_user text COLLATE "C" NOT NULL,
  agent_id text COLLATE "C" NOT NULL,
  key_id text COLLATE "C",
  key text COLLATE "C",
  origin text,
  name text,
  description text,
  input text NOT NULL,
  conversation text,
  previous_response_id text,
  context_management text,
  metadata text NOT NULL,
  temporal_schedule_id text,
  version bigint NOT NULL,
  versioned_at bigint NOT NULL,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  deleted_at bigint,
  PRIMARY KEY (id),
  FOREIGN KEY (agent_id) REFERENCES agents(id)
);
CREATE INDEX schedules_by_account ON schedules USING btree (account, id) WHERE (deleted_at IS NULL);
CREATE INDEX schedules_by_agent ON schedules USING btree (agent_id, id);
CREATE INDEX schedules_by_end_user ON schedules USING btree (account, end_user, id);
CREATE INDEX schedules_by_key ON schedules USING btree (key_id, id) WHERE (deleted_at IS NULL);
CREATE UNIQUE INDEX schedules_by_own_key ON schedules USING btree (agent_id, end_user, key) WHERE ((key IS NOT NULL) AND (deleted_at IS NULL));
CREATE INDEX schedules_by_owner ON schedules USING btree (account, end_user, id) WHERE (deleted_at IS NULL);
CREATE INDEX schedules_planned ON schedules USING btree (account, end_user, agent_id) WHERE ((origin IS NOT NULL) AND (deleted_at IS NULL));

CREATE TABLE schema_versions (
  version integer NOT NULL,
  fingerprint text NOT NULL,
  written_by text NOT NULL,
  PRIMARY KEY (version)
);

CREATE TABLE sessions (
  hash bytea NOT NULL,
  key_id text COLLATE "C" NOT NULL,
  generation bigint NOT NULL,
  expires_at bigint NOT NULL,
  PRIMARY KEY (hash)
);
CREATE INDEX sessions_by_end ON sessions USING btree (expires_at);

CREATE TABLE signing_keys (
  id text COLLATE "C" NOT NULL,
  public bytea NOT NULL,
  sealed bytea NOT NULL,
  created_at bigint NOT NULL,
  retired_at bigint,
  PRIMARY KEY (id)
);
CREATE INDEX signing_keys_by_end ON signing_keys USING btree (retired_at);

CREATE TABLE tallies (
  account text COLLATE "C" NOT NULL,
  end_user text COLLATE "C" NOT NULL,
  hour bigint NOT NULL,
  fired bigint NOT NULL,
  skipped_overlap bigint NOT NULL,
  skipped_requested bigint NOT NULL,
  buffered bigint NOT NULL,
  missed bigint NOT NULL,
  blocked bigint NOT NULL,
  completed bigint NOT NULL,
  incomplete bigint NOT NULL,
  failed bigint NOT NULL,
  cancelled bigint NOT NULL,
  input_tokens bigint NOT NULL,
  cached_tokens bigint NOT NULL,
  output_tokens bigint NOT NULL,
  reasoning_tokens bigint NOT NULL,
  total_tokens bigint NOT NULL,
  late_0 bigint NOT NULL,
  late_1 bigint NOT NULL,
  late_2 bigint NOT NULL,
  late_3 bigint NOT NULL,
  late_4 bigint NOT NULL,
  late_5 bigint NOT NULL,
  late_6 bigint NOT NULL,
  late_7 bigint NOT NULL,
  late_8 bigint NOT NULL,
  late_9 bigint NOT NULL,
  late_10 bigint NOT NULL,
  late_11 bigint NOT NULL,
  late_12 bigint NOT NULL,
  late_13 bigint NOT NULL,
  late_14 bigint NOT NULL,
  late_15 bigint NOT NULL,
  late_16 bigint NOT NULL,
  late_17 bigint NOT NULL,
  late_18 bigint NOT NULL,
  late_19 bigint NOT NULL,
  PRIMARY KEY (account, end_user, hour)
);
CREATE INDEX tallies_by_hour ON tallies USING btree (hour);

CREATE TABLE tally_errors (
  account text COLLATE "C" NOT NULL,
  end_user text COLLATE "C" NOT NULL,
  hour bigint NOT NULL,
  phase text COLLATE "C" NOT NULL,
  code text COLLATE "C" NOT NULL,
  count bigint NOT NULL,
  PRIMARY KEY (account, end_user, hour, phase, code)
);
CREATE INDEX tally_errors_by_hour ON tally_errors USING btree (hour);

CREATE TABLE tally_log (
  account text COLLATE "C" NOT NULL,
  id bigint NOT NULL,
  body bytea NOT NULL,
  PRIMARY KEY (account, id)
);

CREATE TABLE timers (
  schedule_id text COLLATE "C" NOT NULL,
  agent_id text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  end_user text COLLATE "C" NOT NULL,
  status text NOT NULL,
  spec text NOT NULL,
  policy text NOT NULL,
  anchor bigint NOT NULL,
  schedule_version bigint NOT NULL,
  agent_version bigint,
  pinned_model text,
  next_run_at bigint,
  due_at bigint,
  open_runs bigint NOT NULL,
  buffered bigint,
  backlog bigint NOT NULL,
  backlog_to bigint,
  catch_up bigint,
  run_count bigint NOT NULL,
  consecutive_failures bigint NOT NULL,
  last_run_at bigint,
  last_run_id text,
  last_response_id text,
  pause_reason text,
  skips text,
  low_water bigint,
  sync_at bigint,
  PRIMARY KEY (schedule_id),
  FOREIGN KEY (schedule_id) REFERENCES schedules(id)
);
CREATE INDEX timers_catch_up ON timers USING btree (catch_up, schedule_id) WHERE (catch_up IS NOT NULL);
CREATE INDEX timers_completed ON timers USING btree (account, end_user) WHERE (status = 'completed'::text);
CREATE INDEX timers_due ON timers USING btree (due_at, schedule_id) WHERE (due_at IS NOT NULL);
CREATE INDEX timers_paused ON timers USING btree (account, end_user, schedule_id) WHERE (status = 'paused'::text);
CREATE INDEX timers_sync ON timers USING btree (sync_at, schedule_id) WHERE (sync_at IS NOT NULL);
