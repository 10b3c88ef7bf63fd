-- +goose Up

-- Who took a record off the shelf without reading it; empty: nobody.
ALTER TABLE rejected ADD COLUMN dismissed_by TEXT NOT NULL DEFAULT '';

-- Which agent a person believed where two said different things of one key.
CREATE TABLE settlement (
    merchant   TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    agent      TEXT    NOT NULL,
    settled_by TEXT    NOT NULL,
    PRIMARY KEY (merchant, key, at)
);

CREATE INDEX document_conflict ON document (merchant, key) WHERE standing = 'conflict';
