from django.urls import URLPattern, URLResolver, include, path

from apps.core import health

urlpatterns: list[URLPattern | URLResolver] = [
    path("health/live", health.live, name="health-live"),
    path("health/ready", health.ready, name="health-ready"),
    path("", include("apps.tenancy.urls")),
]
