-- +goose Up

-- When nothing of a merchant was closed and posted, and who said so; the
-- collector itself has no name.
CREATE TABLE stopped (
    merchant   TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    stopped_by TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    resumed_at INTEGER NOT NULL DEFAULT 0, -- 0: it is stopped
    resumed_by TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (merchant, at)
);

-- Days that people entered into the books themselves.
CREATE TABLE entered (
    merchant   TEXT    NOT NULL,
    store      TEXT    NOT NULL,
    first      TEXT    NOT NULL, -- day
    last       TEXT    NOT NULL,
    entered_by TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (merchant, store, first, last)
);
