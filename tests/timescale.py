"""A real TimescaleDB for tests: Debian's packages in a folder, `var/timescale/root`, run in a chroot.

    .venv/bin/python -m tests.timescale build      make it where there is none (root; about half a minute)

PyPI has no TimescaleDB. Debian's is the Apache edition: hypertables, time_bucket, drop_chunks; but no
compression, continuous aggregates or retention policies. The mirror is the one that this machine's apt uses.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from governance.embedded import kept, leftovers
from governance.embedded.account import Account
from governance.embedded.postgres import Installation

CACHE = Path(__file__).resolve().parents[1] / "var" / "timescale"
ROOT = CACHE / "root"

SUITE = "trixie"  # the first Debian release with the package
VERSION = "17"
PACKAGES = f"postgresql-{VERSION},postgresql-{VERSION}-timescaledb"
PROGRAMS = ROOT / "usr" / "lib" / "postgresql" / VERSION / "bin"

SETTINGS = {
    "shared_preload_libraries": "timescaledb",
    "timescaledb.telemetry_level": "off",
    # No /dev/shm of its own in the chroot.
    "dynamic_shared_memory_type": "mmap",
    "jit": "off",
}


class Unavailable(RuntimeError):
    """There is no TimescaleDB here, and why."""


@dataclass(frozen=True)
class Inside(Account):
    """An account inside a chroot; only root can go there."""

    root: Path = ROOT

    def popen_arguments(self, then: Callable[[], None] | None = None) -> dict[str, Any]:
        """Enter the chroot, become the account, then `then`: each needs what the next drops."""

        def enter() -> None:
            os.chroot(self.root)
            os.chdir("/")
            os.setgroups([])
            os.setgid(self.gid)
            os.setuid(self.uid)
            if then is not None:
                then()

        return {"preexec_fn": enter}


def installation() -> Installation:
    """The cached build. Unavailable where there is none."""
    if not (PROGRAMS / "postgres").exists():
        raise Unavailable("there is no TimescaleDB under var/timescale: make test-timescale builds it")
    if os.geteuid() != 0:
        raise Unavailable("the TimescaleDB under var/timescale runs in a chroot, which only root may enter")
    entries = [line.split(":") for line in (ROOT / "etc" / "passwd").read_text().splitlines()]
    uid, gid = next((int(entry[2]), int(entry[3])) for entry in entries if entry[0] == "postgres")
    return Installation(PROGRAMS, Inside(uid, gid), ROOT)


def new_folder() -> Path:
    """A folder for one run's cluster inside the chroot; those of runs that were killed are deleted."""
    parent = ROOT / "srv"
    for old in parent.iterdir():
        owner = old.name.partition("-")[0]
        if owner.isdigit() and leftovers.birth(int(owner)) is None:
            shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=parent))
    folder.chmod(0o755)
    return folder


def mirror() -> str:
    """The address of the Debian mirror in this machine's apt sources."""
    release = dict(
        line.partition("=")[::2] for line in Path("/etc/os-release").read_text().splitlines() if "=" in line
    )
    codename = release.get("VERSION_CODENAME", "").strip('"')
    if release.get("ID", "").strip('"') != "debian" or not shutil.which("apt-get"):
        raise Unavailable("TimescaleDB comes from Debian's mirror, and this is not a Debian")
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(CREATED_BY) $(COMPONENT) $(RELEASE) $(REPO_URI)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for line in listed.splitlines():
        kind, component, suite, address = line.split(maxsplit=3)
        if (kind, component, suite) == ("Packages", "main", codename):
            return address
    raise Unavailable(f"no source for Debian {codename} main in apt's sources")


def build() -> None:
    """Make the chroot where there is none: beside, then renamed. Unavailable says what is missing."""
    if (PROGRAMS / "postgres").exists():
        return
    if os.geteuid() != 0:
        raise Unavailable("building it takes root; an ordinary user can give a TimescaleDB by DATABASE_URL")
    address = mirror()
    if not shutil.which("mmdebstrap"):
        _apt_install("mmdebstrap")
    kept.make_folder(CACHE)
    unfinished = CACHE / "root.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    command = [
        "mmdebstrap",
        "--quiet",
        "--mode=root",
        "--variant=essential",
        f"--include={PACKAGES}",
        *_apt_options(),
        '--aptopt=APT::Install-Recommends "false"',
        "--dpkgopt=force-unsafe-io",
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--dpkgopt=path-exclude=/usr/share/man/*",
        SUITE,
        str(unfinished),
        address,
    ]
    if subprocess.call(command, stdin=subprocess.DEVNULL):
        raise Unavailable("mmdebstrap failed; its lines above say why")
    unfinished.rename(ROOT)


def _apt_options() -> list[str]:
    """This machine's way to its mirror (a proxy, retries), which mmdebstrap's apt does not read by itself."""
    dumped = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    wanted = ("Acquire::http", "Acquire::https", "Acquire::Retries", "Acquire::Check-Valid-Until")
    return [
        f"--aptopt={line.rstrip(';')}"
        for line in dumped.splitlines()
        if line.startswith(wanted) and not line.endswith('"";')
    ]


def _apt_install(package: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", package]):
        command = ["apt-get", *words]
        if subprocess.call(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL):
            raise Unavailable(f"apt-get {' '.join(words)} failed")


def main(words: list[str]) -> int:
    """`build`, and how long it took."""
    if words != ["build"]:
        sys.stdout.write(__doc__ or "")
        return 2
    began = time.monotonic()
    try:
        build()
    except Unavailable as reason:
        sys.stderr.write(f"{reason}\n")
        return 1
    sys.stdout.write(f"TimescaleDB: {ROOT} ({time.monotonic() - began:.1f} s)\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
