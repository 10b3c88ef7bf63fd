-- +goose Up

-- Why a posting is not posted, in the error table's words; and whether its state is
-- that of being taken off the books again.
ALTER TABLE posting ADD COLUMN code TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE posting ADD COLUMN undo BIGINT NOT NULL DEFAULT 0;

-- 1: a person said that nothing of the day shall stand at the target.
ALTER TABLE delivery ADD COLUMN withdrawn BIGINT NOT NULL DEFAULT 0;
