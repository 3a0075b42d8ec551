"""Credentials read where a reference points, at the moment of use. What is read goes to the SDK only."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .access import AccountAccess, CredentialReference
from .errors import CloudDenied, CloudUnsupported

_LARGEST_FILE = 1024 * 1024


def goes_bare(access: AccountAccess) -> bool:
    """Whether calls go without credentials: to a plain http endpoint (an emulator) none is ever sent."""
    return bool(access.endpoint_url and access.endpoint_url.startswith("http://"))


def variable(reference: CredentialReference, name: str) -> str | None:
    """`<prefix>_<name>` of the environment, or `<name>` without a prefix; None where unset or empty."""
    prefix = reference.values.get("prefix", "").rstrip("_")
    return os.environ.get(f"{prefix}_{name}" if prefix else name) or None


def variables(reference: CredentialReference, names: tuple[str, ...]) -> dict[str, str]:
    """All of them. Raises CloudDenied naming those that are not set."""
    found = {name: variable(reference, name) for name in names}
    missing = [name for name, value in found.items() if not value]
    if missing:
        prefix = reference.values.get("prefix", "").rstrip("_")
        listed = ", ".join(f"{prefix}_{name}" if prefix else name for name in missing)
        raise CloudDenied(f"The environment does not hold {listed}: set it for web and workers.")
    return {name: value for name, value in found.items() if value}


def file_of(reference: CredentialReference) -> Path:
    """The file that a reference names. Raises CloudDenied where there is none that can be read."""
    path = Path(reference.values.get("path", ""))
    try:
        size = path.stat().st_size
    except OSError as error:
        raise CloudDenied(f"The credential file {path} can't be read: {error.strerror}.") from error
    if not path.is_file() or size > _LARGEST_FILE:
        raise CloudDenied(f"The credential file {path} is no file, or far too large.")
    return path


def json_of(reference: CredentialReference) -> Mapping[str, Any]:
    """The JSON object in the file. Raises CloudDenied, which repeats nothing of its content."""
    path = file_of(reference)
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CloudDenied(f"The credential file {path} is not readable JSON.") from error
    if not isinstance(value, dict):
        raise CloudDenied(f"The credential file {path} holds no JSON object.")
    return value


def unsupported(cloud: str, reference: CredentialReference) -> CloudUnsupported:
    return CloudUnsupported(
        f"{cloud} has no credentials of the kind {reference.kind}: use environment, file or workload_identity."
    )


def missing_sdk(cloud: str, file: str, error: ImportError) -> CloudUnsupported:
    """What to say where an SDK is not installed."""
    return CloudUnsupported(
        f"The SDK for {cloud} is not installed ({error.name or error} is missing): "
        f"install requirements/{file} for web and workers."
    )
