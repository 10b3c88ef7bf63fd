-- +goose Up

-- What a collector works on, so that others leave it alone. Times are the
-- database's. It is open to all: one transaction claims work of many merchants,
-- and there is nothing of theirs in it.
CREATE TABLE lease (
    merchant TEXT COLLATE "C" NOT NULL,
    subject  TEXT COLLATE "C" NOT NULL,
    holder   TEXT COLLATE "C" NOT NULL,
    fence    BIGINT NOT NULL, -- when it was claimed
    until    BIGINT NOT NULL,
    PRIMARY KEY (merchant, subject)
);

CREATE INDEX lease_until ON lease (until);
