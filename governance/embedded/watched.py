"""A process that is started again whenever it ends, after a wait that doubles with every failure in a row."""

from __future__ import annotations

import time
from dataclasses import dataclass

from governance.embedded.process import Process

LONGEST_BACKOFF = 10.0  # seconds
STEADY = 30.0  # seconds: the end of a process that lived so long is a first failure again


def backoff(failures: int) -> float:
    """Seconds to wait before the next start: 0.2, 0.4, 0.8 … up to LONGEST_BACKOFF."""
    return float(min(0.2 * 2 ** (failures - 1), LONGEST_BACKOFF))


@dataclass
class Watched:
    """`due`: when it starts again, on the monotonic clock; None while it runs."""

    process: Process
    failures: int = 0
    due: float | None = None

    def put_off(self) -> float:
        """Count a failure and set the time of the next start; the seconds until then."""
        steady = self.due is None and self.process.age > STEADY
        self.failures = 1 if steady else self.failures + 1
        wait = backoff(self.failures)
        self.due = time.monotonic() + wait
        return wait
