"""Writing what a report tells into a folder, section by section."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .bundle import write_text
from .controls import COLUMNS, Assessment
from .evidence import COLUMNS as EVIDENCE_COLUMNS
from .evidence import copy_artifact, evidence_rows
from .ocsf import compliance_finding
from .period import Period
from .sample import Sample
from .sections.actions import ACTIONS
from .sections.approvals import APPROVALS
from .sections.audit_rows import AUDIT
from .sections.exceptions import EXCEPTIONS
from .sections.policies import POLICIES
from .sections.section import Row, Section, fetch, utc
from .sections.violations import VIOLATIONS
from .tables import JSON, JSON_LINES, BundleFile, CsvWriter, FileWriter, json_text

STATUSES = ("open", "excepted", "fixed", "removed")
# (sections done, sections in all, note)
Progress = Callable[[int, int, str], None]

SCANS = """
SELECT kind, mode, status, count(*) AS n, max(finished_at) AS last_finished_at FROM scan_runs
WHERE started_at >= %(start)s AND finished_at < %(cut)s
GROUP BY kind, mode, status ORDER BY kind, mode, status
"""


class Content:
    """Writes the tables of one report below `folder`; afterwards `files` and `counts` say what they hold, and
    `exceptions` and `summary` what the documents tell of them."""

    def __init__(
        self, folder: Path, period: Period, assessment: Assessment, seed: str, progress: Progress
    ) -> None:
        self._folder, self._period, self._progress = folder, period, progress
        self._assessment = assessment
        self._sample = Sample(seed)
        self.exceptions: list[Row] = []
        self._actions_told: list[Row] = []
        self.files: list[BundleFile] = []
        self.counts: dict[str, int] = {}
        self._by_policy: Counter[tuple[str, str]] = Counter()
        self._serving = _serving(assessment)
        self.summary: dict[str, Any] = {}

    def write(self) -> None:
        parts = (
            (VIOLATIONS, self._violations),
            (EXCEPTIONS, self._exceptions),
            (ACTIONS, self._actions),
            (APPROVALS, self._approvals),
            (POLICIES, self._policies),
            (AUDIT, self._audit),
        )
        total = len(parts) + 1
        for done, (section, write) in enumerate(parts):
            self._progress(done, total, section.name)
            self._telling = (done, total, section.name)
            self.counts[section.name] = write(section)
        self._telling = (len(parts), total, "evidence")
        self._write_evidence()
        self._progress(len(parts), total, "controls and the bundle itself")
        self._write_controls()
        self._write_sample()
        self._write_summary()

    def _rows_so_far(self, rows: int) -> None:
        done, total, name = self._telling
        self._progress(done, total, f"{name}: {rows:,} rows")

    def _violations(self, section: Section) -> int:
        by_status: Counter[tuple[str, str]] = Counter()
        changes: Counter[str] = Counter()
        rows = 0
        with (
            CsvWriter(self._folder, "violations.csv", section.columns) as table,
            FileWriter(self._folder, "violations.jsonl", JSON_LINES) as lines,
            FileWriter(self._folder, "ocsf/compliance_finding.jsonl", JSON_LINES) as events,
        ):
            for row in section.rows(self._period, self._rows_so_far):
                table.row(row)
                lines.write(json_text({column: row[column] for column in section.columns}) + "\n")
                standards, controls = self._serving.get(row["policy_id"], ([], []))
                events.write(json_text(compliance_finding(row, standards, controls)) + "\n")
                self._sample.offer(row)
                by_status[row["status"], row["severity"]] += 1
                self._by_policy[row["policy_id"] or "", row["status"]] += 1
                for change in ("times_opened", "times_reopened", "times_fixed"):
                    changes[change] += row[change]
                rows += 1
        self.files += [table.file, lines.file, events.file]
        self.summary["violations"] = {
            "as_of_cut": {
                status: {s: n for (of, s), n in sorted(by_status.items()) if of == status}
                for status in STATUSES
            },
            "in_period": dict(changes),
        }
        return rows

    def _exceptions(self, section: Section) -> int:
        return self._table(section, "exceptions.csv", count="status", complete=self.exceptions.append)

    def _actions(self, section: Section) -> int:
        return self._table(section, "actions.csv", count="status", complete=self._actions_told.append)

    def _approvals(self, section: Section) -> int:
        """Decisions on the exceptions and actions that are told, which the scope has narrowed."""
        told = {row["exception_id"] for row in self.exceptions} | {r["action_id"] for r in self._actions_told}
        return self._table(
            section, "approvals.csv", count="decision", only=lambda row: row["subject_id"] in told
        )

    def _policies(self, section: Section) -> int:
        def add_counts(row: Row) -> None:
            for status in STATUSES:
                row[f"violations_{status}"] = self._by_policy[row["policy_id"], status]

        return self._table(section, "policies.csv", count="status", complete=add_counts)

    def _table(
        self,
        section: Section,
        path: str,
        *,
        count: str,
        complete: Callable[[Row], None] | None = None,
        only: Callable[[Row], bool] = lambda row: True,
    ) -> int:
        counted: Counter[str] = Counter()
        with CsvWriter(self._folder, path, section.columns) as table:
            for row in section.rows(self._period, self._rows_so_far):
                if not only(row):
                    continue
                if complete is not None:
                    complete(row)
                table.row(row)
                counted[row[count]] += 1
        self.files.append(table.file)
        self.summary[section.name] = dict(sorted(counted.items()))
        return counted.total()

    def _audit(self, section: Section) -> int:
        rows = 0
        with (
            CsvWriter(self._folder, "audit.csv", section.columns) as table,
            FileWriter(self._folder, "audit/leaves.jsonl", JSON_LINES) as leaves,
        ):
            for row in section.rows(self._period, self._rows_so_far):
                table.row(row)
                leaves.write(leaf_line(row) + "\n")
                rows += 1
        self.files += [table.file, leaves.file]
        self.summary["audit"] = {"rows": rows}
        return rows

    def _write_evidence(self) -> None:
        states: Counter[str] = Counter()
        ids = [row["action_id"] for row in self._actions_told]
        with CsvWriter(self._folder, "evidence.csv", EVIDENCE_COLUMNS) as table:
            for row in evidence_rows(ids, self._period):
                self._rows_so_far(states.total())
                copied = copy_artifact(self._folder, row)
                self.files += [copied] if copied is not None else []
                table.row(row)
                states[row["state"]] += 1
        self.files.append(table.file)
        self.counts["evidence"] = states.total()
        self.summary["evidence"] = dict(sorted(states.items()))

    def _write_controls(self) -> None:
        rows = self._assessment.rows()
        with CsvWriter(self._folder, "controls.csv", COLUMNS) as table:
            for row in rows:
                table.row(row)
        self.files.append(table.file)
        self.counts["controls"] = len(rows)
        self.summary["controls"] = {
            one.framework.key: dict(sorted(one.counts().items())) for one in self._assessment.judged
        }

    def _write_sample(self) -> None:
        """A sample that anybody can draw again from violations.jsonl: see README.txt."""
        drawn = self._sample.drawn()
        with CsvWriter(self._folder, "sample.csv", VIOLATIONS.columns) as table:
            for row in drawn:
                table.row(row)
        self.files.append(table.file)
        self.counts["sample"] = len(drawn)

    def _write_summary(self) -> None:
        scans = fetch(SCANS, {"start": self._period.start, "cut": self._period.cut})
        summary: Mapping[str, Any] = {
            "period": {"from": self._period.first.isoformat(), "to": self._period.last.isoformat()},
            "cut": utc(self._period.cut),
            "scope": self._period.scope.as_dict(),
            "scans": scans,
            **self.summary,
        }
        text = json_text(summary, indent=2) + "\n"
        self.files.append(write_text(self._folder, "summary.json", text, JSON))


def leaf_line(row: Mapping[str, Any]) -> str:
    """An audit row as a line of JSON; its payload goes in as the database wrote it, character by character."""
    shown = {name: row[name] for name in ("id", "created_at", "actor", "action", "target_type", "target_id")}
    proof = {"canonical": row["canonical"], "leaf": row["leaf"]}
    return f'{json_text(shown)[:-1]},"payload":{row["payload"]},{json_text(proof)[1:]}'


def _serving(assessment: Assessment) -> dict[str, tuple[list[str], list[str]]]:
    """Policy → (titles of the frameworks, labels of the controls) that it serves."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    for one in assessment.judged:
        for control, posture in one.controls:
            for verdict in posture.verdicts:
                standards, controls = found.setdefault(verdict.policy_id, ([], []))
                if one.framework.title not in standards:
                    standards.append(one.framework.title)
                controls.append(f"{one.framework.key} {control.label}")
    return found
