"""Django's settings. What an operator may change is in `config.py`; the rest is decided here, visibly."""

from typing import Any
from urllib.parse import unquote, urlsplit

from django.utils.csp import CSP

from .config import BASE_DIR, LOOPBACK_HOSTS, read_config
from .control_room.look import UNFOLD as UNFOLD
from .database import database
from .logs import logging_at
from .rest import REST_FRAMEWORK as REST_FRAMEWORK
from .rest import SPECTACULAR_SETTINGS as SPECTACULAR_SETTINGS
from .secrets import own_secret_key

VERSION = "0.1.0"
CONFIG = read_config()

SECRET_KEY = (
    CONFIG.secret_key.get_secret_value() if CONFIG.secret_key is not None else own_secret_key(CONFIG.data_dir)
)
SECRET_KEY_FALLBACKS = [key.get_secret_value() for key in CONFIG.secret_key_fallbacks]

# Never on: an error page with settings and source is not for a server that holds people's keys.
DEBUG = False

INSTALLED_APPS = [
    "project",
    "collab_app",
    "tools_app",
    "sessions_app",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "unfold.apps.BasicAppConfig",
    "project.control_room.apps.ControlRoomConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "project.pages.zone.viewers_zone",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "project.urls"
ASGI_APPLICATION = "project.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Where things are kept ------------------------------------------------------------------------

# Threads that run Django code for MCP calls, six for tools of one caller. Who calls must not queue behind them.
TOOL_THREADS, TOOL_THREADS_OF_ONE = 8, 6
IDENTITY_THREADS = 2
# Requests to pages and the REST API that are worked on at once, a thread each; others wait.
WEB_THREADS = 8
# Seconds from a SIGTERM to the end of calls in flight; CONCIERGE_STOP_NOTICE is a part of them.
STOP_GRACE = 20
# Seconds for a request's headers to arrive, and as many again for its body. uvicorn itself would wait for ever.
SLOWEST_REQUEST = 15
# Seconds without a sign of life, one a second, after which a worker counts as stuck and is killed.
WORKER_SILENCE = 60

DATABASES = {"default": database(CONFIG, connections=TOOL_THREADS + IDENTITY_THREADS + 6)}

# How often a user, and an API key without a rate of its own, may call.
CALL_RATE, KEY_RATE = CONFIG.call_rate, CONFIG.key_rate

REDIS_URL = CONFIG.redis_url
if CONFIG.redis_url:
    CACHES: dict[str, dict[str, Any]] = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": CONFIG.redis_url,
            "KEY_PREFIX": "concierge",
            "OPTIONS": {
                # A Redis that hangs must not hang us: redis-py waits five seconds unless told.
                "SOCKET_CONNECT_TIMEOUT": 0.25,
                "SOCKET_TIMEOUT": 0.25,
                # Not pickle: whoever may write to Redis is not to run code here.
                "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
            },
        }
    }
    CHANNEL_LAYERS: dict[str, dict[str, Any]] = {
        "default": {
            "BACKEND": "project.channel_layer.RedisChannelLayer",
            "CONFIG": {
                # The second timeout has to be longer than the layer's own wait for a message.
                "hosts": [{"address": CONFIG.redis_url, "socket_connect_timeout": 0.25, "socket_timeout": 2}],
                "prefix": "concierge",
                # Only wake-ups travel here, and the database is the truth: many may wait, but none for long.
                "capacity": 1000,
                "expiry": 10,
                # A worker joins anew every ten seconds (transport/bus.py); one that was killed is soon forgotten.
                "group_expiry": 60,
            },
        }
    }
else:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "OPTIONS": {"MAX_ENTRIES": 10_000},
        }
    }
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

# --- Who people are -------------------------------------------------------------------------------

AUTH_USER_MODEL = "sessions_app.User"
AUTHENTICATION_BACKENDS = ["sessions_app.backend.SignInBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
# Whose JWTs are taken besides our own.
JWT_ISSUERS = [issuer.model_dump() for issuer in CONFIG.jwt_issuers]
# Seconds that a link to choose a new password is good for.
PASSWORD_RESET_TIMEOUT = 30 * 60
# Everybody's; the admin has its own, for staff.
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "me"

# --- What a browser is told -----------------------------------------------------------------------

# Not HOST itself: with a public URL it may be 0.0.0.0, which is nobody's name.
OWN_NAME = urlsplit(CONFIG.origin).hostname or ""
ALLOWED_HOSTS = [*LOOPBACK_HOSTS[:2], "[::1]", f"[{OWN_NAME}]" if ":" in OWN_NAME else OWN_NAME]
CSRF_TRUSTED_ORIGINS = [CONFIG.public_url] if CONFIG.public_url else []

SECURE_CSP: dict[str, list[str]] = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:"],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = CONFIG.is_https
SECURE_HSTS_SECONDS = 31_536_000 if CONFIG.is_https else 0

SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # whether subdomains are HTTPS too is their owner's to say, not ours
    "security.W021",  # likewise preloading
    "security.W008",  # redirecting to HTTPS is the proxy's: from here every request looks like plain HTTP
]

# --- Everything else ------------------------------------------------------------------------------

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = "project.formats"
STATIC_URL = "/static/"
SERVESTATIC_USE_FINDERS = True
SERVESTATIC_ALLOW_ALL_ORIGINS = False


def mail() -> dict[str, Any]:
    url = urlsplit(CONFIG.email_url or "console://")
    if url.scheme == "console":
        return {"default": {"BACKEND": "django.core.mail.backends.console.EmailBackend"}}
    return {
        "default": {
            "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "OPTIONS": {
                "host": url.hostname or "localhost",
                "port": url.port or {"smtp": 25, "smtp+tls": 587, "smtps": 465}[url.scheme],
                "username": unquote(url.username or ""),
                "password": unquote(url.password or ""),
                "use_tls": url.scheme == "smtp+tls",
                "use_ssl": url.scheme == "smtps",
                "timeout": 10,
            },
        }
    }


MAILERS = mail()
# Else a link goes to an operator, and not to the console of a server that nobody looks at.
MAIL_IS_SENT = CONFIG.email_url is not None
DEFAULT_FROM_EMAIL = CONFIG.email_from or f"concierge@{OWN_NAME}"

LOGGING = logging_at(CONFIG.log_level, CONFIG.log_format)
