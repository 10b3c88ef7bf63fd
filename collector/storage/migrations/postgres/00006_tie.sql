-- +goose Up

-- What ties current documents that state no date to the period close of their
-- terminal, and closes to the documents they count.
CREATE TABLE tie (
    merchant TEXT COLLATE "C" NOT NULL,
    store    TEXT COLLATE "C" NOT NULL,
    terminal TEXT COLLATE "C" NOT NULL,
    period   TEXT COLLATE "C" NOT NULL,
    at       BIGINT NOT NULL, -- the document's moment
    key      TEXT COLLATE "C" NOT NULL,
    own      TEXT COLLATE "C" NOT NULL, -- its day by itself
    unread   BIGINT NOT NULL, -- 1: at is when it was captured
    closes   BIGINT NOT NULL, -- 1: it is a period close, whose documents are
    since    BIGINT NOT NULL, --   from this moment
    until    BIGINT NOT NULL, --   until this
    PRIMARY KEY (merchant, store, terminal, period, at, key)
);

CREATE INDEX tie_key ON tie (merchant, key);

-- Raised by whoever changes a terminal's ties, so that two that do so at once see
-- each other.
CREATE TABLE tied (
    merchant TEXT COLLATE "C" NOT NULL,
    store    TEXT COLLATE "C" NOT NULL,
    terminal TEXT COLLATE "C" NOT NULL,
    changes  BIGINT NOT NULL,
    PRIMARY KEY (merchant, store, terminal)
);

-- +goose StatementBegin
DO $$
DECLARE t TEXT;
BEGIN
    FOREACH t IN ARRAY ARRAY['tie', 'tied'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY own ON %I USING (merchant = current_setting(''tillbook.merchant'', true))', t);
        EXECUTE format('CREATE POLICY everyone ON %I FOR SELECT USING (current_setting(''tillbook.merchant'', true) = ''*'')', t);
    END LOOP;
END $$;
-- +goose StatementEnd
