-- +goose Up

-- When a posting was read back after it was posted, 0: not yet. When its file was
-- attached, 0: not yet, -1: it never will be; how often that was tried, and not
-- before when it is tried again.
ALTER TABLE posting ADD COLUMN read_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE posting ADD COLUMN attached_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE posting ADD COLUMN attach_tries BIGINT NOT NULL DEFAULT 0;
ALTER TABLE posting ADD COLUMN attach_next BIGINT NOT NULL DEFAULT 0;

-- What was posted before this was known is compared once a day.
UPDATE posting SET read_at = settled_at, attached_at = -1 WHERE state = 'posted';

CREATE INDEX posting_unread ON posting (merchant, target, settled_at) WHERE state = 'posted' AND read_at = 0;
CREATE INDEX posting_unattached ON posting (attach_next) WHERE state = 'posted' AND attached_at = 0;

-- What the books hold otherwise than we believe.
CREATE TABLE drift (
    merchant   TEXT COLLATE "C" NOT NULL,
    target     TEXT COLLATE "C" NOT NULL,
    reference  TEXT COLLATE "C" NOT NULL,
    code       TEXT COLLATE "C" NOT NULL,
    remote_id  TEXT COLLATE "C" NOT NULL, -- of the document that is too much, or empty
    store      TEXT COLLATE "C" NOT NULL,
    day        TEXT COLLATE "C" NOT NULL,
    text       TEXT COLLATE "C" NOT NULL,
    seen       BYTEA NOT NULL, -- SHA-256 of what the books hold
    state      TEXT COLLATE "C" NOT NULL,
    found_at   BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    decided_by TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (merchant, target, reference, code, remote_id)
);

CREATE INDEX drift_state ON drift (state, code, merchant);

-- When all of a connection was compared, and when somebody said that it changed.
CREATE TABLE compared (
    merchant   TEXT COLLATE "C" NOT NULL,
    target     TEXT COLLATE "C" NOT NULL,
    checked_at BIGINT NOT NULL DEFAULT 0,
    woken_at   BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (merchant, target)
);

-- +goose StatementBegin
DO $$
DECLARE t TEXT;
BEGIN
    FOREACH t IN ARRAY ARRAY['drift', 'compared'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY own ON %I USING (merchant = current_setting(''tillbook.merchant'', true))', t);
        EXECUTE format('CREATE POLICY everyone ON %I FOR SELECT USING (current_setting(''tillbook.merchant'', true) = ''*'')', t);
    END LOOP;
END $$;
-- +goose StatementEnd
