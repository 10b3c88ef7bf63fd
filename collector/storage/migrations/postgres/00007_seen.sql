-- +goose Up

-- What of other days the newest entry of a day looked at: a document by its key, a
-- receipt by its number, a terminal's documents or the store's counts from a day
-- on. Whoever changes one of these raises the day.
CREATE TABLE seen (
    merchant TEXT COLLATE "C" NOT NULL,
    store    TEXT COLLATE "C" NOT NULL,
    day      TEXT COLLATE "C" NOT NULL,
    what     TEXT COLLATE "C" NOT NULL,
    since    TEXT COLLATE "C" NOT NULL, -- day, or empty
    PRIMARY KEY (merchant, store, day, what)
);

CREATE INDEX seen_what ON seen (merchant, what);

ALTER TABLE seen ENABLE ROW LEVEL SECURITY;
ALTER TABLE seen FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON seen USING (merchant = current_setting('tillbook.merchant', true));
CREATE POLICY everyone ON seen FOR SELECT USING (current_setting('tillbook.merchant', true) = '*');
