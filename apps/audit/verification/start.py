"""Going on from a checkpoint that the caller trusts, instead of reading the whole trail again."""

from __future__ import annotations

from collections.abc import Sequence

from apps.core.errors import InvalidInput

from ..keys import is_signed_by
from ..proofs import stored_nodes
from ..sealing.notes import note_hash
from ..tlog import Malformed, Verifier, parse_checkpoint
from ..tree import RightEdge, peaks_of
from .database import Reader
from .notes import Note


def trusted_start(reader: Reader, note: bytes, trusted: Sequence[Verifier]) -> tuple[RightEdge, Note]:
    """The tree at a kept checkpoint. Its right edge comes from the database and must give the signed root.

    InvalidInput where the note is none, is another tenant's or not signed by a trusted key, or where the
    database no longer has that tree.
    """
    try:
        checkpoint = parse_checkpoint(note)
    except Malformed as error:
        raise InvalidInput(f"The trusted checkpoint {error}.", field="since") from error
    if not checkpoint.origin.endswith(f"/tenants/{reader.tenant_id}"):
        raise InvalidInput(f"The trusted checkpoint is of {checkpoint.origin}.", field="since")
    if not any(is_signed_by(checkpoint, key) for key in trusted):
        raise InvalidInput(
            "The trusted checkpoint is not signed by a public key that was given.", field="since"
        )
    try:
        edge = RightEdge(
            checkpoint.size, peaks_of(stored_nodes(reader.tenant_id, reader.fetch), checkpoint.size)
        )
    except LookupError as error:
        raise InvalidInput(
            f"The database no longer has the tree of that checkpoint: {error}.", field="since"
        ) from error
    if edge.root != checkpoint.root:
        raise InvalidInput(
            "The database's tree does not fit the trusted checkpoint: verify without --since.", field="since"
        )
    return edge, Note("", checkpoint, note_hash(note))
