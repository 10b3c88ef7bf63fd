-- +goose Up

-- Since when it is not known whether the agent was revoked, as the database was put
-- back from a backup that is older; it may not speak until a person admits it.
ALTER TABLE agent ADD COLUMN doubted_at INTEGER NOT NULL DEFAULT 0;
