import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "governance.settings.dev")
application = get_asgi_application()

from apps.core.guards import refuse_strong_role  # noqa: E402

refuse_strong_role()
