"""The bundle: a ZIP that holds the same bytes for the same content, whoever makes it and when."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from .tables import JSON, PYTHON, TEXT, BundleFile, FileWriter, json_text

# The bundle's own version: what files there are and what their columns mean.
SCHEMA = "governance.evidence-report"
SCHEMA_VERSION = "1.0.0"
MANIFEST = "manifest.json"
CHUNK_BYTES = 1024 * 1024
LEVEL = 6
# ZIP's own beginning of time; a real one would differ from run to run.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNIX, _READABLE = 3, 0o100644 << 16


def write_text(folder: Path, path: str, text: str, media_type: str) -> BundleFile:
    with FileWriter(folder, path, media_type) as out:
        out.write(text)
    return out.file


def write_guide(folder: Path, values: Mapping[str, str]) -> list[BundleFile]:
    """README.txt, with `values` filled in, verify.py, and the checks of proofs that it imports."""
    source = resources.files("apps.reports") / "bundle_files"
    readme = (source / "README.txt").read_text("utf-8")
    for name, value in values.items():
        readme = readme.replace("{" + name + "}", value)
    verifier = (source / "verify.py").read_text("utf-8")
    return [
        write_text(folder, "README.txt", readme, TEXT),
        write_text(folder, "verify.py", verifier, PYTHON),
        write_text(folder, "tlog.py", (resources.files("apps.audit") / "tlog.py").read_text("utf-8"), PYTHON),
    ]


def write_manifest(folder: Path, head: Mapping[str, Any], files: Sequence[BundleFile]) -> BundleFile:
    """manifest.json: `head` and every other file with its hash and size."""
    listed = [file.as_manifest() for file in sorted(files, key=lambda file: file.path)]
    manifest = {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **head, "files": listed}
    return write_text(folder, MANIFEST, json_text(manifest, indent=2) + "\n", JSON)


def zip_folder(folder: Path, files: Sequence[BundleFile], target: Path) -> None:
    """Pack `files` by name: fixed times, modes and order.

    The packed bytes also depend on the zlib of this machine; the manifest's hashes, of the files, do not.
    """
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as bundle:
        for file in sorted(files, key=lambda file: file.path):
            entry = zipfile.ZipInfo(file.path, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system, entry.external_attr = _UNIX, _READABLE
            entry.file_size = file.size  # lets a file of over 2 GiB be written as ZIP64
            with (folder / file.path).open("rb") as source, bundle.open(entry, "w") as packed:
                shutil.copyfileobj(source, packed, CHUNK_BYTES)
