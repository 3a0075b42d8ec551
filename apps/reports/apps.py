from django.apps import AppConfig


class ReportsConfig(AppConfig):
    name = "apps.reports"
    label = "reports"

    def ready(self) -> None:
        from apps.audit.verification.verify import register_check
        from apps.jobs.registry import JobKind, register_job
        from apps.notices.codes import register_notices

        from .building import JOB_TYPE, build_report, finish_report
        from .proof import check_reports

        register_job(JobKind(JOB_TYPE, "jobs", "Evidence report", run=build_report, finished=finish_report))
        register_notices("reports", "Evidence reports", {"ready": "An evidence report is ready"})
        register_check("reports", check_reports)
