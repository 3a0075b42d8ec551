"""A database of one's own on the suite's server."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg


@contextlib.contextmanager
def running() -> Iterator[str]:
    """The address of a new, empty database; it is gone after the block. The owner role may make databases here."""
    owner = os.environ["DATABASE_OWNER_URL"]
    name = f"rules_{uuid4().hex[:12]}"
    with psycopg.connect(owner, autocommit=True) as administrator:
        administrator.execute(f'create database "{name}"')
        try:
            yield urlunsplit(urlsplit(owner)._replace(path=f"/{name}"))
        finally:
            administrator.execute(f'drop database if exists "{name}" with (force)')
