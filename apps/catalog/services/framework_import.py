"""`frameworks import`: a framework of ours, an OSCAL catalogue, an initiative or a mapping, told from the file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from apps.core.errors import InvalidInput

from ..languages import policy_language
from .framework_files import is_framework, read_framework
from .frameworks import save_framework
from .mapping_files import import_mappings

MAX_BYTES = 32 * 1024 * 1024


def import_framework_file(*, raw: bytes, name: str, replace: bool = False) -> dict[str, Any]:
    """Import one file for the context's tenant; returns {"frameworks": [key, …]} or the counts of a mapping.

    Raises InvalidInput naming the field or line of what is wrong; then nothing has changed. Rows of a mapping that are
    refused are listed under "refusals" instead, and the others land.
    """
    if len(raw) > MAX_BYTES:
        raise InvalidInput(f"The file is larger than {MAX_BYTES // 2**20} MiB.", field="file")
    document = _document(raw)
    if isinstance(document, Mapping) and is_framework(document):
        return _imported([save_framework(draft=read_framework(document)).key])
    drafts = list(policy_language().frameworks(raw, name)) if document is not None else []
    if drafts:
        return _imported([save_framework(draft=draft).key for draft in drafts])
    if isinstance(document, Mapping):
        raise InvalidInput(
            "This is no framework, no OSCAL catalogue and no initiative with control groups.", field="file"
        )
    return asdict(import_mappings(raw=raw, replace=replace))


def _imported(keys: list[str]) -> dict[str, Any]:
    return {"frameworks": keys}


def _document(raw: bytes) -> Any:
    """The loaded JSON; None for what is no JSON object or list (a CSV)."""
    if raw.lstrip()[:1] not in (b"{", b"["):
        return None
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"This is no JSON: {error}", field="file") from error
