-- +goose Up

-- What lets a connection into its books, sealed. Times are in microseconds, claims
-- by the database's clock.
CREATE TABLE token (
    merchant   TEXT    NOT NULL,
    connection TEXT    NOT NULL,
    access     BLOB    NOT NULL,
    refresh    BLOB    NOT NULL,
    expiry     INTEGER NOT NULL, -- of access
    until      INTEGER NOT NULL, -- of refresh; 0: not said
    ended      TEXT    NOT NULL, -- why it is of no use any more
    version    INTEGER NOT NULL,
    claimed    INTEGER NOT NULL, -- until when somebody renews it
    PRIMARY KEY (merchant, connection)
);
