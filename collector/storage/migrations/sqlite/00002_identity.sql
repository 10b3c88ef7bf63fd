-- +goose Up

-- What tells an agent from a copy of it: the newest certificate and the one it
-- was given for. Keys are the SHA-256 of the public key, empty where none is
-- known; issuer and authority are pins.
ALTER TABLE agent ADD COLUMN key               BLOB    NOT NULL DEFAULT x'';
ALTER TABLE agent ADD COLUMN issuer            TEXT    NOT NULL DEFAULT '';
ALTER TABLE agent ADD COLUMN issued_at         INTEGER NOT NULL DEFAULT 0;
ALTER TABLE agent ADD COLUMN expires_at        INTEGER NOT NULL DEFAULT 0;
ALTER TABLE agent ADD COLUMN before_key        BLOB    NOT NULL DEFAULT x'';
ALTER TABLE agent ADD COLUMN before_issuer     TEXT    NOT NULL DEFAULT '';
ALTER TABLE agent ADD COLUMN before_issued_at  INTEGER NOT NULL DEFAULT 0;
ALTER TABLE agent ADD COLUMN before_expires_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE agent ADD COLUMN recoveries        INTEGER NOT NULL DEFAULT 0;
ALTER TABLE agent ADD COLUMN recovered_at      INTEGER NOT NULL DEFAULT 0;
ALTER TABLE agent ADD COLUMN copied_at         INTEGER NOT NULL DEFAULT 0;

CREATE INDEX agent_revoked ON agent (revoked_at) WHERE revoked_at > 0;

ALTER TABLE join_code ADD COLUMN authority TEXT NOT NULL DEFAULT ''; -- pin in the join string

CREATE INDEX join_code_open ON join_code (authority, expires_at) WHERE used_by = '';
