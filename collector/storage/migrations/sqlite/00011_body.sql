-- +goose Up

-- The bytes of documents as received, apart from what is looked up all the time.
-- PostgreSQL keeps them by month. A copy has none.
CREATE TABLE document_body (
    merchant TEXT    NOT NULL,
    agent    TEXT    NOT NULL,
    epoch    INTEGER NOT NULL,
    number   INTEGER NOT NULL,
    received INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    PRIMARY KEY (merchant, agent, epoch, number, received)
) WITHOUT ROWID;

INSERT INTO document_body (merchant, agent, epoch, number, received, body)
SELECT merchant, agent, epoch, number, received, body FROM document WHERE standing <> 'copy';

ALTER TABLE document DROP COLUMN body;
