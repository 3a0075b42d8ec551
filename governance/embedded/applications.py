"""What runs on the servers: the migration step, web, worker, beat, the sealer, and the demo's filler."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from governance.embedded import addresses, beat, cloud, ports, web, worker
from governance.embedded.process import Program

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Applications:
    """`migrate` ends before `web` starts; `others` start once it answers; `afterwards` runs once then."""

    migrate: Program
    web: Program
    others: Sequence[Program]
    afterwards: Program | None


def manage(name: str, log: Path, environment: Mapping[str, str], *words: str, niceness: int = 0) -> Program:
    """A `manage.py` command as a step that ends by itself."""
    return Program(
        name=name,
        command=[sys.executable, str(ROOT / "manage.py"), *words],
        log=log,
        cwd=ROOT,
        environment=environment,
        niceness=niceness,
    )


def product(var: Path, environment: Mapping[str, str]) -> Applications:
    """The product's own processes. Web, worker and beat never see the owner's address, nor the sealer's key.

    `DEMO=0` in the environment leaves the demo out, and its cloud.
    """
    log = var / "log"
    app = addresses.without_owner(environment)
    with_demo = environment.get("DEMO", "1") != "0"
    demo = manage("demo", log / "demo.log", environment, "demo", "fill", "--if-empty", niceness=5)
    return Applications(
        migrate=manage("migrate", log / "migrate.log", environment, "migrate", "--no-input"),
        web=web.program(ROOT, log / "web.log", addresses.web_port(environment), app),
        others=[
            worker.program(ROOT, log / "worker.log", app),
            beat.program(ROOT, log / "beat.log", var / "beat", app),
            manage(
                "sealer",
                log / "sealer.log",
                addresses.for_sealer(environment),
                "audit",
                "seal",
                "--watch",
                "--make-key",
            ),
            *([_cloud(var, environment)] if with_demo else []),
        ],
        afterwards=demo if with_demo else None,
    )


def _cloud(var: Path, environment: Mapping[str, str]) -> Program:
    """Beside the product: nothing waits for it but the demo's filling."""
    return cloud.program(
        ROOT, var / "cloud", var / "log" / "cloud.log", ports.read(var)["cloud"], environment
    )
