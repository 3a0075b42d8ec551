from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from apps.audit.management import keys, sealing, verifying
from apps.core.management.base import ReportingCommand


class Command(ReportingCommand):
    help = "Seal and verify the audit trail, and make the sealer's keys."

    def add_arguments(self, parser: ArgumentParser) -> None:
        sub = parser.add_subparsers(dest="verb", required=True)
        for verb, part in _VERBS.items():
            description = part.HELP.splitlines()[0]
            added = sub.add_parser(verb, help=description, description=part.HELP)
            super().add_arguments(added)
            part.add_arguments(added)

    def run_command(self, options: dict[str, Any]) -> Mapping[str, Any]:
        result: Mapping[str, Any] = _VERBS[options["verb"]].run(options)
        return result

    def describe(self, result: Mapping[str, Any]) -> str:
        verb = str(result.get("verb", ""))
        return _VERBS[verb].describe(result) if verb in _VERBS else super().describe(result)


_VERBS: Mapping[str, Any] = {"verify": verifying, "seal": sealing, "key": keys}
