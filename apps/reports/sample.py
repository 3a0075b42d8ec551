"""A sample of violations that was not chosen: drawn by hashes of a seed, so that anybody can draw it again."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Mapping
from typing import Any

SIZE = 25


class Sample:
    """The `SIZE` rows whose SHA-256 of `<seed>:<violation id>` is lowest, in the order of that hash."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._highest_first: list[tuple[int, str, Mapping[str, Any]]] = []

    def offer(self, row: Mapping[str, Any]) -> None:
        key = str(row["violation_id"])
        rank = int.from_bytes(hashlib.sha256(f"{self._seed}:{key}".encode()).digest(), "big")
        entry = (-rank, key, dict(row))
        if len(self._highest_first) < SIZE:
            heapq.heappush(self._highest_first, entry)
        elif entry[0] > self._highest_first[0][0]:
            heapq.heapreplace(self._highest_first, entry)

    def drawn(self) -> list[Mapping[str, Any]]:
        return [row for _, _, row in sorted(self._highest_first, key=lambda entry: -entry[0])]
