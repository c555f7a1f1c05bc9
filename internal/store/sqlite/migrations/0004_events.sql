-- +goose Up

-- PostgreSQL has a table of events that pass between processes. A SQLite file
-- belongs to one process.
SELECT 1;
