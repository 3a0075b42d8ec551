"""Makes our site the one that `django.contrib.admin` discovers and registers into."""

from django.contrib.admin.apps import AdminConfig


class GovernanceAdminConfig(AdminConfig):
    default_site = "governance.admin_site.GovernanceAdminSite"
