"""Django's settings of the REST API: the policies of every view that does not say otherwise."""

from typing import Any

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "sessions_app.api.authentication.CredentialAuthentication",
        "sessions_app.api.authentication.BrowserAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["sessions_app.api.throttle.ApiThrottle"],
    "DEFAULT_PARSER_CLASSES": ["sessions_app.api.strict.StrictJsonParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "sessions_app.api.paging.Pages",
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "sessions_app.api.problem.answer",
    # The Accept header decides, not `?format=`.
    "URL_FORMAT_OVERRIDE": None,
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Concierge",
    "DESCRIPTION": "What you may do about your own account, and in rooms.",
    "VERSION": None,
    "TAGS": [
        {
            "name": "token",
            "description": "Sign in for JWTs: an access token, and a refresh token that works once.",
        },
        {"name": "session-tokens", "description": "Sign in for a token that lasts while it is used."},
        {"name": "keys", "description": "API keys, for machines."},
        {"name": "sessions", "description": "Live sessions of MCP."},
        {"name": "preferences", "description": "Any JSON value under a key. Not for narrowed credentials."},
        {"name": "rooms", "description": "Where people and agents meet: messages in one order, and shared state."},
        {"name": "room-invitations", "description": "Rooms that wait for you."},
        {"name": "usage", "description": "What you called lately, and what is left of your limits."},
    ],
    "SCHEMA_PATH_PREFIX": "/api/",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "sessions_app.api.schema.finish",
    ],
    "PATH_CONVERTER_OVERRIDES": {"anything": str},
    # A test looks at the schema, and strictly.
    "ENABLE_DJANGO_DEPLOY_CHECK": False,
}
