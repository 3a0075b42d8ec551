"""Google Cloud, by its own SDK (requirements/gcp.txt): a project's inventory, its live state, and changes."""

from typing import Any

SECONDS = 60
# For every call of Google's clients: no retries of their own, and an end.
ONCE: dict[str, Any] = {"retry": None, "timeout": SECONDS}
