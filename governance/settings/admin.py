"""django-unfold's settings: the look of the staff admin."""

from __future__ import annotations

from typing import Any

# The desk's own green (static/desk/desk.css, --accent is 600): one product, one colour.
_PRIMARY = {
    "50": "oklch(97.4% .010 192)",
    "100": "oklch(93.8% .021 192)",
    "200": "oklch(88.2% .038 192)",
    "300": "oklch(80.0% .056 192)",
    "400": "oklch(69.5% .076 193)",
    "500": "oklch(58.0% .078 194)",
    "600": "oklch(43.3% .066 197)",
    "700": "oklch(35.8% .054 198)",
    "800": "oklch(31.0% .046 198)",
    "900": "oklch(26.5% .038 198)",
    "950": "oklch(20.0% .028 198)",
}

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Governance desk",
    "SITE_HEADER": "Governance desk",
    "SITE_SUBHEADER": "Decide and administer",
    "SITE_SYMBOL": "verified_user",
    "SITE_URL": "/",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "COLORS": {"primary": _PRIMARY},
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
