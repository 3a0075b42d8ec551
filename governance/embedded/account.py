"""Which user a server runs as. PostgreSQL refuses to run as root, so there it gets another identity.

1. Not root: as we are.
2. Root, and every folder on the way can be entered by `nobody`: as `nobody`.
3. Root, in a checkout below a 0700 folder (`/root`): in a user namespace of its own, where root is called
   65534. To the kernel outside it still is root (so the folders open), inside it has no privilege at all.
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

_CLONE_NEWUSER = 0x10000000
_NOBODY = 65534


class NoAccount(RuntimeError):
    """Root, and no way to run a server as somebody else."""


@dataclass(frozen=True)
class Account:
    """`uid` and `gid` own the server's files; `namespace`: they are mapped to `nobody`, not changed to it."""

    uid: int
    gid: int
    namespace: bool = False

    @property
    def is_ours(self) -> bool:
        return self.uid == os.geteuid() and not self.namespace

    def popen_arguments(self, then: Callable[[], None] | None = None) -> dict[str, Any]:
        """Keywords for `subprocess` that make the child run as this account; `then` runs in it, last."""
        if self.is_ours:
            return {"preexec_fn": then}
        if not self.namespace:
            return {"user": self.uid, "group": self.gid, "extra_groups": [], "preexec_fn": then}

        def enter() -> None:
            _enter_namespace()
            if then is not None:
                then()

        return {"preexec_fn": enter}

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


def _enter_namespace() -> None:
    """unshare(CLONE_NEWUSER) and map ourselves to nobody; runs in the forked child (user_namespaces(7))."""
    uid, gid = os.geteuid(), os.getegid()
    if _libc is None or _libc.unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWUSER)")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{_NOBODY} {uid} 1"),
        ("gid_map", f"{_NOBODY} {gid} 1"),
    ):
        Path(f"/proc/self/{name}").write_text(text)


def _namespace_works() -> bool:
    child = os.fork()
    if child == 0:
        try:
            _enter_namespace()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


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
    if sys.platform == "linux" and _namespace_works():
        return Account(0, 0, namespace=True)
    raise NoAccount(
        f"PostgreSQL does not run as root, {barrier} lets no other user in, and this machine allows no user "
        "namespaces: put the checkout elsewhere, or give a server by DATABASE_URL and DATABASE_OWNER_URL"
    )
