#!/bin/sh
# Runs once, when the database is made: the collectors' ordinary role and its
# database.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$(cat "${PASSWORD_FILE:-/run/postgres-tillbook}")" -U postgres <<'SQL'
CREATE ROLE tillbook LOGIN PASSWORD :'password';
CREATE DATABASE tillbook OWNER tillbook ENCODING 'UTF8' TEMPLATE template0;
SQL
