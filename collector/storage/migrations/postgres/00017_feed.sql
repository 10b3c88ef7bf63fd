-- +goose Up

-- How each feed stands. Times are microseconds UTC.
CREATE TABLE feed (
    merchant   TEXT COLLATE "C" NOT NULL,
    feed       TEXT COLLATE "C" NOT NULL,
    cursor     TEXT COLLATE "C" NOT NULL, -- its source goes on from here
    pulled_at  BIGINT NOT NULL, -- last page that was kept
    covered_to BIGINT NOT NULL,
    not_before BIGINT NOT NULL,
    failures   BIGINT NOT NULL, -- in a row
    code       TEXT COLLATE "C" NOT NULL, -- of the last failure; empty: it did not fail
    error      TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (merchant, feed)
);

-- What opens a source, sealed.
CREATE TABLE credential (
    merchant TEXT COLLATE "C" NOT NULL,
    feed     TEXT COLLATE "C" NOT NULL,
    name     TEXT COLLATE "C" NOT NULL,
    sealed   BYTEA    NOT NULL,
    at       BIGINT NOT NULL,
    PRIMARY KEY (merchant, feed, name)
);

-- Facts of settlement, once for each revision; revisions are numbered 1, 2, ... in
-- the order in which they were stored, and one of each key is current. A version is
-- the place in the source's own order. Bodies are JSON of settle's types.
CREATE TABLE movement (
    merchant TEXT COLLATE "C" NOT NULL,
    provider TEXT COLLATE "C" NOT NULL,
    account  TEXT COLLATE "C" NOT NULL,
    key      TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    current  BIGINT NOT NULL,
    version  BIGINT NOT NULL,
    feed     TEXT COLLATE "C" NOT NULL,
    at       BIGINT NOT NULL, -- when it happened
    payout   TEXT COLLATE "C" NOT NULL, -- key of its payout, or empty
    received BIGINT NOT NULL,
    body     TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (merchant, provider, account, key, revision)
);

CREATE INDEX movement_at ON movement (merchant, at) WHERE current = 1;
CREATE INDEX movement_payout ON movement (merchant, provider, account, payout) WHERE current = 1;

CREATE TABLE payout (
    merchant TEXT COLLATE "C" NOT NULL,
    provider TEXT COLLATE "C" NOT NULL,
    account  TEXT COLLATE "C" NOT NULL,
    key      TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    current  BIGINT NOT NULL,
    version  BIGINT NOT NULL,
    feed     TEXT COLLATE "C" NOT NULL,
    at       BIGINT NOT NULL, -- when it was made; 0: not said
    received BIGINT NOT NULL,
    body     TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (merchant, provider, account, key, revision)
);

CREATE INDEX payout_at ON payout (merchant, at) WHERE current = 1;

CREATE TABLE bank_line (
    merchant TEXT COLLATE "C" NOT NULL,
    account  TEXT COLLATE "C" NOT NULL,
    key      TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    current  BIGINT NOT NULL,
    feed     TEXT COLLATE "C" NOT NULL,
    booked   TEXT COLLATE "C" NOT NULL, -- day, or empty
    received BIGINT NOT NULL,
    body     TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (merchant, account, key, revision)
);

CREATE INDEX bank_line_booked ON bank_line (merchant, booked) WHERE current = 1;

-- What a provider said last on each day that it owes.
CREATE TABLE provider_balance (
    merchant TEXT COLLATE "C" NOT NULL,
    provider TEXT COLLATE "C" NOT NULL,
    account  TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    day      TEXT COLLATE "C" NOT NULL, -- UTC
    at       BIGINT NOT NULL,
    feed     TEXT COLLATE "C" NOT NULL,
    body     TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (merchant, provider, account, currency, day)
);

ALTER TABLE feed ENABLE ROW LEVEL SECURITY;
ALTER TABLE feed FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON feed USING (merchant = current_setting('tillbook.merchant', true));
CREATE POLICY everyone ON feed FOR SELECT USING (current_setting('tillbook.merchant', true) = '*');

ALTER TABLE credential ENABLE ROW LEVEL SECURITY;
ALTER TABLE credential FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON credential USING (merchant = current_setting('tillbook.merchant', true));
CREATE POLICY everyone ON credential FOR SELECT USING (current_setting('tillbook.merchant', true) = '*');

ALTER TABLE movement ENABLE ROW LEVEL SECURITY;
ALTER TABLE movement FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON movement USING (merchant = current_setting('tillbook.merchant', true));
CREATE POLICY everyone ON movement FOR SELECT USING (current_setting('tillbook.merchant', true) = '*');

ALTER TABLE payout ENABLE ROW LEVEL SECURITY;
ALTER TABLE payout FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON payout USING (merchant = current_setting('tillbook.merchant', true));
CREATE POLICY everyone ON payout FOR SELECT USING (current_setting('tillbook.merchant', true) = '*');

ALTER TABLE bank_line ENABLE ROW LEVEL SECURITY;
ALTER TABLE bank_line FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON bank_line USING (merchant = current_setting('tillbook.merchant', true));
CREATE POLICY everyone ON bank_line FOR SELECT USING (current_setting('tillbook.merchant', true) = '*');

ALTER TABLE provider_balance ENABLE ROW LEVEL SECURITY;
ALTER TABLE provider_balance FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON provider_balance USING (merchant = current_setting('tillbook.merchant', true));
CREATE POLICY everyone ON provider_balance FOR SELECT USING (current_setting('tillbook.merchant', true) = '*');
