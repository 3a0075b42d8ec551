"""The table of detectors (detectors.yml), each a rule in a policy language with what acting on it is worth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from apps.rules.compile import CompiledRule, compile_policy

_FILE = Path(__file__).with_name("detectors.yml")


@dataclass(frozen=True)
class Detector:
    """One detector. `share` is the part of the resource's costs that is saved, `risk` how much risk goes with it
    (0 to 1), `remedy` the kind of action that carries it out, empty where people have to."""

    key: str
    title: str
    advice: str
    kind: str
    severity: str
    share: Decimal
    confidence: Decimal
    risk: Decimal
    language: Any
    policy: dict[str, Any]
    remedy: str = ""
    assumes: str = ""

    @property
    def rule(self) -> str:
        """`recommendations.rule` of what it finds."""
        return f"finops/{self.key}"

    def compiled(self, now: datetime) -> CompiledRule:
        return compile_policy(self.policy, language=self.language, now=now)


@cache
def detectors() -> tuple[Detector, ...]:
    """All of them. Raises where the file is wrong: a test loads it."""
    table = yaml.safe_load(_FILE.read_text())
    return tuple(
        Detector(**{**row, **{name: Decimal(row[name]) for name in ("share", "confidence", "risk")}})
        for row in table
    )
