-- +goose Up

-- What people did, chained: see package logbook. Only ever added. Merchant * is the
-- collector as a whole.
CREATE TABLE act (
    merchant TEXT    NOT NULL,
    number   INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    done_by  TEXT    NOT NULL,
    what     TEXT    NOT NULL,
    subject  TEXT    NOT NULL,
    detail   TEXT    NOT NULL,
    before   BLOB    NOT NULL, -- hash of the act before
    hash     BLOB    NOT NULL,
    PRIMARY KEY (merchant, number)
);
