"""The test suite: servers on free ports (tests/servers.py), the app role, cheap password hashes."""

from governance.embedded.addresses import complete, var_folder

from .base import *  # noqa: F403
from .base import BASE_DIR
from .environment import Environment
from .notices import notice_settings
from .servers import server_settings

DATA_DIR = var_folder(BASE_DIR)
environment = Environment(complete(DATA_DIR))
STATIC_ROOT = DATA_DIR / "static"
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
DEBUG = False
ALLOWED_HOSTS = ["testserver", "127.0.0.1", "localhost"]
globals().update(server_settings(environment, pool=False))
globals().update(notice_settings(environment))
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
