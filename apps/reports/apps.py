from django.apps import AppConfig


class ReportsConfig(AppConfig):
    name = "apps.reports"
    label = "reports"

    def ready(self) -> None:
        from apps.jobs.registry import JobKind, register_job
        from apps.notices.codes import register_notices

        from .building import JOB_TYPE, build_report, finish_report

        register_job(JobKind(JOB_TYPE, "jobs", "Evidence report", run=build_report, finished=finish_report))
        register_notices("reports", "Evidence reports", {"ready": "An evidence report is ready"})
