"""django-unfold's settings: the look of the staff admin."""

from __future__ import annotations

from typing import Any

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Governance desk",
    "SITE_HEADER": "Governance desk",
    "SITE_SUBHEADER": "Decide and administer",
    "SITE_SYMBOL": "verified_user",
    "SITE_URL": "/",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "STYLES": ["governance.admin_assets.stylesheet"],
    # One entry of our own, because without any unfold links to Django's password form, which we don't have.
    "ACCOUNT": {"navigation": [{"title": "My work", "link": "/admin/"}]},
    "COMMAND": {"search_models": False, "show_history": False},
    "SIDEBAR": {
        "show_search": False,
        "command_search": True,
        "navigation": "governance.admin_navigation.navigation",
    },
}
