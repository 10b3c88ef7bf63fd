-- +goose Up

-- What days put into the tills other than cash, as they were closed. Only added.
CREATE TABLE day_tender (
    merchant TEXT    NOT NULL,
    store    TEXT    NOT NULL,
    day      TEXT    NOT NULL,
    version  INTEGER NOT NULL, -- of the day's entry
    body     BLOB    NOT NULL, -- JSON, gzip
    PRIMARY KEY (merchant, store, day, version)
);

-- What payment providers owe, each time it was compared. Only added.
CREATE TABLE clearing_run (
    merchant TEXT    NOT NULL,
    account  TEXT    NOT NULL, -- provider/account/currency
    number   INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    first    TEXT    NOT NULL, -- day
    last     TEXT    NOT NULL, -- day
    rules    INTEGER NOT NULL,
    config   TEXT    NOT NULL, -- JSON
    versions BLOB    NOT NULL, -- of what was looked at: JSON, gzip
    result   BLOB    NOT NULL, -- without pairs: JSON, gzip
    hash     BLOB    NOT NULL, -- of the whole result
    open     TEXT    NOT NULL, -- day since which something is open, or empty
    held     TEXT    NOT NULL, -- day since which the provider has held the oldest of what it owes, or empty
    PRIMARY KEY (merchant, account, number)
);

-- What people said of proposals. Only added; the last of each counts.
CREATE TABLE clearing_decision (
    merchant    TEXT    NOT NULL,
    account     TEXT    NOT NULL,
    proposal    TEXT    NOT NULL,
    at          INTEGER NOT NULL,
    accepted    INTEGER NOT NULL,
    accepted_by TEXT    NOT NULL, -- who decided, either way
    body        TEXT    NOT NULL, -- the proposal, JSON
    PRIMARY KEY (merchant, account, proposal, at)
);
