-- +goose Up

-- What people did, chained: see package logbook. Only ever added: there is no policy
-- by which a row could be changed or deleted, and the owner gives up the right to.
-- Merchant * is the collector as a whole.
CREATE TABLE act (
    merchant TEXT COLLATE "C" NOT NULL,
    number   BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    done_by  TEXT COLLATE "C" NOT NULL,
    what     TEXT COLLATE "C" NOT NULL,
    subject  TEXT COLLATE "C" NOT NULL,
    detail   TEXT COLLATE "C" NOT NULL,
    before   BYTEA NOT NULL, -- hash of the act before
    hash     BYTEA NOT NULL,
    PRIMARY KEY (merchant, number)
);

ALTER TABLE act ENABLE ROW LEVEL SECURITY;
ALTER TABLE act FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON act FOR SELECT USING (merchant = current_setting('tillbook.merchant', true));
CREATE POLICY add ON act FOR INSERT WITH CHECK (merchant = current_setting('tillbook.merchant', true));
CREATE POLICY everyone ON act FOR SELECT USING (current_setting('tillbook.merchant', true) = '*');
REVOKE UPDATE, DELETE, TRUNCATE ON act FROM CURRENT_USER;
