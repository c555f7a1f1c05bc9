-- +goose Up

-- How many requests a key may make, and what it has used of that. Both are JSON.
ALTER TABLE keys ADD COLUMN rate_limits TEXT NOT NULL DEFAULT '[]';
ALTER TABLE keys ADD COLUMN spent TEXT NOT NULL DEFAULT '{}';
