-- +goose Up

-- What is under way is found by whose books it goes to, oldest day first, and
-- counted by its state, from indexes that hold nothing else.
DROP INDEX delivery_due;
CREATE INDEX delivery_due ON delivery (merchant, target, day, store) WHERE posted < newest;

DROP INDEX posting_unsettled;
CREATE UNIQUE INDEX posting_unsettled ON posting (merchant, target, day, store) WHERE state NOT IN ('posted', 'undone');

DROP INDEX store_day_unsettled;
CREATE INDEX store_day_unsettled ON store_day (merchant, store, day, state) WHERE settled = 0;
