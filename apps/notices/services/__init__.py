"""What the rooms above call: `notify`."""

from .notifying import notify

__all__ = ["notify"]
