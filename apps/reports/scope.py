"""What part of the estate a report speaks of, beside its framework."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.catalog.models import Policy, Resource
from apps.core.errors import InvalidInput


@dataclass(frozen=True)
class ReportScope:
    """A cloud account, a policy (its id), a tag as key and value; each "" for any. Resources are in it by the account
    and the tags that they have when the report is built: those of a past day are not kept."""

    account: str = ""
    policy: str = ""
    tag_key: str = ""
    tag_value: str = ""

    @classmethod
    def of(cls, stored: Mapping[str, str] | None) -> ReportScope:
        return cls(**(stored or {}))

    def as_dict(self) -> dict[str, str]:
        """Without what it does not narrow; empty for the whole estate."""
        return {name: value for name, value in self.__dict__.items() if value}

    @property
    def narrows_resources(self) -> bool:
        return bool(self.account or self.tag_key)

    def values(self) -> dict[str, Any]:
        """For the sections' queries; NULL where it does not narrow."""
        return {
            "account": self.account or None,
            "policy": self.policy or None,
            "tags": json.dumps({self.tag_key: self.tag_value}) if self.tag_key else None,
        }

    def words(self) -> str:
        told = [f"account {self.account}"] if self.account else []
        told += [f"policy {self.policy}"] if self.policy else []
        told += [f"resources tagged {self.tag_key}={self.tag_value}"] if self.tag_key else []
        return ", ".join(told) or "the whole estate"


WHOLE = ReportScope()


def checked_scope(*, account: str = "", policy: str = "", tag: str = "") -> ReportScope:
    """`tag` is written key=value. Raises InvalidInput naming what is not there: account, policy or tag."""
    key, separator, value = tag.partition("=")
    if tag and not (separator and key.strip()):
        raise InvalidInput(f"A tag is written key=value, not {tag!r}.", field="tag")
    if policy and not Policy.objects.filter(pk=policy).exists():
        raise InvalidInput(f"There is no policy {policy!r}.", field="policy")
    if account and not Resource.objects.filter(account=account).exists():
        raise InvalidInput(f"No resource is of an account {account!r}.", field="account")
    return ReportScope(account=account, policy=policy, tag_key=key.strip(), tag_value=value if tag else "")
