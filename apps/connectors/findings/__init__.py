"""Findings of other tools, from their files: OCSF (Prowler, and whoever else writes it), ASFF (Security Hub), SARIF."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from apps.connectors.files.detection import UnknownFormat, first_keys
from apps.connectors.files.source import ByteStream, Input, open_source
from apps.connectors.findings.asff import read_asff
from apps.connectors.findings.ocsf import read_ocsf
from apps.connectors.findings.records import FindingRecord
from apps.connectors.findings.sarif import read_sarif
from apps.connectors.records import Refusal, Rejected

__all__ = ["FORMATS", "FindingRecord", "detect", "read"]

Reader = Callable[[ByteStream], Iterator[FindingRecord | Refusal]]

FORMATS: dict[str, Reader] = {"ocsf": read_ocsf, "asff": read_asff, "sarif": read_sarif}

# The first format one of whose sets of keys is there: in the document, or in the first element of its list.
_TELLING: tuple[tuple[str, frozenset[str]], ...] = (
    ("sarif", frozenset({"runs"})),
    ("asff", frozenset({"Findings"})),
    ("asff", frozenset({"SchemaVersion", "ProductArn"})),
    ("asff", frozenset({"GeneratorId", "Resources"})),
    ("ocsf", frozenset({"class_uid"})),
    ("ocsf", frozenset({"finding_info"})),
)


def detect(head: bytes) -> str:
    """The name in FORMATS, told from a file's first bytes. Raises UnknownFormat."""
    text = head.lstrip()
    keys = first_keys(text, depth=2 if text[:1] == b"[" else 1)
    for name, words in _TELLING:
        if words <= keys:
            return name
    raise UnknownFormat(None, "the file is neither OCSF, ASFF nor SARIF")


def read(given: Input, format: str | None = None) -> Iterator[FindingRecord | Refusal]:
    """Findings and refusals of a file or a binary stream, plain or gzip, in the file's order.

    `format` is a name in FORMATS (KeyError on another), or None to tell it from the first bytes. A finding on
    several resources gives a record for each. A file that can't be read at all gives one refusal with line 1.
    """
    reader = FORMATS[format] if format else None
    return _read(given, reader)


def _read(given: Input, reader: Reader | None) -> Iterator[FindingRecord | Refusal]:
    with open_source(given) as source:
        try:
            source.refuse_unreadable()
            reader = reader or FORMATS[detect(source.head)]
        except Rejected as rejected:
            yield Refusal(1, rejected.field, rejected.reason)
            return
        nothing = True
        for item in reader(source.stream):
            nothing = False
            yield item
        if nothing:
            yield Refusal(1, None, "the file holds no finding")
