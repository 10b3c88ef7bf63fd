-- +goose Up

-- What lets a connection into its books, sealed. Times are in microseconds, claims
-- by the database's clock.
CREATE TABLE token (
    merchant   TEXT COLLATE "C" NOT NULL,
    connection TEXT COLLATE "C" NOT NULL,
    access     BYTEA   NOT NULL,
    refresh    BYTEA   NOT NULL,
    expiry     BIGINT  NOT NULL, -- of access
    until      BIGINT  NOT NULL, -- of refresh; 0: not said
    ended      TEXT COLLATE "C" NOT NULL, -- why it is of no use any more
    version    BIGINT  NOT NULL,
    claimed    BIGINT  NOT NULL, -- until when somebody renews it
    PRIMARY KEY (merchant, connection)
);

ALTER TABLE token ENABLE ROW LEVEL SECURITY;
ALTER TABLE token FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON token USING (merchant = current_setting('tillbook.merchant', true));
CREATE POLICY everyone ON token FOR SELECT USING (current_setting('tillbook.merchant', true) = '*');
