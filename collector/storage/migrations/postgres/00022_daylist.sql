-- +goose Up

-- The list of days that people look at, newest first.
CREATE INDEX store_day_list ON store_day (merchant, day, store);
