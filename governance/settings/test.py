"""The test suite: servers on free ports (tests/servers.py), the app role, cheap password hashes."""

from governance.embedded.addresses import environment as embedded_environment

from .base import *  # noqa: F403
from .base import BASE_DIR
from .environment import Environment
from .servers import server_settings

environment = Environment(embedded_environment(BASE_DIR / "var"))
DEBUG = False
ALLOWED_HOSTS = ["testserver", "127.0.0.1", "localhost"]
globals().update(server_settings(environment, pool=False))
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
