"""A seeded source of plausible things, and the owner a resource is made for."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

Row = dict[str, Any]

APPLICATIONS = ("shop", "billing", "search", "identity", "ledger", "portal", "telemetry", "warehouse")
TEAMS = {
    "shop": ("storefront", "cc-1100"),
    "billing": ("payments", "cc-2100"),
    "search": ("discovery", "cc-1200"),
    "identity": ("platform", "cc-3000"),
    "ledger": ("payments", "cc-2200"),
    "portal": ("storefront", "cc-1300"),
    "telemetry": ("platform", "cc-3100"),
    "warehouse": ("analytics", "cc-4000"),
}
ENVIRONMENTS = ("prod", "prod", "prod", "test", "dev", "dev")


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose resource it is and where it lies; `number` tells resources of one kind apart."""

    account: str
    region: str
    application: str
    environment: str
    team: str
    cost_centre: str
    number: int

    @property
    def stem(self) -> str:
        """The common part of names: `shop-prod`."""
        return f"{self.application}-{self.environment}"


class Dice(Random):
    """Random choices of one estate: the same seed and day give the same estate, on every machine."""

    def __init__(self, seed: int | str, today: date) -> None:
        super().__init__(f"estate {seed}")
        self.today = today

    def fault(self, share: float = 0.2) -> bool:
        """True in about `share` of the cases."""
        return self.random() < share

    def hex(self, length: int) -> str:
        """Lower-case hexadecimal digits."""
        return f"{self.getrandbits(4 * length):0{length}x}"

    def guid(self) -> str:
        """A version 4 UUID."""
        return str(uuid.UUID(int=self.getrandbits(128), version=4))

    def address(self) -> str:
        """An address of the block that is kept for documentation (RFC 5737)."""
        return f"203.0.113.{self.randint(1, 254)}"

    def moment(self, youngest: int, oldest: int, suffix: str = "+00:00") -> str:
        """An ISO time between `youngest` and `oldest` days ago."""
        day = self.today - timedelta(days=self.randint(youngest, oldest))
        clock = time(self.randint(0, 23), self.randint(0, 59), self.randint(0, 59), tzinfo=UTC)
        return datetime.combine(day, clock).replace(tzinfo=None).isoformat() + suffix

    def owner(self, accounts: tuple[str, ...], regions: tuple[str, ...], number: int) -> Owner:
        """Somebody of the company."""
        application = self.choice(APPLICATIONS)
        team, cost_centre = TEAMS[application]
        return Owner(
            account=self.choice(accounts),
            region=self.choice(regions),
            application=application,
            environment=self.choice(ENVIRONMENTS),
            team=team,
            cost_centre=cost_centre,
            number=number,
        )

    def tags(self, owner: Owner, keys: tuple[str, str, str, str]) -> dict[str, str]:
        """Tags under the given keys for environment, owner, cost centre and application; some are missing."""
        values = (owner.environment, f"{owner.team}@example.com", owner.cost_centre, owner.application)
        if self.fault(0.08):
            return {}
        missing = self.choice(keys[1:]) if self.fault(0.18) else None
        tags = {key: value for key, value in zip(keys, values, strict=True) if key != missing}
        if self.fault(0.06):
            tags[keys[0]] = self.choice(("PRD", "production!", "tbd"))
        return tags
