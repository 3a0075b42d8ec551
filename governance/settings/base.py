"""What every environment shares. Wiring only: which rooms there are and which servers they talk to."""

from __future__ import annotations

from typing import Any

from .admin import UNFOLD as UNFOLD
from .environment import ROOT, Environment

BASE_DIR = ROOT


def databases(environment: Environment, *, pool: bool) -> dict[str, dict[str, Any]]:
    """`default` is the app role, under row-level security; `owner` migrates and runs named platform jobs;
    `sealer` seals the audit trail and may do nothing else (where no such role is told, the owner does it).

    Web and workers are started without DATABASE_OWNER_URL and DATABASE_SEALER_URL: their `owner` and
    `sealer` have no credentials to use.
    """
    app = environment.database("DATABASE_URL")
    # What the address itself asks for, such as sslmode, stays. Behind PgBouncer in transaction mode nothing
    # may live on a connection between transactions: no prepared statements, no cursors on the server.
    options = {**app.get("OPTIONS", {}), "prepare_threshold": None}
    if pool:
        options["pool"] = {"min_size": 1, "max_size": 8}
    app |= {"CONN_HEALTH_CHECKS": True, "DISABLE_SERVER_SIDE_CURSORS": True, "OPTIONS": options}
    nobody = {**app, "USER": "", "PASSWORD": "", "OPTIONS": {}}
    owner = (
        environment.database("DATABASE_OWNER_URL") if environment.text("DATABASE_OWNER_URL", "") else nobody
    )
    sealer = (
        environment.database("DATABASE_SEALER_URL")
        if environment.text("DATABASE_SEALER_URL", "")
        else {**owner}
    )
    # In tests `owner` makes the database; `default` reaches the same one, still as the app role.
    # A dict each: pytest-xdist names the databases of its workers in them.
    app["TEST"], sealer["TEST"] = {"MIRROR": "owner"}, {"MIRROR": "owner"}
    return {"default": app, "owner": owner, "sealer": sealer}


INSTALLED_APPS = [
    "governance",
    "apps.core",
    "apps.jobs",
    "apps.audit",
    "apps.tenancy",
    "apps.notices",
    "apps.catalog",
    "apps.findings",
    "apps.costs",
    "apps.evidence",
    "apps.actions",
    "apps.archive",
    "apps.reports",
    "apps.desk",
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "governance.admin_config.GovernanceAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "django_rls",
    "timescale",
    "django_htmx",
    "django_tables2",
    "django_filters",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "storages",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "apps.tenancy.middleware.RequestTransactionMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "apps.core.requests.NoNulMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "apps.tenancy.middleware.PrincipalMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "governance.urls"
WSGI_APPLICATION = "governance.wsgi.application"
ASGI_APPLICATION = "governance.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "apps.tenancy.context_processors.desk",
            ],
        },
    },
]

# Signing in: the tenant is known before the user is looked up.
AUTH_USER_MODEL = "tenancy.User"
AUTHENTICATION_BACKENDS = ["apps.tenancy.authentication.TenantBackend"]
SESSION_ENGINE = "apps.tenancy.sessions"
SESSION_COOKIE_NAME = "governance_session"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
LOGIN_URL = "tenancy:sign-in"
LOGIN_REDIRECT_URL = "desk:home"
LOGOUT_REDIRECT_URL = "tenancy:sign-in"
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
# upn is unique in a tenant, not globally, by specification; our backend asks for the tenant first.
SILENCED_SYSTEM_CHECKS = ["auth.W004"]

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = BASE_DIR / "var" / "static"

# Row-level security is brought about by apps.core.db.access after every migrate, as the owner role;
# django-rls's own hook would use the app role. Its session-level reset would cost a round trip a connection.
DJANGO_RLS = {"AUTO_ENABLE_RLS": False, "STRICT_MIGRATE_RLS": True, "RESET_CONTEXT_ON_CONNECT": False}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apps.tenancy.authentication.TokenAuthentication",
        "apps.tenancy.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["apps.tenancy.permissions.HasRolePermission"],
    "DEFAULT_PAGINATION_CLASS": "apps.core.pagination.KeysetPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "apps.tenancy.openapi.OperationSchema",
    "EXCEPTION_HANDLER": "apps.core.problems.exception_handler",
    "PAGE_SIZE": 50,
    "URL_FORMAT_OVERRIDE": None,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Governance desk",
    "DESCRIPTION": "Inventory, policies, violations, exceptions, actions and evidence of a cloud estate.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    # From our own static files: the browser asks no other host.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {},
}

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "style-src": ["'self'"],
        "script-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
    },
}

X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

CELERY = {
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "worker_prefetch_multiplier": 1,
    "task_ignore_result": True,
    "task_default_queue": "jobs",
    "broker_connection_retry_on_startup": True,
    "broker_connection_retry": True,
    "broker_connection_max_retries": None,
    "broker_transport_options": {
        # A backstop only: leases in the jobs table decide, and the dispatcher re-sends.
        "visibility_timeout": 3600,
        "unacked_restore_interval": 2,
        "unacked_restore_throttle": 1,
        "socket_timeout": 10,
        "socket_connect_timeout": 5,
    },
    "worker_hijack_root_logger": False,
    "timezone": "UTC",
    "beat_schedule": {
        "dispatch": {"task": "jobs.dispatch", "schedule": 2.0, "options": {"queue": "jobs", "expires": 10}},
        "sweep": {"task": "jobs.sweep", "schedule": 60.0, "options": {"queue": "jobs", "expires": 120}},
    },
}


def redis_cache(url: str) -> dict[str, Any]:
    return {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}}


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "django.request": {"level": "ERROR"},
        # A line for every message, of which most are the dispatcher's; jobs tell their own story.
        "celery.app.trace": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
    },
}

# Read from the environment by servers.py and notices.py; named here for those who read settings.
EVIDENCE: dict[str, Any]
AUDIT: dict[str, Any]
JOB_LEASE_SECONDS: int
BASE_URL: str
WEBHOOKS: dict[str, Any]

# Where actions get a tenant's cloud account, and tables of kinds of actions beside the product's own.
ACTIONS_CLOUDS = "apps.catalog.services.clouds.cloud_of"
ACTIONS_EXECUTORS: list[str] = []

# What is kept on this machine for convenience; nothing relies on it.
DATA_DIR = BASE_DIR / "var"
