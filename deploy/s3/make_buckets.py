"""Make the three buckets where they are missing: `evidence` and `checkpoints` with object lock and versions,
`staging` plain.

Reads EVIDENCE_S3_ENDPOINT, S3_ADMIN_KEY and S3_ADMIN_SECRET; may be run again at any time.
"""

from __future__ import annotations

import os

from governance.embedded.s3 import make_buckets

if __name__ == "__main__":
    make_buckets(
        os.environ["EVIDENCE_S3_ENDPOINT"],
        {"s3_admin_key": os.environ["S3_ADMIN_KEY"], "s3_admin_secret": os.environ["S3_ADMIN_SECRET"]},
    )
