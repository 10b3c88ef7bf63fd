-- +goose Up

-- What a collector works on, so that others leave it alone. Times are the
-- database's.
CREATE TABLE lease (
    merchant TEXT    NOT NULL,
    subject  TEXT    NOT NULL,
    holder   TEXT    NOT NULL,
    fence    INTEGER NOT NULL, -- when it was claimed
    until    INTEGER NOT NULL,
    PRIMARY KEY (merchant, subject)
);

CREATE INDEX lease_until ON lease (until);
