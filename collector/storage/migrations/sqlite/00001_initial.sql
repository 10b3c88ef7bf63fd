-- +goose Up

-- Every key begins with the merchant. Times are microseconds UTC since 1970, 0
-- for none; days are YYYY-MM-DD; amounts stay inside documents and entries.

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
);

-- Configurations and mappings are only ever added.
CREATE TABLE merchant_config (
    merchant   TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    body       TEXT    NOT NULL, -- JSON of merchant.Merchant
    applied_at INTEGER NOT NULL,
    PRIMARY KEY (merchant, version)
);

CREATE TABLE mapping (
    merchant       TEXT    NOT NULL,
    version        INTEGER NOT NULL,
    effective_from TEXT    NOT NULL,
    body           TEXT    NOT NULL, -- JSON of books.Mapping
    applied_at     INTEGER NOT NULL,
    PRIMARY KEY (merchant, version)
);

-- The connections of the current configuration, so that what is due can be
-- found without reading configurations.
CREATE TABLE connection (
    merchant TEXT NOT NULL,
    target   TEXT NOT NULL,
    PRIMARY KEY (merchant, target)
);

-- A code says for whom it is, so its hash alone is the key.
CREATE TABLE join_code (
    hash       BLOB    NOT NULL PRIMARY KEY,
    merchant   TEXT    NOT NULL,
    store      TEXT    NOT NULL,
    expires_at INTEGER NOT NULL,
    used_by    TEXT    NOT NULL DEFAULT '' -- agent
);

CREATE TABLE agent (
    merchant      TEXT    NOT NULL,
    agent         TEXT    NOT NULL,
    store         TEXT    NOT NULL,
    host          TEXT    NOT NULL,
    version       TEXT    NOT NULL,
    enrolled_at   INTEGER NOT NULL,
    revoked_at    INTEGER NOT NULL DEFAULT 0,
    seen_at       INTEGER NOT NULL DEFAULT 0,
    unsent        INTEGER NOT NULL DEFAULT 0,
    oldest_unsent INTEGER NOT NULL DEFAULT 0,
    refused       INTEGER NOT NULL DEFAULT 0,
    quarantined   INTEGER NOT NULL DEFAULT 0,
    work          TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (merchant, agent)
);

-- One numbering of an agent. Only the one with the highest order takes batches.
CREATE TABLE epoch (
    merchant       TEXT    NOT NULL,
    agent          TEXT    NOT NULL,
    epoch          INTEGER NOT NULL, -- order
    id             BLOB    NOT NULL,
    start          BLOB    NOT NULL, -- digest before number 1
    reason         TEXT    NOT NULL,
    issued_at      INTEGER NOT NULL,
    stored         INTEGER NOT NULL, -- contiguous watermark
    digest         BLOB    NOT NULL, -- at stored
    top            INTEGER NOT NULL, -- highest number that is stored
    safe           INTEGER NOT NULL,
    covered_to     INTEGER NOT NULL, -- all captured up to here is stored
    pending_to     INTEGER NOT NULL, -- the next claim, which holds once
    pending_number INTEGER NOT NULL, --   this number is stored
    PRIMARY KEY (merchant, agent, epoch)
);

-- What is stored of an epoch: runs of numbers that do not overlap, one for each
-- batch (or part of one that was new) and each declared gap.
CREATE TABLE stream_batch (
    merchant TEXT    NOT NULL,
    agent    TEXT    NOT NULL,
    epoch    INTEGER NOT NULL,
    first    INTEGER NOT NULL,
    last     INTEGER NOT NULL,
    received INTEGER NOT NULL,
    lost     TEXT    NOT NULL, -- reason of a gap; empty for records
    before   BLOB    NOT NULL, -- digest before first; empty: not known
    digests  BLOB    NOT NULL, -- 32 bytes after each record; a gap has the one at last, or none
    PRIMARY KEY (merchant, agent, epoch, first)
);

CREATE INDEX stream_gap ON stream_batch (merchant, agent, epoch, first) WHERE lost <> '';

-- Every document as received, once for each revision. Revisions of a key are
-- numbered 1, 2, ... in the order in which they were stored. Standing:
-- current (one for each key), past, conflict (another agent says so), copy (a
-- capture without a body that states again what is current; it only dates it).
CREATE TABLE document (
    merchant TEXT    NOT NULL,
    key      TEXT    NOT NULL,
    revision INTEGER NOT NULL,
    standing TEXT    NOT NULL,
    conflict INTEGER NOT NULL, -- 1 on a current document that another agent contradicts
    hash     BLOB    NOT NULL,
    agent    TEXT    NOT NULL,
    epoch    INTEGER NOT NULL,
    number   INTEGER NOT NULL,
    capture  INTEGER NOT NULL,
    store    TEXT    NOT NULL,
    day      TEXT    NOT NULL,
    kind     TEXT    NOT NULL,
    receipt  TEXT    NOT NULL, -- the till's receipt number, or empty
    recipe   INTEGER NOT NULL,
    reason   TEXT    NOT NULL,
    received INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    PRIMARY KEY (merchant, key, revision)
);

CREATE INDEX document_day ON document (merchant, store, day, kind) WHERE standing = 'current';
CREATE INDEX document_receipt ON document (merchant, store, receipt) WHERE standing = 'current' AND receipt <> '';

-- Records that could not be read, as they came.
CREATE TABLE rejected (
    merchant TEXT    NOT NULL,
    agent    TEXT    NOT NULL,
    epoch    INTEGER NOT NULL,
    number   INTEGER NOT NULL,
    capture  INTEGER NOT NULL,
    store    TEXT    NOT NULL,
    code     TEXT    NOT NULL,
    text     TEXT    NOT NULL,
    recipe   INTEGER NOT NULL,
    received INTEGER NOT NULL,
    replayed INTEGER NOT NULL DEFAULT 0, -- when it was read after all
    body     BLOB    NOT NULL,
    PRIMARY KEY (merchant, agent, epoch, number)
);

CREATE INDEX rejected_store ON rejected (merchant, store, received) WHERE replayed = 0;

CREATE TABLE store_day (
    merchant   TEXT    NOT NULL,
    store      TEXT    NOT NULL,
    day        TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    state      TEXT    NOT NULL,
    hold       TEXT    NOT NULL DEFAULT '', -- JSON of day.Hold, or empty
    settled    INTEGER NOT NULL DEFAULT 0,  -- 1: ready or external at this version
    entry      INTEGER NOT NULL DEFAULT 0,  -- version of the newest entry
    closed_at  INTEGER NOT NULL DEFAULT 0,
    changed_at INTEGER NOT NULL, -- when the version last rose
    PRIMARY KEY (merchant, store, day)
);

CREATE INDEX store_day_unsettled ON store_day (merchant, store, day) WHERE settled = 0;

-- Differences of a day's proof that a person accepted.
CREATE TABLE accepted (
    merchant    TEXT    NOT NULL,
    store       TEXT    NOT NULL,
    day         TEXT    NOT NULL,
    difference  TEXT    NOT NULL, -- id
    accepted_by TEXT    NOT NULL,
    at          INTEGER NOT NULL,
    PRIMARY KEY (merchant, store, day, difference)
);

-- Entries are only ever added.
CREATE TABLE entry (
    merchant TEXT    NOT NULL,
    store    TEXT    NOT NULL,
    day      TEXT    NOT NULL,
    version  INTEGER NOT NULL, -- of the day
    mapping  INTEGER NOT NULL,
    rules    INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    proof    BLOB    NOT NULL,
    reason   TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (merchant, store, day, version)
);

-- What is to be posted of a day at a target, and what is: due while posted < newest.
CREATE TABLE delivery (
    merchant TEXT    NOT NULL,
    store    TEXT    NOT NULL,
    day      TEXT    NOT NULL,
    target   TEXT    NOT NULL,
    newest   INTEGER NOT NULL, -- version of the newest entry
    posted   INTEGER NOT NULL, -- version of the entry that stands at the target
    at       INTEGER NOT NULL,
    PRIMARY KEY (merchant, store, day, target)
);

CREATE INDEX delivery_due ON delivery (merchant, target) WHERE posted < newest;

CREATE TABLE posting (
    merchant   TEXT    NOT NULL,
    store      TEXT    NOT NULL,
    day        TEXT    NOT NULL,
    target     TEXT    NOT NULL,
    revision   INTEGER NOT NULL,
    entry      INTEGER NOT NULL, -- version of the entry that is complete with it
    reference  TEXT    NOT NULL,
    payload    BLOB    NOT NULL, -- JSON of target.Payload
    hash       BLOB    NOT NULL,
    state      TEXT    NOT NULL,
    attempts   INTEGER NOT NULL,
    error      TEXT    NOT NULL,
    remote_id  TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    settled_at INTEGER NOT NULL,
    PRIMARY KEY (merchant, store, day, target, revision)
);

CREATE UNIQUE INDEX posting_reference ON posting (merchant, target, reference);
-- At most one posting of a subject at a target is unsettled.
CREATE UNIQUE INDEX posting_unsettled ON posting (merchant, store, day, target) WHERE state NOT IN ('posted', 'undone');
