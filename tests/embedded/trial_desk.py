"""The supervisor with the real servers and, in place of the product, programs that start in no time.

Run as `python trial_desk.py VAR`. `TRIAL_MIGRATE` is the exit code of the migration step.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from governance.embedded import addresses, web
from governance.embedded.applications import Applications
from governance.embedded.process import Program
from governance.embedded.supervisor import Supervisor


def applications(var: Path, environment: Mapping[str, str]) -> Applications:
    port = addresses.web_port(environment)
    site = var / "site"
    site.mkdir(exist_ok=True)

    def program(name: str, *words: str) -> Program:
        return Program(name, [sys.executable, *words], var / "log" / f"{name}.log", site, environment)

    server = program("web", "-m", "http.server", str(port), "--bind", "127.0.0.1")
    return Applications(
        migrate=program("migrate", "-c", f"raise SystemExit({environment.get('TRIAL_MIGRATE', '0')})"),
        web=Program(**{**vars(server), "ready": lambda pid, log: web.answers(port)}),
        others=[program("worker", "-c", "import time; time.sleep(3600)")],
        afterwards=None,
    )


if __name__ == "__main__":
    sys.exit(Supervisor(Path(sys.argv[1]), os.environ, applications).run())
