-- +goose Up

-- What tells an agent from a copy of it: the newest certificate and the one it
-- was given for. Keys are the SHA-256 of the public key, empty where none is
-- known; issuer and authority are pins.
ALTER TABLE agent ADD COLUMN key               BYTEA NOT NULL DEFAULT '';
ALTER TABLE agent ADD COLUMN issuer            TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE agent ADD COLUMN issued_at         BIGINT NOT NULL DEFAULT 0;
ALTER TABLE agent ADD COLUMN expires_at        BIGINT NOT NULL DEFAULT 0;
ALTER TABLE agent ADD COLUMN before_key        BYTEA NOT NULL DEFAULT '';
ALTER TABLE agent ADD COLUMN before_issuer     TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE agent ADD COLUMN before_issued_at  BIGINT NOT NULL DEFAULT 0;
ALTER TABLE agent ADD COLUMN before_expires_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE agent ADD COLUMN recoveries        BIGINT NOT NULL DEFAULT 0;
ALTER TABLE agent ADD COLUMN recovered_at      BIGINT NOT NULL DEFAULT 0;
ALTER TABLE agent ADD COLUMN copied_at         BIGINT NOT NULL DEFAULT 0;

CREATE INDEX agent_revoked ON agent (revoked_at) WHERE revoked_at > 0;

ALTER TABLE join_code ADD COLUMN authority TEXT COLLATE "C" NOT NULL DEFAULT ''; -- pin in the join string

CREATE INDEX join_code_open ON join_code (authority, expires_at) WHERE used_by = '';
