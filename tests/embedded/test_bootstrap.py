import json
import os
import stat
from pathlib import Path

import pytest

from governance.embedded import bootstrap


def _pip(folder: Path, listed: str) -> list[str]:
    """A pip whose `config list` says `listed`."""
    script = folder / "pip"
    script.write_text(f"#!/bin/sh\ncat <<'END'\n{listed}\nEND\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return [str(script)]


def test_pips_configuration_is_read_with_the_environment_first(tmp_path: Path) -> None:
    pip = _pip(
        tmp_path,
        "global.index-url='https://global.example.org/simple'\n"
        "install.find-links='/wheels'\n"
        "global.extra-index-url='https://one.example.org/ https://two.example.org/'\n"
        ":env:.index-url='https://env.example.org/simple'\n"
        "freeze.all='true'",
    )
    assert bootstrap.pip_configuration(pip) == {
        "index-url": ["https://env.example.org/simple"],
        "find-links": ["/wheels"],
        "extra-index-url": ["https://one.example.org/", "https://two.example.org/"],
    }


def test_uv_is_told_what_pip_reads_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setattr(bootstrap, "system_certificates", lambda: True)
    arguments, environment = bootstrap.uv_arguments(
        {
            "index-url": ["https://env.example.org/simple"],
            "extra-index-url": ["https://one.example.org/", "https://two.example.org/"],
            "find-links": ["/wheels"],
            "cert": ["/etc/authority.pem"],
        }
    )
    assert arguments == [
        *("--default-index", "https://env.example.org/simple"),
        *("--index", "https://one.example.org/", "--index", "https://two.example.org/"),
        *("--find-links", "/wheels"),
        *("--index-strategy", "unsafe-best-match"),
        "--system-certs",
    ]
    assert environment["SSL_CERT_FILE"] == "/etc/authority.pem"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A checkout in `tmp_path` where installing writes down what it would install."""
    requirements = tmp_path / "requirements"
    requirements.mkdir()
    for name in ("base.txt", "embedded.txt", "dev.txt", "install.txt"):
        (requirements / name).write_text(f"# {name}\n")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    done: list[list[str]] = []
    for name, value in {
        "ROOT": tmp_path,
        "VENV": tmp_path / ".venv",
        "PYTHON": python,
        "REQUIREMENTS": requirements,
        "STAMP": tmp_path / ".venv" / ".installed.json",
        "make_venv": lambda: None,
        "install_packages": done.append,
    }.items():
        monkeypatch.setattr(bootstrap, name, value)
    return done


def test_a_second_run_installs_nothing_and_a_changed_file_installs_again(checkout: list[list[str]]) -> None:
    bootstrap.install("up")
    bootstrap.install("up")
    assert checkout == [["base.txt", "embedded.txt"]]
    bootstrap.install("dev")
    bootstrap.install("up")
    assert checkout[1:] == [["base.txt", "embedded.txt", "dev.txt"]]
    (bootstrap.REQUIREMENTS / "embedded.txt").write_text("# changed\n")
    bootstrap.install("up")
    assert checkout[2:] == [["base.txt", "embedded.txt"]]
    assert json.loads(bootstrap.STAMP.read_text()).keys() >= {"dev.txt", "base.txt", "install.txt"}


def test_clouds_that_are_named_bring_their_sdks(
    checkout: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (bootstrap.REQUIREMENTS / "azure.txt").write_text("# azure\n")
    bootstrap.install("up")
    monkeypatch.setenv("CLOUDS", "azure")
    bootstrap.install("up")
    assert checkout == [["base.txt", "embedded.txt"], ["base.txt", "embedded.txt", "azure.txt"]]
    monkeypatch.setenv("CLOUDS", "azure oracle")
    with pytest.raises(SystemExit, match="CLOUDS names oracle"):
        bootstrap.install("up")


def test_a_failed_install_is_tried_again(checkout: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(files: list[str]) -> None:
        raise SystemExit("no network")

    with monkeypatch.context() as patch:
        patch.setattr(bootstrap, "install_packages", fail)
        with pytest.raises(SystemExit):
            bootstrap.install("up")
    bootstrap.install("up")
    assert checkout == [["base.txt", "embedded.txt"]]


def test_missing_venv_package_is_named_to_who_may_not_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(SystemExit, match=r"sudo apt-get install python3\.\d+-venv"):
        bootstrap.install_ensurepip()


def test_an_old_python_without_a_newer_one_is_told_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "OLDEST", (99, 0))
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match=r"Python 99\.0 or newer is needed; this is 3\."):
        bootstrap.require_python()
