#!/bin/sh
# Run once by the image, as the superuser, when the data volume is empty.
set -eu
psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --file /deploy/roles.sql postgres
# By the superuser, so that `migrate` needs no more than the owner role.
psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$DATABASE_NAME" \
    --command 'CREATE EXTENSION IF NOT EXISTS timescaledb'
