-- +goose Up

-- The bytes of documents as received, apart from what is looked up all the time,
-- in a partition for each month in which they were received (UTC). What is
-- received in a month that has none lies in document_body_rest. Months to come are
-- made by the program (months.go). A copy has no bytes.
CREATE TABLE document_body (
    merchant TEXT COLLATE "C" NOT NULL,
    agent    TEXT COLLATE "C" NOT NULL,
    epoch    BIGINT NOT NULL,
    number   BIGINT NOT NULL,
    received BIGINT NOT NULL,
    body     BYTEA NOT NULL,
    PRIMARY KEY (merchant, agent, epoch, number, received)
) PARTITION BY RANGE (received);

CREATE TABLE document_body_rest PARTITION OF document_body DEFAULT;

ALTER TABLE document NO FORCE ROW LEVEL SECURITY;

-- +goose StatementBegin
DO $$
DECLARE m TIMESTAMP; t TEXT;
BEGIN
    FOR m IN SELECT DISTINCT date_trunc('month', to_timestamp(received / 1000000) AT TIME ZONE 'UTC') FROM document LOOP
        EXECUTE format('CREATE TABLE %I PARTITION OF document_body FOR VALUES FROM (%s) TO (%s)', 'document_body_' || to_char(m, 'YYYY_MM'),
            CAST(extract(epoch FROM m AT TIME ZONE 'UTC') AS BIGINT) * 1000000,
            CAST(extract(epoch FROM (m + INTERVAL '1 month') AT TIME ZONE 'UTC') AS BIGINT) * 1000000);
    END LOOP;
    INSERT INTO document_body (merchant, agent, epoch, number, received, body)
        SELECT merchant, agent, epoch, number, received, body FROM document WHERE standing <> 'copy';
    FOR t IN SELECT relname FROM pg_class WHERE relname LIKE 'document\_body%' AND relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY own ON %I USING (merchant = current_setting(''tillbook.merchant'', true))', t);
        EXECUTE format('CREATE POLICY everyone ON %I FOR SELECT USING (current_setting(''tillbook.merchant'', true) = ''*'')', t);
    END LOOP;
END $$;
-- +goose StatementEnd

ALTER TABLE document DROP COLUMN body;
ALTER TABLE document FORCE ROW LEVEL SECURITY;
