"""From a bare Python to the running product: make `.venv`, install what is pinned, hand over.

    python3 governance/embedded/bootstrap.py up|down|status|logs|reset     install what that needs, then do it
    python3 governance/embedded/bootstrap.py install up|dev                install only

Standard library only, and readable by old Pythons as far as the message that they are too old.
"""

from __future__ import annotations

import ast
import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import ssl
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
REQUIREMENTS = ROOT / "requirements"
STAMP = VENV / ".installed.json"

OLDEST = (3, 11)
NEWER = ("python3.13", "python3.12", "python3.11")

# The files of each target; one that is not there (yet) is left out.
FILES = {
    "up": ("base.txt", "embedded.txt", "demo.txt"),
    "dev": ("base.txt", "embedded.txt", "demo.txt", "azure.txt", "gcp.txt", "ibm.txt", "dev.txt"),
}
# Wheels only, but for the one package that has none.
WHEELS = ("--only-binary", ":all:", "--no-binary", "django-timescaledb")
# Clouds whose SDKs `CLOUDS="azure gcp ibm" make up` installs as well.
CLOUDS = ("azure", "gcp", "ibm")


def files_of(target: str) -> tuple[str, ...]:
    """The target's files, with those of the clouds that the environment names."""
    named = os.environ.get("CLOUDS", "").replace(",", " ").split()
    unknown = [name for name in named if name not in CLOUDS]
    if unknown:
        sys.exit(f"CLOUDS names {', '.join(unknown)}; there are requirements for {', '.join(CLOUDS)}.")
    return tuple(dict.fromkeys((*FILES[target], *(f"{name}.txt" for name in named))))


def say(text: str) -> None:
    """One line of progress."""
    print(text, flush=True)


def require_python() -> None:
    """Go on with a Python that is new enough, or end with what is needed."""
    if sys.version_info >= OLDEST:
        return
    for name in NEWER:
        found = shutil.which(name)
        # A version manager's shim may be there without its Python.
        if found and subprocess.call([found, "-c", ""], stderr=subprocess.DEVNULL) == 0:
            os.execv(found, [found, *sys.argv])  # noqa: S606
    sys.exit(
        f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed; this is {sys.version.split()[0]}, and none "
        f"of {', '.join(NEWER)} is installed."
    )


def make_venv() -> None:
    """Make `.venv` where there is none that works."""
    if (
        PYTHON.exists()
        and subprocess.call(
            [str(PYTHON), "-m", "pip", "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        == 0
    ):
        return
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        install_ensurepip()
    subprocess.check_call([sys.executable, "-m", "venv", "--clear", str(VENV)])


def install_ensurepip() -> None:
    """Debian keeps venv's half in a package of its own: install it when root, else say how."""
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    commands = [["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", package]]
    if not shutil.which("apt-get"):
        sys.exit("This Python lacks ensurepip: install its venv package, then run make again.")
    if os.geteuid() != 0:
        sys.exit(f"Python's venv package is missing: sudo apt-get install {package}")
    say(f"Python's venv package is missing: installing {package}")
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    for command in commands:
        if subprocess.call(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL):
            sys.exit(f"{' '.join(command)} failed")


def hashes(files: tuple[str, ...]) -> dict[str, str]:
    """SHA-256 of each requirement file that is there."""
    found = (REQUIREMENTS / name for name in files)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in found if path.exists()}


def installed() -> dict[str, str]:
    """The hashes that were installed last; {} when in doubt."""
    try:
        values = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) and PYTHON.exists() else {}


def pip_configuration(pip: list[str]) -> dict[str, list[str]]:
    """pip's own settings ({"index-url": [...], ...}), from its files and PIP_*: the environment wins."""
    listed = subprocess.run([*pip, "config", "list"], capture_output=True, text=True, check=False).stdout
    found: dict[str, tuple[int, str]] = {}
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        rank = {":env:": 3, "install": 2, "global": 1}.get(section.rstrip("."), 0)
        if rank and rank > found.get(name, (0, ""))[0]:
            found[name] = (rank, ast.literal_eval(value))
    return {name: value.split() for name, (_, value) in found.items()}


def uv_arguments(settings: dict[str, list[str]]) -> tuple[list[str], dict[str, str]]:
    """pip's settings as uv's arguments and environment; uv reads none of pip's itself."""
    arguments: list[str] = []
    flags = (
        ("index-url", "--default-index"),
        ("extra-index-url", "--index"),
        ("find-links", "--find-links"),
        ("trusted-host", "--allow-insecure-host"),
    )
    for name, flag in flags:
        for value in settings.get(name, []):
            arguments += [flag, value]
    if settings.get("extra-index-url"):
        # As pip does: the best version of all indexes, not of the first that knows the name.
        arguments += ["--index-strategy", "unsafe-best-match"]
    if settings.get("no-index") in (["true"], ["1"], ["yes"], ["on"]):
        arguments += ["--no-index"]
    if system_certificates():
        arguments += ["--system-certs"]
    environment = dict(os.environ)
    for name, variable in (("cert", "SSL_CERT_FILE"), ("proxy", "ALL_PROXY"), ("timeout", "UV_HTTP_TIMEOUT")):
        if settings.get(name):
            environment.setdefault(variable, settings[name][0])
    if settings.get("default-timeout"):
        environment.setdefault("UV_HTTP_TIMEOUT", settings["default-timeout"][0])
    return arguments, environment


def system_certificates() -> bool:
    """Whether the system has certificate authorities: they count then, as for pip, and not uv's own list."""
    paths = ssl.get_default_verify_paths()
    return bool(paths.cafile or (paths.capath and any(Path(paths.capath).iterdir())))


def install_packages(files: list[str]) -> None:
    """Install by uv (several times faster), or by pip where uv can't."""
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check"]
    wanted = [word for name in files for word in ("-r", str(REQUIREMENTS / name))]
    uv = VENV / "bin" / "uv"
    pinned = REQUIREMENTS / "install.txt"
    if subprocess.call([*pip, "install", "-q", "--only-binary", ":all:", "-r", str(pinned)]) == 0:
        arguments, environment = uv_arguments(pip_configuration(pip))
        command = [
            str(uv),
            "pip",
            "install",
            "-q",
            "--compile-bytecode",
            "--python",
            str(PYTHON),
            *arguments,
            *WHEELS,
            *wanted,
        ]
        if subprocess.call(command, env=environment) == 0:
            return
    say("uv could not install; trying pip, which takes longer")
    if subprocess.call([*pip, "install", "-q", *WHEELS, *wanted]):
        sys.exit("The packages could not be installed; the lines above say why.")


def install(target: str) -> None:
    """Install what the target needs, unless the stamp says that it is there."""
    files = files_of(target)
    wanted = hashes((*files, "install.txt"))
    if wanted.items() <= installed().items():
        return
    (ROOT / "var").mkdir(exist_ok=True)
    with (ROOT / "var" / ".install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two targets at once: the second finds it done
        if wanted.items() <= installed().items():
            return
        began = time.monotonic()
        say(f"Installing into {VENV}")
        make_venv()
        install_packages([name for name in files if name in wanted])
        STAMP.write_text(json.dumps(dict(installed(), **wanted), indent=1))
        say(f"Installed in {time.monotonic() - began:.1f} s")


def main(words: list[str]) -> None:
    """See the module's text."""
    require_python()
    os.chdir(str(ROOT))
    if len(words) == 2 and words[0] == "install" and words[1] in FILES:
        install(words[1])
        return
    if len(words) != 1 or words[0] not in ("up", "down", "status", "logs", "reset"):
        sys.exit(__doc__)
    if words[0] == "up":
        install("up")
    elif not PYTHON.exists():
        say("Nothing is installed, so nothing runs.")
        return
    os.execv(str(PYTHON), [str(PYTHON), "-m", "governance.embedded", words[0]])  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
