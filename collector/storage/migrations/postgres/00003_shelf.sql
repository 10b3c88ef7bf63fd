-- +goose Up

-- Who took a record off the shelf without reading it; empty: nobody.
ALTER TABLE rejected ADD COLUMN dismissed_by TEXT COLLATE "C" NOT NULL DEFAULT '';

-- Which agent a person believed where two said different things of one key.
CREATE TABLE settlement (
    merchant   TEXT COLLATE "C" NOT NULL,
    key        TEXT COLLATE "C" NOT NULL,
    at         BIGINT NOT NULL,
    agent      TEXT COLLATE "C" NOT NULL,
    settled_by TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (merchant, key, at)
);

CREATE INDEX document_conflict ON document (merchant, key) WHERE standing = 'conflict';

ALTER TABLE settlement ENABLE ROW LEVEL SECURITY;
ALTER TABLE settlement FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON settlement USING (merchant = current_setting('tillbook.merchant', true));
CREATE POLICY everyone ON settlement FOR SELECT USING (current_setting('tillbook.merchant', true) = '*');
