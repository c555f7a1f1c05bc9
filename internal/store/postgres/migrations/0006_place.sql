-- +goose Up

-- Where an engine outside is told of every schedule; empty until it is known.
ALTER TABLE engine ADD COLUMN namespace TEXT NOT NULL DEFAULT '';
ALTER TABLE engine ADD COLUMN queue TEXT NOT NULL DEFAULT '';
