"""A framework as a file or an initiative describes it, before it is stored."""

from __future__ import annotations

import re
from dataclasses import dataclass

KEY = re.compile(r"[a-z0-9][a-z0-9.\-]{0,79}")
# An OSCAL token: what assessment results may name a control by.
CODE = re.compile(r"[^\W\d][\w.\-]{0,79}")
LIMIT_TITLE, LIMIT_TEXT = 300, 4_000
MAX_CONTROLS = 5_000


@dataclass(frozen=True)
class ControlDraft:
    """A control or a group of controls. `parent` is the code of another one that stands before it; `policies`
    are the provider's ids of policies that serve it."""

    code: str
    label: str
    title: str = ""
    description: str = ""
    is_group: bool = False
    parent: str = ""
    policies: tuple[str, ...] = ()


@dataclass(frozen=True)
class FrameworkDraft:
    """`source` is library, initiative or file."""

    key: str
    title: str
    controls: tuple[ControlDraft, ...]
    version: str = ""
    publisher: str = ""
    description: str = ""
    retention_years: int | None = None
    source: str = "file"


def control_code(label: str) -> str:
    """The OSCAL-style id of a framework's own label: `AC-2(1)`, `AC-02(01)` and `ac-2.1` are all `ac-2.1`.

    What can't stand in such an id becomes a hyphen; one that would not begin with a letter gets `c-` before it.
    """
    code = label.strip().lower()
    if re.fullmatch(r"[a-z]{2}-\d{1,2}(?:\(\d{1,2}\))?", code):
        family, number, *enhancement = re.split(r"[-()]", code.rstrip(")"))
        code = f"{family}-{int(number)}" + (f".{int(enhancement[0])}" if enhancement else "")
    code = re.sub(r"[^\w.\-]+", "-", code).strip("-.")
    if not code or not CODE.match(code):
        code = f"c-{code}"
    return code[:80]


def framework_key(name: str) -> str:
    """A key of a name: lower case, digits, dots and hyphens."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")[:80] or "framework"
