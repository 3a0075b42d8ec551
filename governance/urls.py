from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from apps.core import health

urlpatterns: list[URLPattern | URLResolver] = [
    path("health/live", health.live, name="health-live"),
    path("health/ready", health.ready, name="health-ready"),
    path("admin/", admin.site.urls),
    path("api/", include("governance.api_urls")),
    path("", include("apps.tenancy.urls")),
    path("", include("apps.notices.urls")),
    path("", include("apps.desk.urls")),
    path("", include("apps.desk.urls.catalog")),
    path("", include("apps.desk.urls.jobs")),
    path("", include("apps.desk.urls.audit")),
    path("", include("apps.findings.urls")),
    path("", include("apps.actions.urls")),
    path("", include("apps.costs.urls")),
    path("", include("apps.archive.urls")),
    path("", include("apps.reports.urls")),
]
