-- +goose Up

-- When nothing of a merchant was closed and posted, and who said so; the
-- collector itself has no name.
CREATE TABLE stopped (
    merchant   TEXT COLLATE "C" NOT NULL,
    at         BIGINT  NOT NULL,
    stopped_by TEXT COLLATE "C" NOT NULL,
    reason     TEXT COLLATE "C" NOT NULL,
    resumed_at BIGINT  NOT NULL DEFAULT 0, -- 0: it is stopped
    resumed_by TEXT COLLATE "C" NOT NULL DEFAULT '',
    PRIMARY KEY (merchant, at)
);

-- Days that people entered into the books themselves.
CREATE TABLE entered (
    merchant   TEXT COLLATE "C" NOT NULL,
    store      TEXT COLLATE "C" NOT NULL,
    first      TEXT COLLATE "C" NOT NULL, -- day
    last       TEXT COLLATE "C" NOT NULL,
    entered_by TEXT COLLATE "C" NOT NULL,
    at         BIGINT  NOT NULL,
    PRIMARY KEY (merchant, store, first, last)
);

-- +goose StatementBegin
DO $$
DECLARE t TEXT;
BEGIN
    FOREACH t IN ARRAY ARRAY['stopped', 'entered'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY own ON %I USING (merchant = current_setting(''tillbook.merchant'', true))', t);
        EXECUTE format('CREATE POLICY everyone ON %I FOR SELECT USING (current_setting(''tillbook.merchant'', true) = ''*'')', t);
    END LOOP;
END $$;
-- +goose StatementEnd
