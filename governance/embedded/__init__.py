"""The servers of the embedded default (PostgreSQL, Valkey, S3), the product's own processes, and their supervisor."""
