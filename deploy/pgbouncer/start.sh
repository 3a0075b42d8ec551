#!/bin/sh
# PgBouncer in transaction mode before PostgreSQL, for web and workers. Only the app role comes this way;
# migrations go to PostgreSQL itself, as the owner.
#
# DATABASE_HOST DATABASE_PORT DATABASE_NAME DATABASE_APP DATABASE_APP_PASSWORD: whom to connect to, and as whom.
# PGBOUNCER_LISTEN PGBOUNCER_PORT PGBOUNCER_POOL: where to listen, how many connections to PostgreSQL at most.
# RUN_FOLDER: where the configuration is written, because it holds the password; in memory, for choice.
set -eu
umask 077
folder="${RUN_FOLDER:-/run/pgbouncer}"

# A quote is doubled, in both files.
doubled() { printf '%s' "$2" | sed "s/$1/$1$1/g"; }

cat > "$folder/users.txt" <<USERS
"$(doubled '"' "$DATABASE_APP")" "$(doubled '"' "$DATABASE_APP_PASSWORD")"
USERS

cat > "$folder/pgbouncer.ini" <<CONFIGURATION
[databases]
$DATABASE_NAME = host=$DATABASE_HOST port=${DATABASE_PORT:-5432} dbname=$DATABASE_NAME

[pgbouncer]
listen_addr = ${PGBOUNCER_LISTEN:-0.0.0.0}
listen_port = ${PGBOUNCER_PORT:-6432}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = $folder/users.txt
pool_mode = transaction
default_pool_size = ${PGBOUNCER_POOL:-20}
max_client_conn = 500
# A client that gets no connection in this time is told so: better than a page that never answers.
query_wait_timeout = 30
server_connect_timeout = 5
server_login_retry = 1
# A server that a long transaction holds is the job's heartbeat's to judge, not ours.
idle_transaction_timeout = 0
log_connections = 0
log_disconnections = 0
CONFIGURATION

exec pgbouncer "$folder/pgbouncer.ini"
