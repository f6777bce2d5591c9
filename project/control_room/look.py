"""How the control room looks, for Unfold to read: django-unfold's setting `UNFOLD`."""

from typing import Any

from django.templatetags.static import static
from django.utils.functional import lazy

from .navigation import NAVIGATION

at = lazy(static, str)

ACCENT = {  # of the pages, in steps from light to dark
    "50": "oklch(97.2% .012 227)",
    "100": "oklch(94.5% .022 227)",
    "200": "oklch(89.5% .04 227)",
    "300": "oklch(82.5% .058 227)",
    "400": "oklch(73% .07 228)",
    "500": "oklch(62.5% .078 229)",
    "600": "oklch(48.5% .075 231)",
    "700": "oklch(44% .07 231)",
    "800": "oklch(38.5% .06 232)",
    "900": "oklch(33.5% .05 233)",
    "950": "oklch(24.5% .038 234)",
}

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Concierge",
    "SITE_HEADER": "Concierge",
    "SITE_SUBHEADER": "Control room",
    "SITE_SYMBOL": "concierge",
    "SITE_URL": "/",
    "SHOW_VIEW_ON_SITE": False,
    "DASHBOARD_CALLBACK": "project.control_room.home.home",
    "STYLES": [at("sessions_app/admin.css")],
    "SCRIPTS": [at("project/zone.js")],
    "COLORS": {"primary": ACCENT},
    "BORDER_RADIUS": "6px",
    "ACCOUNT": {
        "navigation": [
            {"title": "Your own page", "link": "/me/"},
        ]
    },
    "SIDEBAR": {"show_search": True, "show_all_applications": False, "navigation": NAVIGATION},
}
