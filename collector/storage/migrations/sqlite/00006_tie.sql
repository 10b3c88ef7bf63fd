-- +goose Up

-- What ties current documents that state no date to the period close of their
-- terminal, and closes to the documents they count.
CREATE TABLE tie (
    merchant TEXT    NOT NULL,
    store    TEXT    NOT NULL,
    terminal TEXT    NOT NULL,
    period   TEXT    NOT NULL,
    at       INTEGER NOT NULL, -- the document's moment
    key      TEXT    NOT NULL,
    own      TEXT    NOT NULL, -- its day by itself
    unread   INTEGER NOT NULL, -- 1: at is when it was captured
    closes   INTEGER NOT NULL, -- 1: it is a period close, whose documents are
    since    INTEGER NOT NULL, --   from this moment
    until    INTEGER NOT NULL, --   until this
    PRIMARY KEY (merchant, store, terminal, period, at, key)
);

CREATE INDEX tie_key ON tie (merchant, key);

-- Raised by whoever changes a terminal's ties, so that two that do so at once see
-- each other.
CREATE TABLE tied (
    merchant TEXT    NOT NULL,
    store    TEXT    NOT NULL,
    terminal TEXT    NOT NULL,
    changes  INTEGER NOT NULL,
    PRIMARY KEY (merchant, store, terminal)
);
