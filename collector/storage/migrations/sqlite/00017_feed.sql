-- +goose Up

-- How each feed stands. Times are microseconds UTC.
CREATE TABLE feed (
    merchant   TEXT    NOT NULL,
    feed       TEXT    NOT NULL,
    cursor     TEXT    NOT NULL, -- its source goes on from here
    pulled_at  INTEGER NOT NULL, -- last page that was kept
    covered_to INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    failures   INTEGER NOT NULL, -- in a row
    code       TEXT    NOT NULL, -- of the last failure; empty: it did not fail
    error      TEXT    NOT NULL,
    PRIMARY KEY (merchant, feed)
);

-- What opens a source, sealed.
CREATE TABLE credential (
    merchant TEXT    NOT NULL,
    feed     TEXT    NOT NULL,
    name     TEXT    NOT NULL,
    sealed   BLOB    NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (merchant, feed, name)
);

-- Facts of settlement, once for each revision; revisions are numbered 1, 2, ... in
-- the order in which they were stored, and one of each key is current. A version is
-- the place in the source's own order. Bodies are JSON of settle's types.
CREATE TABLE movement (
    merchant TEXT    NOT NULL,
    provider TEXT    NOT NULL,
    account  TEXT    NOT NULL,
    key      TEXT    NOT NULL,
    revision INTEGER NOT NULL,
    current  INTEGER NOT NULL,
    version  INTEGER NOT NULL,
    feed     TEXT    NOT NULL,
    at       INTEGER NOT NULL, -- when it happened
    payout   TEXT    NOT NULL, -- key of its payout, or empty
    received INTEGER NOT NULL,
    body     TEXT    NOT NULL,
    PRIMARY KEY (merchant, provider, account, key, revision)
);

CREATE INDEX movement_at ON movement (merchant, at) WHERE current = 1;
CREATE INDEX movement_payout ON movement (merchant, provider, account, payout) WHERE current = 1;

CREATE TABLE payout (
    merchant TEXT    NOT NULL,
    provider TEXT    NOT NULL,
    account  TEXT    NOT NULL,
    key      TEXT    NOT NULL,
    revision INTEGER NOT NULL,
    current  INTEGER NOT NULL,
    version  INTEGER NOT NULL,
    feed     TEXT    NOT NULL,
    at       INTEGER NOT NULL, -- when it was made; 0: not said
    received INTEGER NOT NULL,
    body     TEXT    NOT NULL,
    PRIMARY KEY (merchant, provider, account, key, revision)
);

CREATE INDEX payout_at ON payout (merchant, at) WHERE current = 1;

CREATE TABLE bank_line (
    merchant TEXT    NOT NULL,
    account  TEXT    NOT NULL,
    key      TEXT    NOT NULL,
    revision INTEGER NOT NULL,
    current  INTEGER NOT NULL,
    feed     TEXT    NOT NULL,
    booked   TEXT    NOT NULL, -- day, or empty
    received INTEGER NOT NULL,
    body     TEXT    NOT NULL,
    PRIMARY KEY (merchant, account, key, revision)
);

CREATE INDEX bank_line_booked ON bank_line (merchant, booked) WHERE current = 1;

-- What a provider said last on each day that it owes.
CREATE TABLE provider_balance (
    merchant TEXT    NOT NULL,
    provider TEXT    NOT NULL,
    account  TEXT    NOT NULL,
    currency TEXT    NOT NULL,
    day      TEXT    NOT NULL, -- UTC
    at       INTEGER NOT NULL,
    feed     TEXT    NOT NULL,
    body     TEXT    NOT NULL,
    PRIMARY KEY (merchant, provider, account, currency, day)
);
