"""What can go wrong between a policy document and its answer."""

from __future__ import annotations


class PolicyError(Exception):
    """A policy that cannot be used as it stands.

    `path` is the place in the document, in JSON-path style ("policyRule.if.allOf[0].field");
    `reason` is one sentence for a person. Both are bounded, so that they can be stored and counted.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path = path[:300]
        self.reason = reason[:500]
        super().__init__(f"{self.path}: {self.reason}" if self.path else self.reason)


class InvalidPolicy(PolicyError):
    """The document is no valid policy of its language: its author has to mend it."""


class Unsupported(PolicyError):
    """A valid policy that this engine cannot decide truthfully, and so does not try to."""


class EvaluationError(Exception):
    """A rule has no answer for this one resource: the third outcome, neither hit nor miss."""
