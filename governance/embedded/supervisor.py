"""Starts the servers and the product in order, keeps them running, stops them in reverse.

Everything runs on the main thread: the kernel ties a child's death signal to the thread that forked it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from governance.embedded import addresses, leftovers, ports, postgres, s3, state, valkey
from governance.embedded.applications import Applications, product
from governance.embedded.ports import LOOPBACK
from governance.embedded.process import Failed, Process, Program, rotate_logs
from governance.embedded.watched import Watched

PAUSE = 0.02  # seconds between two looks while starting
WATCH = 0.2  # … and while all runs


class Stopped(Exception):
    """We were asked to stop while still starting."""


class Supervisor:
    """One embedded default, under `var`. `environ` decides which servers are external."""

    def __init__(
        self,
        var: Path,
        environ: Mapping[str, str],
        applications: Callable[[Path, Mapping[str, str]], Applications] = product,
    ) -> None:
        self.var = var
        self.external = addresses.external(environ)
        if addresses.POSTGRES in self.external and not environ.get("DATABASE_OWNER_URL"):
            raise addresses.MissingVariable("DATABASE_OWNER_URL is empty: migrations connect as the owner")
        self.address = f"http://{LOOPBACK}:{addresses.web_port(environ)}/"
        self._environ = environ
        self._make_applications = applications
        self._watched: dict[str, Watched] = {}
        self._steps: list[Process] = []
        self._seconds: dict[str, float] = {}
        self._phase = state.STARTING
        self._asked_to_stop = False

    def run(self) -> int:
        """Until asked to stop (SIGTERM, SIGINT): 0; or the start fails: 1. AlreadyRuns when one does."""
        lock = state.take(self.var)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask_to_stop)
        # The terminal that started us may close. No SIG_IGN: our children would inherit it.
        signal.signal(signal.SIGHUP, lambda number, frame: None)
        detail = ""
        try:
            self._tell()
            self._start()
            self._watch()
        except Stopped:
            pass
        except (Failed, OSError, RuntimeError, ValueError) as error:
            self._say(f"FAILED: {error}")
            detail = str(error)
        finally:
            self._stop(detail)
            lock.close()
        return 1 if detail else 0

    def _ask_to_stop(self, number: int, frame: object) -> None:
        self._asked_to_stop = True

    # --- starting

    def _start(self) -> None:
        began = time.monotonic()
        rotate_logs(self.var / "log")
        ended = leftovers.end(self._children_file)
        if ended:
            self._say(f"ended what an earlier run had left: {ended}")
        port = ports.renew(self.var)
        secrets = addresses.secrets_of(self.var)
        environment = addresses.complete(self.var, self._environ)
        applications = self._make_applications(self.var, environment)

        self._start_servers(port, secrets)
        migrate = self._step(applications.migrate)
        buckets = self._buckets()
        self._wait(lambda: self._done(migrate) and self._ready("valkey") and self._ready("s3"))
        self._add(applications.web)
        self._wait(lambda: self._ready("web"))
        for program in applications.others:
            self._add(program)
        if buckets is not None:
            self._wait(lambda: self._done(buckets))
        self._seconds["all"] = time.monotonic() - began
        self._phase = state.READY
        self._tell()
        self._say(f"ready after {self._seconds['all']:.1f} s: {self.address}")
        if applications.afterwards is not None:
            self._step(applications.afterwards)

    def _start_servers(self, port: Mapping[str, int], secrets: Mapping[str, str]) -> None:
        """The three side by side; returns when PostgreSQL is prepared, which the migration waits for."""
        log = self.var / "log"
        if addresses.S3 not in self.external:
            self._add(s3.program(self.var / "s3", log / "s3.log", port, secrets))
        if addresses.VALKEY not in self.external:
            self._add(
                valkey.program(self.var / "valkey", log / "valkey.log", port["valkey"], secrets["valkey"])
            )
        if addresses.POSTGRES in self.external:
            return
        folder = self.var / "postgres"
        installation = postgres.installation_for(folder)
        began = time.monotonic()
        postgres.create(folder, installation, secrets["postgres_superuser"])
        postgres.clear_stale(folder / "data")
        self._seconds["initdb"] = time.monotonic() - began
        self._add(postgres.program(folder, log / "postgres.log", port["postgres"], installation))
        self._wait(lambda: self._ready("postgres"))
        postgres.prepare(port["postgres"], secrets)

    def _buckets(self) -> Process | None:
        """The step that makes S3's buckets, or None where they are made or not ours."""
        if addresses.S3 in self.external or s3.has_buckets(self.var):
            return None
        self._wait(lambda: self._ready("s3"))
        return self._step(
            Program(
                name="buckets",
                command=[sys.executable, "-m", s3.__name__, str(self.var)],
                log=self.var / "log" / "s3.log",
                cwd=Path(__file__).resolve().parents[2],
                environment=dict(os.environ),
            )
        )

    def _add(self, program: Program) -> None:
        self._watched[program.name] = Watched(Process(program))
        self._write_down()

    def _step(self, program: Program) -> Process:
        step = Process(program)
        self._steps.append(step)
        self._write_down()
        return step

    def _ready(self, name: str) -> bool:
        """True for an external server too."""
        watched = self._watched.get(name)
        if watched is None:
            return True
        ready = watched.process.check_ready()
        if ready and name not in self._seconds:
            self._took(watched.process)
        return ready

    def _done(self, step: Process) -> bool:
        done = step.check_done()
        if done and step.program.name not in self._seconds:
            self._took(step)
        return done

    def _took(self, process: Process) -> None:
        self._seconds[process.program.name] = process.age
        self._say(f"{process.program.name}: {process.age:.2f} s (process {process.pid})")

    def _wait(self, condition: Callable[[], bool]) -> None:
        while not condition():
            if self._asked_to_stop:
                raise Stopped
            for name in self._watched:
                self._ready(name)  # a server that ends while another is waited for fails the start at once
            time.sleep(PAUSE)

    # --- running

    def _watch(self) -> None:
        while not self._asked_to_stop:
            for watched in self._watched.values():
                self._look_after(watched)
            self._steps = [step for step in self._steps if step.exit_code() is None]
            time.sleep(WATCH)

    def _look_after(self, watched: Watched) -> None:
        """Start it again when it has ended, after a wait that doubles with every failure in a row."""
        process, now = watched.process, time.monotonic()
        if watched.due is not None:
            if now >= watched.due:
                self._restart(watched)
            return
        try:
            process.check_ready()
            ended = process.exit_code() is not None
        except Failed as failure:
            ended = True
            self._say(str(failure))
        if not ended:
            return
        process.stop()
        wait = watched.put_off()
        self._say(
            f"{process.program.name} ended with {process.exit_code()}; starts again in {wait:.1f} s "
            f"(failure {watched.failures} in a row)"
        )
        self._write_down()

    def _restart(self, watched: Watched) -> None:
        program = watched.process.program
        try:
            if program.name == addresses.POSTGRES:
                postgres.clear_stale(self.var / "postgres" / "data")
            watched.process = Process(program)
        except (Failed, OSError) as error:
            watched.put_off()
            self._say(f"{program.name} can't be started: {error}")
            return
        watched.due = None
        self._say(f"{program.name} started again (process {watched.process.pid})")
        self._write_down()

    # --- stopping

    def _stop(self, detail: str) -> None:
        """The product first, all at once; then the servers, each in its time, in reverse order."""
        self._phase = state.STOPPING
        self._tell(detail)
        servers = {addresses.POSTGRES, addresses.VALKEY, addresses.S3}
        running = [*self._watched.values()]
        product_first = [
            *self._steps,
            *(one.process for one in reversed(running) if one.process.program.name not in servers),
        ]
        for process in product_first:
            process.ask_to_stop()
        for process in [
            *product_first,
            *(one.process for one in reversed(running) if one.process.program.name in servers),
        ]:
            process.stop()
            self._say(f"{process.program.name} stopped")
        self._children_file.unlink(missing_ok=True)
        if detail:
            self._phase = state.FAILED
            self._tell(detail)
        else:
            state.state_file(self.var).unlink(missing_ok=True)

    # --- telling

    @property
    def _children_file(self) -> Path:
        return self.var / "run" / "children.json"

    def _write_down(self) -> None:
        processes = [*(watched.process for watched in self._watched.values()), *self._steps]
        leftovers.write_down(self._children_file, (one.pid for one in processes if one.exit_code() is None))
        self._tell()

    def _tell(self, detail: str = "") -> None:
        state.write(
            self.var,
            phase=self._phase,
            address=self.address,
            detail=detail,
            external=sorted(self.external),
            children={name: watched.process.pid for name, watched in self._watched.items()},
            seconds={name: round(seconds, 2) for name, seconds in self._seconds.items()},
        )

    def _say(self, text: str) -> None:
        print(time.strftime("%Y-%m-%d %H:%M:%S"), text, flush=True)


def main() -> int:
    """Run the product's embedded default in the foreground, under the folder given as the only argument."""
    try:
        return Supervisor(Path(sys.argv[1]), os.environ).run()
    except (state.AlreadyRuns, ValueError) as error:
        print(error, file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main())
