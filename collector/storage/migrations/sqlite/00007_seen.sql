-- +goose Up

-- What of other days the newest entry of a day looked at: a document by its key, a
-- receipt by its number, a terminal's documents or the store's counts from a day
-- on. Whoever changes one of these raises the day.
CREATE TABLE seen (
    merchant TEXT    NOT NULL,
    store    TEXT    NOT NULL,
    day      TEXT    NOT NULL,
    what     TEXT    NOT NULL,
    since    TEXT    NOT NULL, -- day, or empty
    PRIMARY KEY (merchant, store, day, what)
);

CREATE INDEX seen_what ON seen (merchant, what);
