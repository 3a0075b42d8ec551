#!/bin/sh
# SeaweedFS in one process, with object lock and three identities: `admin` makes the buckets, `app` is what the
# product signs with, `sealer` alone writes audit checkpoints. Nobody has BypassGovernanceRetention.
#
# S3_ADMIN_KEY S3_ADMIN_SECRET S3_APP_KEY S3_APP_SECRET S3_SEALER_KEY S3_SEALER_SECRET: the identities, of
# letters and digits.
# S3_SIGNING_KEY: without it the filer's own port takes anybody's word and walks past object lock.
# S3_ENCRYPTION_KEY; DATA_FOLDER, RUN_FOLDER (in memory, for choice), S3_HOST, S3_BIND, S3_PORT.
set -eu
umask 077
folder="${RUN_FOLDER:-/run/s3}"

cat > "$folder/identities.json" <<IDENTITIES
{"identities": [
  {"name": "admin", "credentials": [{"accessKey": "$S3_ADMIN_KEY", "secretKey": "$S3_ADMIN_SECRET"}],
   "actions": ["Admin", "Read", "List", "Tagging", "Write"]},
  {"name": "app", "credentials": [{"accessKey": "$S3_APP_KEY", "secretKey": "$S3_APP_SECRET"}],
   "actions": [
    "Read:evidence", "List:evidence", "Tagging:evidence", "Write:evidence",
    "GetObjectRetention:evidence", "PutObjectRetention:evidence",
    "GetObjectLegalHold:evidence", "PutObjectLegalHold:evidence",
    "Read:staging", "List:staging", "Tagging:staging", "Write:staging",
    "Read:checkpoints", "List:checkpoints", "GetObjectRetention:checkpoints"]},
  {"name": "sealer", "credentials": [{"accessKey": "$S3_SEALER_KEY", "secretKey": "$S3_SEALER_SECRET"}],
   "actions": [
    "Read:checkpoints", "List:checkpoints", "Write:checkpoints",
    "GetObjectRetention:checkpoints", "PutObjectRetention:checkpoints"]}
]}
IDENTITIES

export WEED_JWT_SIGNING_KEY="$S3_SIGNING_KEY.SIGNING"
export WEED_JWT_SIGNING_READ_KEY="$S3_SIGNING_KEY.SIGNING_READ"
export WEED_JWT_FILER_SIGNING_KEY="$S3_SIGNING_KEY.FILER_SIGNING"
export WEED_JWT_FILER_SIGNING_READ_KEY="$S3_SIGNING_KEY.FILER_SIGNING_READ"
export WEED_S3_SSE_KEY="$S3_ENCRYPTION_KEY"

# $EXTRA_FLAGS is split on purpose.
# shellcheck disable=SC2086
exec weed mini -dir="${DATA_FOLDER:-/data}" -ip="${S3_HOST:-s3}" -ip.bind="${S3_BIND:-0.0.0.0}" \
    -s3.port="${S3_PORT:-8333}" -s3.config="$folder/identities.json" \
    -s3.port.iceberg=0 -s3.port.lance=0 -s3.autoCreateBucket=false -s3.allowDeleteBucketNotEmpty=false \
    -webdav=false -admin.ui=false -master.telemetry=false ${EXTRA_FLAGS:-}
