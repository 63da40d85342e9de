#!/bin/sh
# Run once by the image of PostgreSQL, on an empty volume: a plain user, whom row-level security binds, and its database.
set -eu
psql --set ON_ERROR_STOP=1 --set password="$ORDERLY_DATABASE_PASSWORD" --username "$POSTGRES_USER" <<'SQL'
CREATE ROLE orderly LOGIN PASSWORD :'password';
CREATE DATABASE orderly OWNER orderly;
SQL
