"""Which user a server runs as. PostgreSQL refuses to run as root, so there it gets another identity.

1. Not root: as we are.
2. Root, and every folder on the way can be entered by `nobody`: as `nobody`.
3. Root, in a checkout below a closed folder (`/root` is 0700): as `nobody` too, with the one capability that lets
   it pass closed folders (capabilities(7), as an ambient one, so that it survives exec). Unlike a user namespace
   this works in containers and chroots.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import stat
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# linux/capability.h, linux/prctl.h, linux/securebits.h
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
_CAPABILITY_VERSION_3 = 0x20080522
_PR_SET_SECUREBITS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 28, 47, 2
_NO_SETUID_FIXUP = 1 << 2


class NoAccount(RuntimeError):
    """Root, and no way to run a server as somebody else."""


@dataclass(frozen=True)
class Account:
    """The user and group that a server runs as and that own its files, and a capability that it keeps."""

    uid: int
    gid: int
    capability: int | None = None

    @property
    def is_ours(self) -> bool:
        return self.uid == os.geteuid()

    def popen_arguments(self, then: Callable[[], None] | None = None) -> dict[str, Any]:
        """Keywords for `subprocess` that make the child run as this account; `then` runs in it, last."""
        if self.is_ours:
            return {"preexec_fn": then}
        if self.capability is None:
            return {"user": self.uid, "group": self.gid, "extra_groups": [], "preexec_fn": then}
        capability = self.capability

        def become() -> None:
            _become_with_capability(self.uid, self.gid, capability)
            if then is not None:
                then()

        return {"preexec_fn": become}

    def own(self, folder: Path) -> None:
        """Make `folder` and all that is in it this account's, where it is somebody else's."""
        if os.geteuid() != 0 or folder.stat().st_uid == self.uid:
            return
        for parent, _, files in os.walk(folder):
            os.chown(parent, self.uid, self.gid)
            for name in files:
                os.chown(Path(parent) / name, self.uid, self.gid, follow_symlinks=False)


OURSELVES = Account(os.geteuid(), os.getegid())

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _call(name: str, *arguments: object) -> None:
    if _libc is None or getattr(_libc, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


def _become_with_capability(uid: int, gid: int, capability: int) -> None:
    """Change to the user for good and keep the capability over the change and over exec; in the forked child."""
    # Without it access(2), which PostgreSQL asks about its programs, ignores the capability of a non-root user.
    _call("prctl", _PR_SET_SECUREBITS, _NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    # Two triples (low and high 32 capabilities): effective, permitted, inheritable.
    only = 1 << capability
    _call("capset", header, (ctypes.c_uint32 * 6)(only, only, only, 0, 0, 0))
    _call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0)


def _passing_capability() -> int | None:
    """The weakest capability of ours that passes closed folders: reading only, or (in containers) all."""
    try:
        status = Path("/proc/self/status").read_text()
    except FileNotFoundError:
        return None
    line = next(line for line in status.splitlines() if line.startswith("CapPrm:"))
    permitted = int(line.split()[1], 16)
    held = (one for one in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE) if permitted & 1 << one)
    return next(held, None)


def _barrier(path: Path, uid: int, gid: int) -> Path | None:
    """The first folder on the way to `path` that `uid` may not enter, or None."""
    for folder in (*reversed(path.parents), path):
        if not folder.is_dir():
            continue
        status = folder.stat()
        if status.st_uid == uid:
            needed = stat.S_IXUSR
        elif status.st_gid == gid:
            needed = stat.S_IXGRP
        else:
            needed = stat.S_IXOTH
        if not status.st_mode & needed:
            return folder
    return None


def unprivileged(paths: Iterable[Path]) -> Account:
    """An account that is not root and can reach all `paths`. NoAccount says what stands in the way."""
    if os.geteuid() != 0:
        return OURSELVES
    nobody = pwd.getpwnam("nobody")
    barriers = [_barrier(path.resolve(), nobody.pw_uid, nobody.pw_gid) for path in paths]
    barrier = next((folder for folder in barriers if folder), None)
    if barrier is None:
        return Account(nobody.pw_uid, nobody.pw_gid)
    capability = _passing_capability()
    if capability is None:
        raise NoAccount(
            f"PostgreSQL does not run as root, and {barrier} lets no other user in: put the checkout elsewhere, "
            "or give a server by DATABASE_URL and DATABASE_OWNER_URL"
        )
    return Account(nobody.pw_uid, nobody.pw_gid, capability)
