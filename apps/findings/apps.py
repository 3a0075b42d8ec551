from django.apps import AppConfig


class FindingsConfig(AppConfig):
    name = "apps.findings"
    label = "findings"

    def ready(self) -> None:
        from functools import partial

        from apps.audit.verification.verify import register_check
        from apps.catalog.jobs import run_import
        from apps.catalog.languages import use_policy_language
        from apps.jobs.registry import JobKind, register_job, register_sweep
        from apps.notices.codes import register_notices

        from .policy_reader import PolicyReader
        from .proof import check_exceptions
        from .savings.scanning import JOB_TYPE as FINOPS
        from .savings.scanning import run_finops_scan
        from .services.exception_notices import FAMILY, OCCASIONS
        from .services.exception_warnings import warn_of_expiry
        from .services.exceptions import sweep_exceptions
        from .services.findings_import import import_findings
        from .services.reconciling import JOB_TYPE as VERIFY
        from .services.reconciling import ask_for_verification, verify_posture
        from .services.scanning import JOB_TYPE, fail_scans_of, run_policy_scan
        from .services.security_scan import JOB_TYPE as SECURITY
        from .services.security_scan import run_security_scan

        use_policy_language(PolicyReader())
        register_job(
            JobKind(JOB_TYPE, "scans.policy", "Policy scan", run=run_policy_scan, finished=fail_scans_of)
        )
        register_job(JobKind(FINOPS, FINOPS, "Savings scan", run=run_finops_scan))
        register_job(
            JobKind(
                SECURITY, "scans.security", "Security scan", run=run_security_scan, finished=fail_scans_of
            )
        )
        register_job(
            JobKind("findings.import", "jobs", "Findings import", run=partial(run_import, import_findings))
        )
        register_job(JobKind(VERIFY, "jobs", "Verification of sums", run=verify_posture))
        register_sweep("posture", ask_for_verification)
        register_check("exceptions", check_exceptions)
        register_sweep("exceptions", sweep_exceptions)
        register_sweep("exception_warnings", warn_of_expiry)
        register_notices(FAMILY, "Exceptions", OCCASIONS)
