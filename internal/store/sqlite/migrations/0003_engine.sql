-- +goose Up

-- Which engine keeps time. There is one row.
CREATE TABLE engine (
  id           INTEGER PRIMARY KEY CHECK (id = 1),
  kind         TEXT NOT NULL,     -- embedded or temporal; empty until the first one has begun
  installation TEXT NOT NULL,     -- names this database's schedules where several share an engine outside
  since        INTEGER NOT NULL,  -- when somebody began to look at what is due
  seen_at      INTEGER NOT NULL   -- when somebody last did
) STRICT;
INSERT INTO engine (id, kind, installation, since, seen_at) VALUES (1, '', '', 0, 0);

-- tell_at is when an engine outside has to be told of the schedule; NULL if it
-- knows all.
ALTER TABLE timers ADD COLUMN tell_at INTEGER;
CREATE INDEX timers_tell ON timers (tell_at, schedule_id) WHERE tell_at IS NOT NULL;

-- carried is when a worker of an engine outside has taken the attempt; 0 if none
-- has.
ALTER TABLE open_runs ADD COLUMN carried INTEGER NOT NULL DEFAULT 0;
CREATE INDEX open_runs_running ON open_runs (provider, carried) WHERE phase = 'running';
