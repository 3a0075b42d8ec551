"""The frame of `make bench`."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import run
from benchmarks.frame import Row, at_least, at_most
from benchmarks.run import ROOT, choose, subjects

# No subject may take longer, in seconds; `make bench` gives each its own limit and all of them the sum.
LONGEST = 600


def test_every_subject_says_what_it_is_and_has_a_bound() -> None:
    found = subjects()
    assert "policy_hits" in found
    assert all(title.endswith(".") and 0 < seconds <= LONGEST for title, seconds in found.values())
    for name in found:
        assert (
            "\ndef run(bench: Bench) -> Iterator[Row]:"
            in (ROOT / "benchmarks/subjects" / f"{name}.py").read_text()
        )


def test_an_unknown_benchmark_is_named() -> None:
    with pytest.raises(SystemExit, match=r"no benchmark 'nothing'; known: .*policy_hits"):
        choose(["nothing"])


def test_a_goal_is_met_or_missed_by_the_ratio() -> None:
    assert at_least(4, "w", 1.0, 4.0).met is True
    assert at_least(4, "w", 1.0, 3.9).met is False
    assert at_most(0.05, "w", 0.05, 1.0).met is True
    assert at_most(0.05, "w", 0.06, 1.0).met is False


def test_starting_the_servers_is_no_subject_s_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    limits: list[float] = []

    class SlowPlace:
        server = "18"

        def __init__(self) -> None:
            clock[0] += 30

        def stop(self) -> None: ...

    def measured(name: str, limit: float, *_: Any) -> Iterator[Row]:
        limits.append(limit)
        yield Row(name, "1 s")

    monkeypatch.setattr(run, "Place", SlowPlace)
    monkeypatch.setattr(run, "measured", measured)
    monkeypatch.setattr(run, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    given = argparse.Namespace(names=["policy_hits"], total=None, json=True, strict=False)
    assert run.run_all(given) == 0
    assert limits == [subjects()["policy_hits"][1]]


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    return subprocess.run(
        [sys.executable, str(Path(ROOT) / "benchmarks" / "run.py"), *arguments],
        capture_output=True, text=True, check=False, cwd=ROOT, timeout=240, env=environment,
    )  # fmt: skip


@pytest.mark.slow
def test_a_run_measures_both_sides_and_names_the_machine() -> None:
    ran = _run("policy_hits", "--rows", "2000", "--json")
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert "PostgreSQL" in told["machine"]
    assert len(told["rows"]) == 7
    assert all(row["ratio"] > 0 and row["ours"] and row["theirs"] for row in told["rows"])


@pytest.mark.slow
def test_what_does_not_finish_in_its_time_is_ended_and_said() -> None:
    ran = _run("policy_hits", "--rows", "2000000", "--total", "30")
    assert ran.returncode == 1
    assert "not finished in" in ran.stdout or "no time left" in ran.stdout
