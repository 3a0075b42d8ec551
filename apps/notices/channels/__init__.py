"""The ways to a recipient. Each sends once, outside of any transaction, and says how that ended."""
