"""Cached plans that were made when a table was still empty.

PostgreSQL keeps a session's plan of each foreign-key check. Made while the table it looks into holds nothing, every
index costs the same, and one that begins with the tenant may be chosen: each check then passes over all of the
tenant's rows, until somebody analyses the table. A large first import grew with the square of its rows that way
(12,000 resources in pages of 500: 72 million index entries read; with fresh plans 330 thousand).

Statistics that are stale in another way can still lead to such a plan; this cures those made on empty tables.
"""

from __future__ import annotations

from typing import Any


def forget_plans(cursor: Any) -> None:
    """Before a statement that writes many rows: its checks are planned for the tables as they are now."""
    cursor.execute("DISCARD PLANS")
