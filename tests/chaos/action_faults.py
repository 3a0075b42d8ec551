"""`kill -9` of a part of an installation while an action is in a state, and what must hold afterwards.

`python -m tests.chaos.action_faults [--rounds N] [--seed S]` tries each state with each component, then ten seeded
random moments, N times over, and prints the table. The same trials are tests in test_kill_during_actions.py.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.chaos.stack import ROOT, Stack
from tests.fixtures.cloud import FOLDER, FileCloud

STATES = ("queued", "preflight", "approval", "in_progress", "verifying")
COMPONENTS = ("worker", "broker", "database", "object store")
PROGRAMS = {"worker": "worker", "broker": "valkey", "database": "postgres", "object store": "s3"}
BUCKETS = 2
# Long enough for a fault to come in the midst of it.
SLOW = 0.6
LIMIT = 240.0


@dataclass
class Installation:
    """A stack whose cloud is a folder, and a tenant with people in it."""

    stack: Stack
    cloud: FileCloud
    used: int = 0
    rows: list[Trial] = field(default_factory=list)

    @classmethod
    def make(cls) -> Installation:
        stack = Stack.make(settings="tests.chaos.action_settings", folders=(FOLDER,))
        made = cls(stack, FileCloud(Path(stack.environment[FOLDER])))
        made.people("setup")
        stack.start("worker", "beat")
        return made

    def people(self, *words: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-m", "tests.chaos.people", *words],
            env=self.stack.environment, cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}\n{self.stack.said()}"
        return dict(json.loads(done.stdout.strip().splitlines()[-1]))

    def action(self, action_id: str) -> dict[str, Any]:
        rows = self.stack.query("SELECT to_jsonb(a) FROM actions a WHERE id = %s", [action_id])
        return dict(rows[0][0])

    def revive(self) -> None:
        for name in ("postgres", "valkey", "s3", "worker", "beat"):
            if name not in self.stack.processes:
                self.stack.start_again(name)


@dataclass(frozen=True)
class Trial:
    """One fault: in which state, of what, how long after the state was seen, and how it went."""

    state: str
    component: str
    pause: float
    where: str
    seconds: float = 0.0
    changes: int = 0
    problem: str = ""

    def __str__(self) -> str:
        went = self.problem or f"completed once, {self.changes} changes, evidence whole"
        return f"| {self.state} | {self.component} | {self.pause:.2f} s | {went} | {self.seconds:.0f} s |"


def each() -> list[Trial]:
    return [Trial(state, component, 0.1, "before") for state in STATES for component in COMPONENTS]


def named(words: str) -> list[Trial]:
    """The one trial of each() that `state:component` names."""
    chosen = [trial for trial in each() if f"{trial.state}:{trial.component}" == words]
    if not chosen:
        raise SystemExit(f"{words!r}: no such trial; STATE is of {STATES}, COMPONENT of {COMPONENTS}")
    return chosen


def random_trials(seed: int, count: int = 10) -> list[Trial]:
    dice = random.Random(seed)  # a failure can be seen again
    return [
        Trial(
            dice.choice(STATES),
            dice.choice(COMPONENTS),
            dice.uniform(0, 1.5),
            dice.choice(("before", "after")),
        )
        for _ in range(count)
    ]


def try_fault(home: Installation, trial: Trial) -> Trial:
    """Raises AssertionError, with every log's end, where something that must hold does not."""
    stack, first = home.stack, home.used
    home.used += BUCKETS
    names = [f"arn:aws:s3:::bucket-{n}" for n in range(first, first + BUCKETS)]
    for name in names:
        home.cloud.make(name, public=True)
    home.cloud.slow(SLOW, trial.where)
    if trial.state == "queued":
        stack.halt("worker")
    began = time.monotonic()
    action_id = home.people("propose", str(first), str(BUCKETS))["action"]
    if trial.state in ("queued", "preflight"):
        _wait_until(home, action_id, trial)
        _kill(home, trial)
    _wait(home, action_id, lambda a: a["status"] == "preflight" and a["waits_for"] == "approval")
    if trial.state == "approval":
        _kill(home, trial)
    home.people("approve", action_id)
    if trial.state in ("in_progress", "verifying"):
        _wait_until(home, action_id, trial)
        _kill(home, trial)
    home.cloud.slow(0)
    _wait(home, action_id, lambda a: a["status"] in ("completed", "failed", "rolled_back"))
    changes = _holds(home, action_id, names)
    seconds = time.monotonic() - began
    return Trial(trial.state, trial.component, trial.pause, trial.where, seconds, changes)


def _wait_until(home: Installation, action_id: str, trial: Trial) -> None:
    """The action is in the state, and its job has gone some way into it."""
    _wait(home, action_id, lambda a: a["status"] == trial.state or a["status"] in ("completed", "failed"))
    time.sleep(trial.pause)


def _wait(home: Installation, action_id: str, done: Callable[[dict[str, Any]], bool]) -> None:
    home.stack.wait_for(lambda: done(home.action(action_id)), LIMIT)


def _kill(home: Installation, trial: Trial) -> None:
    name = PROGRAMS[trial.component]
    if name in home.stack.processes:
        home.stack.kill(name)
        time.sleep(1)
    home.revive()


def _holds(home: Installation, action_id: str, names: list[str]) -> int:
    """Ended once and completed; each bucket changed just once; evidence whole; no job left; the trail without gap."""
    action = home.action(action_id)
    assert action["status"] == "completed", (action["result"], _events(home, action_id), home.stack.said())
    for name in names:
        assert home.cloud.look(name)["public"] is False, (name, home.cloud.changes())
    mine = [change for change in home.cloud.changes() if change["ident"] in names]
    assert sorted(change["ident"] for change in mine) == sorted(names), mine
    targets = home.stack.query("SELECT state, tries FROM action_targets WHERE action_id = %s", [action_id])
    assert targets == [("verified", 1)] * BUCKETS, (targets, _events(home, action_id))
    checked = home.people("verify", action_id)
    assert checked["artifacts"] >= 5, (checked, _events(home, action_id))
    assert checked["damaged"] == [], checked
    codes = [
        code
        for (code,) in home.stack.query(
            "SELECT action FROM audits WHERE target_type = 'actions.action' AND target_id = %s ORDER BY created_at, id",
            [action_id],
        )
    ]
    for once in ("requested", "approved", "in_progress", "verifying", "completed"):
        assert codes.count(f"actions.action.{once}") == 1, codes
    home.stack.wait_for(lambda: _unfinished(home, action_id) == 0, LIMIT)
    return len(mine)


def _unfinished(home: Installation, action_id: str) -> int:
    sql = "SELECT count(*) FROM jobs WHERE params ->> 'action' = %s AND status IN ('queued', 'running')"
    return int(home.stack.query(sql, [action_id])[0][0])


def _events(home: Installation, action_id: str) -> list[str]:
    rows = home.stack.query("SELECT message FROM action_events WHERE action_id = %s ORDER BY id", [action_id])
    return [str(message) for (message,) in rows]


def _what_failed(error: AssertionError) -> str:
    """The assertion as it is written, with what it was told: one without words would leave a table without a cause."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.name}:{frame.lineno} `{frame.line}` {' '.join(str(error).split())[:600]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1, help="how many times the whole set is tried")
    parser.add_argument("--only", help="a state and a component, e.g. verifying:worker: this one alone")
    parser.add_argument("--seed", type=int, default=1, help="of the random moments; each round adds one")
    options = parser.parse_args()
    home, failed = Installation.make(), 0
    print("| state | killed | after | what became of it | whole trial |\n|---|---|---|---|---|", flush=True)  # noqa: T201
    try:
        for round_ in range(options.rounds):
            trials = [*each(), *random_trials(options.seed + round_)]
            for trial in trials if options.only is None else named(options.only):
                try:
                    row = try_fault(home, trial)
                except AssertionError as error:
                    failed += 1
                    row = replace(trial, problem=f"FAILED: {_what_failed(error)}")
                    home.revive()
                print(row, flush=True)  # noqa: T201
    finally:
        home.stack.stop()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
