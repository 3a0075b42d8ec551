"""The object store as the rest of the house knows it: staged files, and artifacts under their hash.

Each function talks to the store and therefore raises TransactionHeld where a database transaction is open.
Keys are the context's tenant's; any other is ArtifactMissing. StoreAway means: try again.
"""

from .artifacts import Artifact, download_url, put_artifact, read_artifact, verify_artifact
from .staging import discard_staged, open_staged, stage

__all__ = [
    "Artifact",
    "discard_staged",
    "download_url",
    "open_staged",
    "put_artifact",
    "read_artifact",
    "stage",
    "verify_artifact",
]
