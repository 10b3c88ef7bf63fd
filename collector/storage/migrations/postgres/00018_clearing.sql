-- +goose Up

-- What days put into the tills other than cash, as they were closed. Only added.
CREATE TABLE day_tender (
    merchant TEXT COLLATE "C" NOT NULL,
    store    TEXT COLLATE "C" NOT NULL,
    day      TEXT COLLATE "C" NOT NULL,
    version  BIGINT NOT NULL, -- of the day's entry
    body     BYTEA NOT NULL, -- JSON, gzip
    PRIMARY KEY (merchant, store, day, version)
);

-- What payment providers owe, each time it was compared. Only added.
CREATE TABLE clearing_run (
    merchant TEXT COLLATE "C" NOT NULL,
    account  TEXT COLLATE "C" NOT NULL, -- provider/account/currency
    number   BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    first    TEXT COLLATE "C" NOT NULL, -- day
    last     TEXT COLLATE "C" NOT NULL, -- day
    rules    BIGINT NOT NULL,
    config   TEXT COLLATE "C" NOT NULL, -- JSON
    versions BYTEA NOT NULL, -- of what was looked at: JSON, gzip
    result   BYTEA NOT NULL, -- without pairs: JSON, gzip
    hash     BYTEA NOT NULL, -- of the whole result
    open     TEXT COLLATE "C" NOT NULL, -- day since which something is open, or empty
    held     TEXT COLLATE "C" NOT NULL, -- day since which the provider has held the oldest of what it owes, or empty
    PRIMARY KEY (merchant, account, number)
);

-- What people said of proposals. Only added; the last of each counts.
CREATE TABLE clearing_decision (
    merchant    TEXT COLLATE "C" NOT NULL,
    account     TEXT COLLATE "C" NOT NULL,
    proposal    TEXT COLLATE "C" NOT NULL,
    at          BIGINT NOT NULL,
    accepted    BIGINT NOT NULL,
    accepted_by TEXT COLLATE "C" NOT NULL, -- who decided, either way
    body        TEXT COLLATE "C" NOT NULL, -- the proposal, JSON
    PRIMARY KEY (merchant, account, proposal, at)
);

ALTER TABLE day_tender ENABLE ROW LEVEL SECURITY;
ALTER TABLE day_tender FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON day_tender USING (merchant = current_setting('tillbook.merchant', true));
CREATE POLICY everyone ON day_tender FOR SELECT USING (current_setting('tillbook.merchant', true) = '*');

ALTER TABLE clearing_run ENABLE ROW LEVEL SECURITY;
ALTER TABLE clearing_run FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON clearing_run USING (merchant = current_setting('tillbook.merchant', true));
CREATE POLICY everyone ON clearing_run FOR SELECT USING (current_setting('tillbook.merchant', true) = '*');

ALTER TABLE clearing_decision ENABLE ROW LEVEL SECURITY;
ALTER TABLE clearing_decision FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON clearing_decision USING (merchant = current_setting('tillbook.merchant', true));
CREATE POLICY everyone ON clearing_decision FOR SELECT USING (current_setting('tillbook.merchant', true) = '*');
