"""What can go wrong with the object store, each as a person would say it."""

from __future__ import annotations

from apps.core.errors import GovernanceError, NotFound, TransientFailure


class StoreAway(TransientFailure):
    """The object store did not answer, or answered that it can't just now."""

    code = "evidence-store-away"


class StoreDenied(GovernanceError):
    """The object store refused our credentials, or they do not cover this request."""

    code = "evidence-store-denied"


class StoreRefused(GovernanceError):
    """The object store refused the request for another reason: a bucket that is not there, a bad setting."""

    code = "evidence-store-refused"


class ArtifactMissing(NotFound):
    """No such object, or no such version of it; also said of another tenant's key."""

    code = "artifact-missing"


class ChecksumMismatch(GovernanceError):
    """Bytes do not have the SHA-256 that was recorded for them. They are handed to nobody."""

    code = "checksum-mismatch"


class TransactionHeld(RuntimeError):
    """A defect of ours: a database transaction was open while talking to the object store."""
