"""What a policy on one resource can't see: paths through several resources, credentials, secrets in texts.

Relations and credentials are SQL over the inventory's documents: `CHECKS`. Secrets are looked for in Python, batch
by batch: `apps.connectors.secret_places`. `services.security_scan` makes violations of both.
"""

from .base import SOURCE, Check
from .registry import CHECKS, SECRET_CHECKS

__all__ = ["CHECKS", "SECRET_CHECKS", "SOURCE", "Check"]
