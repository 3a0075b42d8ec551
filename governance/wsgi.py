import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "governance.settings.dev")
application = get_wsgi_application()

from apps.core.guards import refuse_strong_role  # noqa: E402

refuse_strong_role()
