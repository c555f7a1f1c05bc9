-- +goose Up

-- What runs say, while it passes from the process that works on them to those
-- where somebody watches. A row is of no use after some minutes.
CREATE TABLE run_events (
  run_id TEXT COLLATE "C" NOT NULL,
  seq    BIGINT NOT NULL,
  data   BYTEA NOT NULL,  -- the event, as the model sent it
  at     BIGINT NOT NULL,
  PRIMARY KEY (run_id, seq)
);
CREATE INDEX run_events_by_age ON run_events (at);
