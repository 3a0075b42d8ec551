import os
import shutil
import tempfile
from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from apps.catalog.models import Framework
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.errors import GovernanceError, InvalidInput
from apps.evidence.store import read_artifact
from apps.jobs.commands import add_queue_argument, run_here
from apps.jobs.models import FAILED, QUEUED, SUCCEEDED, Job
from apps.jobs.services import finish
from apps.reports.models import Report
from apps.reports.services import request_report
from apps.tenancy.management.base import TenantCommand


class Command(TenantCommand):
    help = (
        "Build an evidence report. The bundle is stored in the object store, as a report that people ask for"
        " is, and --out gets a copy of the stored bytes, re-hashed: the object store must be reachable."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        sub = parser.add_subparsers(dest="verb", required=True)
        build = sub.add_parser("build", help="build the report of a period", description=self.help)
        super().add_arguments(build)
        build.add_argument(
            "--from", dest="first", required=True, metavar="D", help="first day, YYYY-MM-DD, in UTC"
        )
        build.add_argument("--to", dest="last", required=True, metavar="D", help="last day, included")
        build.add_argument("--framework", metavar="KEY", help="only this framework; all of them unless given")
        build.add_argument("--account", default="", help="only resources of this cloud account")
        build.add_argument("--policy", default="", metavar="ID", help="only this policy")
        build.add_argument("--tag", default="", metavar="KEY=VALUE", help="only resources with this tag")
        build.add_argument(
            "--out", type=Path, metavar="ZIP", help="where to write the bundle; not with --queue"
        )
        build.add_argument("--force", action="store_true", help="overwrite ZIP where it exists")
        add_queue_argument(build)

    def run_for_tenant(self, options: dict[str, Any]) -> Mapping[str, Any]:
        first, last = _day(options["first"], "from"), _day(options["last"], "to")
        out = _target(options["out"], queue=options["queue"], force=options["force"])
        scope = {name: options[name] for name in ("account", "policy", "tag")}
        report = _request(first, last, options["framework"], scope, queue=options["queue"])
        if out is None:
            return {"report": str(report.pk), "job": str(report.job_id), "status": QUEUED}
        return self._build(report, out)

    @staticmethod
    def _build(report: Report, out: Path) -> Mapping[str, Any]:
        with tenant_transaction(current_tenant_id()):
            job = Job.objects.get(idempotency_key=f"report:{report.pk}")
        job = run_here(job)
        if job.status == QUEUED:
            _give_up(job)  # whoever asked gets the error now and asks again; a worker's copy would surprise
        with tenant_transaction(current_tenant_id()):
            report.refresh_from_db()
        if report.status != SUCCEEDED:
            return {"report": str(report.pk), "status": report.status, "failed": True, "error": report.error}
        with read_artifact(report.object_key, report.version_id, report.sha256) as bundle:
            _write(bundle, out)
        return {
            "report": str(report.pk),
            "status": report.status,
            "out": str(out),
            "size": report.size,
            "sha256": report.sha256,
            "manifest_sha256": report.manifest["manifest_sha256"],
            "counts": report.manifest["counts"],
        }


def _request(first: date, last: date, key: str | None, scope: Mapping[str, str], *, queue: bool) -> Report:
    framework = None
    if key is not None:
        with tenant_transaction(current_tenant_id()):
            framework = Framework.objects.filter(key=key).first()
        if framework is None:
            raise InvalidInput(f"--framework: there is no framework {key!r}.", field="framework")
    try:
        return request_report(period_from=first, period_to=last, framework=framework, send=queue, **scope)
    except InvalidInput as error:
        named = {"period_from": "from", "period_to": "to"}.get(error.field or "", error.field)
        raise InvalidInput(f"--{named}: {error}", field=named) from error


def _give_up(job: Job) -> None:
    with tenant_transaction(current_tenant_id()):
        finish(job, FAILED, error=job.error)


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(f"--{option}: {text!r} is no day; write YYYY-MM-DD.", field=option) from error


def _target(out: Path | None, *, queue: bool, force: bool) -> Path | None:
    """Where to write, checked before anything is asked for; None with --queue."""
    if queue:
        if out is not None:
            raise InvalidInput("--out: a queued report is fetched from the reports page.", field="out")
        return None
    if out is None:
        raise InvalidInput("--out: say where to write the bundle, or give --queue.", field="out")
    if out.is_dir():
        raise InvalidInput(f"--out: {out} is a folder.", field="out")
    if not out.parent.is_dir():
        raise InvalidInput(f"--out: there is no folder {out.parent}.", field="out")
    if out.exists() and not force:
        raise InvalidInput(f"--out: {out} exists; --force overwrites it.", field="out")
    return out


def _write(bundle: Any, out: Path) -> None:
    """Whole or not at all: beside `out` first, then renamed."""
    handle, name = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            shutil.copyfileobj(bundle, file)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(0o600)
        beside.replace(out)
    except OSError as error:
        raise GovernanceError(f"--out: {out} could not be written: {error.strerror}.") from error
    finally:
        beside.unlink(missing_ok=True)
