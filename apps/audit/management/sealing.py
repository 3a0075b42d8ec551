"""`manage.py audit seal`."""

from __future__ import annotations

import logging
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings

from apps.audit.keys import Signer, make_keys, new_name, read_keys
from apps.audit.options import SealOptions
from apps.audit.options import options as seal_options
from apps.audit.sealing.rounds import Sealed, seal_forever, seal_round
from apps.core.errors import InvalidInput

HELP = """Seal the audit trail into signed checkpoints, once or (--watch) for ever.
Needs the signing key (AUDIT_SIGNING_KEY_FILE) and connects as DATABASE_SEALER_URL, or as the owner where no such
role is told. May be killed at any time and run twice."""

log = logging.getLogger("audit.seal")


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--watch", action="store_true", help="seal every AUDIT_SEAL_SECONDS until stopped")
    parser.add_argument("--make-key", action="store_true", help="make the key where the file is not there")
    parser.add_argument("--heartbeat", metavar="FILE", help="with --watch: touch this file after every round")


def run(options: dict[str, Any]) -> Mapping[str, Any]:
    here = seal_options()
    if here.key_file is None:
        raise InvalidInput(
            "Set AUDIT_SIGNING_KEY_FILE: the sealer signs with it.", field="AUDIT_SIGNING_KEY_FILE"
        )
    if not settings.DATABASES["sealer"].get("USER"):
        raise InvalidInput("Set DATABASE_SEALER_URL: the sealer connects by it.", field="DATABASE_SEALER_URL")
    if options["make_key"] and not here.key_file.exists():
        make_keys(here.key_file, new_name())
    signers = _signers(here)
    if options["watch"]:
        _watch(here, options["heartbeat"])
    sealed = seal_round(signers)
    return {
        "verb": "seal",
        **asdict(sealed),
        "public_key": str(signers[0].verifier),
        "failed": bool(sealed.refused),
    }


def describe(result: Mapping[str, Any]) -> str:
    lines = [f"REFUSED  {refused}" for refused in result["refused"]]
    lines.append(f"{result['leaves']} rows sealed in {result['checkpoints']} checkpoints.")
    return "\n".join([*lines, f"Public key: {result['public_key']}"])


def _signers(here: SealOptions) -> Sequence[Signer]:
    """The keys, whose public halves are written where this machine's verifying looks for them."""
    if here.key_file is None:
        raise InvalidInput("Set AUDIT_SIGNING_KEY_FILE.", field="AUDIT_SIGNING_KEY_FILE")
    signers = read_keys(here.key_file)
    if here.public_key_file is not None:
        _publish(here.public_key_file, [str(signer.verifier) for signer in signers])
    return signers


def _publish(path: Path, verifiers: Sequence[str]) -> None:
    """Add what is new. Retired keys stay: what they have signed is to be verified for ever."""
    known = path.read_text().split() if path.exists() else []
    new = [verifier for verifier in verifiers if verifier not in known]
    if new:
        path.write_text("".join(f"{verifier}\n" for verifier in [*new, *known]))


def _watch(here: SealOptions, heartbeat: str | None) -> None:
    log.info("Sealing every %s s; public key: %s", here.seal_seconds, _signers(here)[0].verifier)
    refused: set[str] = set()

    def told(sealed: Sealed) -> None:
        for refusal in sealed.refused:
            if refusal not in refused:
                log.error("%s", refusal)
        refused.clear()
        refused.update(sealed.refused)
        if heartbeat:
            Path(heartbeat).touch()

    seal_forever(lambda: _signers(here), here.seal_seconds, told)
