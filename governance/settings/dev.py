"""The embedded default: what is unset in the environment comes from the servers under `var/`."""

import os

from governance.embedded.addresses import complete, var_folder

from .base import *  # noqa: F403
from .base import BASE_DIR
from .environment import Environment
from .notices import notice_settings
from .servers import server_settings

DATA_DIR = var_folder(BASE_DIR)
_variables = complete(DATA_DIR)
environment = Environment(_variables)
# Credentials of cloud accounts are looked up by name in the process's environment, the demo's too.
os.environ.update({name: value for name, value in _variables.items() if name.startswith("DEMO_CLOUD_")})
STATIC_ROOT = DATA_DIR / "static"
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
DEBUG = environment.flag("DEBUG", False)
ALLOWED_HOSTS = environment.names("ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]")
globals().update(server_settings(environment, pool=environment.flag("DATABASE_POOL", False)))
globals().update(notice_settings(environment))
# Served from where they lie: `make up` collects nothing.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
