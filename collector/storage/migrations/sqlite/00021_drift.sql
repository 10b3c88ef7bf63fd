-- +goose Up

-- When a posting was read back after it was posted, 0: not yet. When its file was
-- attached, 0: not yet, -1: it never will be; how often that was tried, and not
-- before when it is tried again.
ALTER TABLE posting ADD COLUMN read_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE posting ADD COLUMN attached_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE posting ADD COLUMN attach_tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE posting ADD COLUMN attach_next INTEGER NOT NULL DEFAULT 0;

-- What was posted before this was known is compared once a day.
UPDATE posting SET read_at = settled_at, attached_at = -1 WHERE state = 'posted';

CREATE INDEX posting_unread ON posting (merchant, target, settled_at) WHERE state = 'posted' AND read_at = 0;
CREATE INDEX posting_unattached ON posting (attach_next) WHERE state = 'posted' AND attached_at = 0;

-- What the books hold otherwise than we believe.
CREATE TABLE drift (
    merchant   TEXT NOT NULL,
    target     TEXT NOT NULL,
    reference  TEXT NOT NULL,
    code       TEXT NOT NULL,
    remote_id  TEXT NOT NULL, -- of the document that is too much, or empty
    store      TEXT NOT NULL,
    day        TEXT NOT NULL,
    text       TEXT NOT NULL,
    seen       BLOB NOT NULL, -- SHA-256 of what the books hold
    state      TEXT NOT NULL,
    found_at   INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    decided_by TEXT NOT NULL,
    PRIMARY KEY (merchant, target, reference, code, remote_id)
);

CREATE INDEX drift_state ON drift (state, code, merchant);

-- When all of a connection was compared, and when somebody said that it changed.
CREATE TABLE compared (
    merchant   TEXT NOT NULL,
    target     TEXT NOT NULL,
    checked_at INTEGER NOT NULL DEFAULT 0,
    woken_at   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (merchant, target)
);
