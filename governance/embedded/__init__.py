"""The servers of the embedded default (PostgreSQL, Valkey, S3), the product on them, and their supervisor."""
