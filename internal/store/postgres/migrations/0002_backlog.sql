-- +goose Up

-- backlog counts the occurrences that wait for their turn, backlog_to is the
-- newest of them, and catch_up is the same while the backlog may go on.
ALTER TABLE timers ADD COLUMN backlog BIGINT NOT NULL DEFAULT 0;
ALTER TABLE timers ADD COLUMN backlog_to BIGINT;
ALTER TABLE timers ADD COLUMN catch_up BIGINT;
CREATE INDEX timers_catch_up ON timers (catch_up, schedule_id) WHERE catch_up IS NOT NULL;

-- The key that made the schedule.
ALTER TABLE schedules ADD COLUMN key_id TEXT COLLATE "C";
CREATE INDEX schedules_by_key ON schedules (key_id, id) WHERE deleted_at IS NULL;
