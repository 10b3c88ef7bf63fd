-- +goose Up

-- Up to here a numbering lies in a backup that was verified, so the agent may let go of it.
ALTER TABLE epoch ADD COLUMN verified BIGINT NOT NULL DEFAULT 0;
