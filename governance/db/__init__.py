"""The database backend: row-level security, TimescaleDB and database-level foreign keys in one engine."""
