"""What people are told about. Rooms above name their occasions in AppConfig.ready().

A code is `family.occasion`: people mute mail by family, a webhook endpoint subscribes to codes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

CODE = re.compile(r"^[a-z][a-z_]{0,39}\.[a-z][a-z_]{0,39}$")
TEST = "notices.test"

_codes: dict[str, str] = {}
_families: dict[str, str] = {}


def register_notices(family: str, title: str, occasions: Mapping[str, str]) -> None:
    """`title` is the family's name for people, `occasions` maps the rest of each code to what it tells."""
    _families[family] = title
    for occasion, told in occasions.items():
        code = f"{family}.{occasion}"
        if not CODE.match(code):
            raise ValueError(f"{code} is no code of a notice")
        _codes[code] = told


def codes() -> Mapping[str, str]:
    """{code: what it tells} of everything that somebody may subscribe to."""
    return dict(sorted(_codes.items()))


def families() -> Mapping[str, str]:
    """{family: its name} of everything that somebody may mute."""
    return dict(sorted(_families.items()))


def family_of(code: str) -> str:
    return code.partition(".")[0]
