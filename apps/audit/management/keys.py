"""`manage.py audit key`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apps.audit.keys import make_keys, new_name, read_keys, retire_keys, rotate_keys
from apps.audit.options import options as seal_options
from apps.core.errors import InvalidInput

HELP = """Make, show, rotate or retire the key that seals the audit trail.
Prints its public half, which you give to whoever verifies, by another way than this system. After --rotate the
new key and those before it sign; once everybody has the new public key, --retire takes the older ones out."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--file", metavar="FILE", help="the key file; AUDIT_SIGNING_KEY_FILE unless given")
    parser.add_argument("--name", help="the new key's name, which begins every checkpoint's origin")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--show", action="store_true", help="only print the public keys")
    chosen.add_argument("--rotate", action="store_true", help="put a new key before the present ones")
    chosen.add_argument("--retire", action="store_true", help="leave only the newest key in the file")


def run(options: dict[str, Any]) -> Mapping[str, Any]:
    path = Path(options["file"]) if options["file"] else seal_options().key_file
    if path is None:
        raise InvalidInput("Name the file with --file, or set AUDIT_SIGNING_KEY_FILE.", field="file")
    if options["show"]:
        signers = read_keys(path)
    elif options["rotate"]:
        signers = rotate_keys(path)
    elif options["retire"]:
        signers = retire_keys(path)
    else:
        signers = make_keys(path, options["name"] or new_name())
    verifiers = [str(signer.verifier) for signer in signers]
    return {"verb": "key", "file": str(path), "public_key": verifiers[0], "also_signing": verifiers[1:]}


def describe(result: Mapping[str, Any]) -> str:
    lines = [f"Key file: {result['file']}", f"Public key: {result['public_key']}"]
    return "\n".join([*lines, *(f"Also signing: {verifier}" for verifier in result["also_signing"])])
