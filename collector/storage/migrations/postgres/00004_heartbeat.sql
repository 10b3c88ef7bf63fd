-- +goose Up

-- The agent's clock less ours at its last heartbeat, in microseconds, and its
-- metrics as it last sent them: Prometheus text, zstd.
ALTER TABLE agent ADD COLUMN skew     BIGINT NOT NULL DEFAULT 0;
ALTER TABLE agent ADD COLUMN snapshot BYTEA NOT NULL DEFAULT '';
