-- +goose Up

-- The same tables as for SQLite, whose migrations say more of them; words are in
-- the order of their bytes. No statement sees or changes the rows of another
-- merchant than the one its transaction is of: the setting tillbook.merchant.
-- Where that is *, all may be read and none changed. This binds the owner too: a
-- migration that changes rows lifts it (NO FORCE) and sets it again.

CREATE TABLE meta (
    name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value BYTEA NOT NULL
);

-- Configurations and mappings are only ever added.
CREATE TABLE merchant_config (
    merchant   TEXT COLLATE "C" NOT NULL,
    version    BIGINT NOT NULL,
    body       TEXT COLLATE "C" NOT NULL, -- JSON of merchant.Merchant
    applied_at BIGINT NOT NULL,
    PRIMARY KEY (merchant, version)
);

CREATE TABLE mapping (
    merchant       TEXT COLLATE "C" NOT NULL,
    version        BIGINT NOT NULL,
    effective_from TEXT COLLATE "C" NOT NULL,
    body           TEXT COLLATE "C" NOT NULL, -- JSON of books.Mapping
    applied_at     BIGINT NOT NULL,
    PRIMARY KEY (merchant, version)
);

-- The connections of the current configuration, so that what is due can be
-- found without reading configurations.
CREATE TABLE connection (
    merchant TEXT COLLATE "C" NOT NULL,
    target   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (merchant, target)
);

-- A code says for whom it is, so its hash alone is the key.
CREATE TABLE join_code (
    hash       BYTEA NOT NULL PRIMARY KEY,
    merchant   TEXT COLLATE "C" NOT NULL,
    store      TEXT COLLATE "C" NOT NULL,
    expires_at BIGINT NOT NULL,
    used_by    TEXT COLLATE "C" NOT NULL DEFAULT '' -- agent
);

CREATE TABLE agent (
    merchant      TEXT COLLATE "C" NOT NULL,
    agent         TEXT COLLATE "C" NOT NULL,
    store         TEXT COLLATE "C" NOT NULL,
    host          TEXT COLLATE "C" NOT NULL,
    version       TEXT COLLATE "C" NOT NULL,
    enrolled_at   BIGINT NOT NULL,
    revoked_at    BIGINT NOT NULL DEFAULT 0,
    seen_at       BIGINT NOT NULL DEFAULT 0,
    unsent        BIGINT NOT NULL DEFAULT 0,
    oldest_unsent BIGINT NOT NULL DEFAULT 0,
    refused       BIGINT NOT NULL DEFAULT 0,
    quarantined   BIGINT NOT NULL DEFAULT 0,
    work          TEXT COLLATE "C" NOT NULL DEFAULT '',
    PRIMARY KEY (merchant, agent)
);

-- One numbering of an agent. Only the one with the highest order takes batches.
CREATE TABLE epoch (
    merchant       TEXT COLLATE "C" NOT NULL,
    agent          TEXT COLLATE "C" NOT NULL,
    epoch          BIGINT NOT NULL, -- order
    id             BYTEA NOT NULL,
    start          BYTEA NOT NULL, -- digest before number 1
    reason         TEXT COLLATE "C" NOT NULL,
    issued_at      BIGINT NOT NULL,
    stored         BIGINT NOT NULL, -- contiguous watermark
    digest         BYTEA NOT NULL, -- at stored
    top            BIGINT NOT NULL, -- highest number that is stored
    safe           BIGINT NOT NULL,
    covered_to     BIGINT NOT NULL, -- all captured up to here is stored
    pending_to     BIGINT NOT NULL, -- the next claim, which holds once
    pending_number BIGINT NOT NULL, --   this number is stored
    PRIMARY KEY (merchant, agent, epoch)
);

-- What is stored of an epoch: runs of numbers that do not overlap, one for each
-- batch (or part of one that was new) and each declared gap.
CREATE TABLE stream_batch (
    merchant TEXT COLLATE "C" NOT NULL,
    agent    TEXT COLLATE "C" NOT NULL,
    epoch    BIGINT NOT NULL,
    first    BIGINT NOT NULL,
    last     BIGINT NOT NULL,
    received BIGINT NOT NULL,
    lost     TEXT COLLATE "C" NOT NULL, -- reason of a gap; empty for records
    before   BYTEA NOT NULL, -- digest before first; empty: not known
    digests  BYTEA NOT NULL, -- 32 bytes after each record; a gap has the one at last, or none
    PRIMARY KEY (merchant, agent, epoch, first)
);

CREATE INDEX stream_gap ON stream_batch (merchant, agent, epoch, first) WHERE lost <> '';

-- Every document as received, once for each revision. Revisions of a key are
-- numbered 1, 2, ... in the order in which they were stored. Standing:
-- current (one for each key), past, conflict (another agent says so), copy (a
-- capture without a body that states again what is current; it only dates it).
CREATE TABLE document (
    merchant TEXT COLLATE "C" NOT NULL,
    key      TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    standing TEXT COLLATE "C" NOT NULL,
    conflict BIGINT NOT NULL, -- 1 on a current document that another agent contradicts
    hash     BYTEA NOT NULL,
    agent    TEXT COLLATE "C" NOT NULL,
    epoch    BIGINT NOT NULL,
    number   BIGINT NOT NULL,
    capture  BIGINT NOT NULL,
    store    TEXT COLLATE "C" NOT NULL,
    day      TEXT COLLATE "C" NOT NULL,
    kind     TEXT COLLATE "C" NOT NULL,
    receipt  TEXT COLLATE "C" NOT NULL, -- the till's receipt number, or empty
    recipe   BIGINT NOT NULL,
    reason   TEXT COLLATE "C" NOT NULL,
    received BIGINT NOT NULL,
    body     BYTEA NOT NULL,
    PRIMARY KEY (merchant, key, revision)
);

CREATE INDEX document_day ON document (merchant, store, day, kind) WHERE standing = 'current';
CREATE INDEX document_receipt ON document (merchant, store, receipt) WHERE standing = 'current' AND receipt <> '';

-- Records that could not be read, as they came.
CREATE TABLE rejected (
    merchant TEXT COLLATE "C" NOT NULL,
    agent    TEXT COLLATE "C" NOT NULL,
    epoch    BIGINT NOT NULL,
    number   BIGINT NOT NULL,
    capture  BIGINT NOT NULL,
    store    TEXT COLLATE "C" NOT NULL,
    code     TEXT COLLATE "C" NOT NULL,
    text     TEXT COLLATE "C" NOT NULL,
    recipe   BIGINT NOT NULL,
    received BIGINT NOT NULL,
    replayed BIGINT NOT NULL DEFAULT 0, -- when it was read after all
    body     BYTEA NOT NULL,
    PRIMARY KEY (merchant, agent, epoch, number)
);

CREATE INDEX rejected_store ON rejected (merchant, store, received) WHERE replayed = 0;

CREATE TABLE store_day (
    merchant   TEXT COLLATE "C" NOT NULL,
    store      TEXT COLLATE "C" NOT NULL,
    day        TEXT COLLATE "C" NOT NULL,
    version    BIGINT NOT NULL,
    state      TEXT COLLATE "C" NOT NULL,
    hold       TEXT COLLATE "C" NOT NULL DEFAULT '', -- JSON of day.Hold, or empty
    settled    BIGINT NOT NULL DEFAULT 0,  -- 1: ready or external at this version
    entry      BIGINT NOT NULL DEFAULT 0,  -- version of the newest entry
    closed_at  BIGINT NOT NULL DEFAULT 0,
    changed_at BIGINT NOT NULL, -- when the version last rose
    PRIMARY KEY (merchant, store, day)
);

CREATE INDEX store_day_unsettled ON store_day (merchant, store, day) WHERE settled = 0;

-- Differences of a day's proof that a person accepted.
CREATE TABLE accepted (
    merchant    TEXT COLLATE "C" NOT NULL,
    store       TEXT COLLATE "C" NOT NULL,
    day         TEXT COLLATE "C" NOT NULL,
    difference  TEXT COLLATE "C" NOT NULL, -- id
    accepted_by TEXT COLLATE "C" NOT NULL,
    at          BIGINT NOT NULL,
    PRIMARY KEY (merchant, store, day, difference)
);

-- Entries are only ever added.
CREATE TABLE entry (
    merchant TEXT COLLATE "C" NOT NULL,
    store    TEXT COLLATE "C" NOT NULL,
    day      TEXT COLLATE "C" NOT NULL,
    version  BIGINT NOT NULL, -- of the day
    mapping  BIGINT NOT NULL,
    rules    BIGINT NOT NULL,
    body     BYTEA NOT NULL,
    proof    BYTEA NOT NULL,
    reason   TEXT COLLATE "C" NOT NULL,
    at       BIGINT NOT NULL,
    PRIMARY KEY (merchant, store, day, version)
);

-- What is to be posted of a day at a target, and what is: due while posted < newest.
CREATE TABLE delivery (
    merchant TEXT COLLATE "C" NOT NULL,
    store    TEXT COLLATE "C" NOT NULL,
    day      TEXT COLLATE "C" NOT NULL,
    target   TEXT COLLATE "C" NOT NULL,
    newest   BIGINT NOT NULL, -- version of the newest entry
    posted   BIGINT NOT NULL, -- version of the entry that stands at the target
    at       BIGINT NOT NULL,
    PRIMARY KEY (merchant, store, day, target)
);

CREATE INDEX delivery_due ON delivery (merchant, target) WHERE posted < newest;

CREATE TABLE posting (
    merchant   TEXT COLLATE "C" NOT NULL,
    store      TEXT COLLATE "C" NOT NULL,
    day        TEXT COLLATE "C" NOT NULL,
    target     TEXT COLLATE "C" NOT NULL,
    revision   BIGINT NOT NULL,
    entry      BIGINT NOT NULL, -- version of the entry that is complete with it
    reference  TEXT COLLATE "C" NOT NULL,
    payload    BYTEA NOT NULL, -- JSON of target.Payload
    hash       BYTEA NOT NULL,
    state      TEXT COLLATE "C" NOT NULL,
    attempts   BIGINT NOT NULL,
    error      TEXT COLLATE "C" NOT NULL,
    remote_id  TEXT COLLATE "C" NOT NULL,
    at         BIGINT NOT NULL,
    settled_at BIGINT NOT NULL,
    PRIMARY KEY (merchant, store, day, target, revision)
);

CREATE UNIQUE INDEX posting_reference ON posting (merchant, target, reference);
-- At most one posting of a subject at a target is unsettled.
CREATE UNIQUE INDEX posting_unsettled ON posting (merchant, store, day, target) WHERE state NOT IN ('posted', 'undone');

-- +goose StatementBegin
DO $$
DECLARE t TEXT;
BEGIN
    FOREACH t IN ARRAY ARRAY['merchant_config', 'mapping', 'connection', 'join_code', 'agent', 'epoch', 'stream_batch', 'document', 'rejected',
        'store_day', 'accepted', 'entry', 'delivery', 'posting'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY own ON %I USING (merchant = current_setting(''tillbook.merchant'', true))', t);
        EXECUTE format('CREATE POLICY everyone ON %I FOR SELECT USING (current_setting(''tillbook.merchant'', true) = ''*'')', t);
    END LOOP;
END $$;
-- +goose StatementEnd
